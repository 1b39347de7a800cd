from __future__ import annotations

import numpy as np
import pytest

from napari_her2.errors import RunDamagedError
from napari_her2.results.journal import Journal, ScoredBatch, read_journal

HEADER = {"schema": 1, "request_hash": "ab", "models": {"er": 3, "pr": 2}}


def assert_equal(a: ScoredBatch, b: ScoredBatch) -> None:
    assert (a.index, a.reasons, list(a.probs)) == (b.index, b.reasons, list(b.probs))
    np.testing.assert_array_equal(a.cells, b.cells)
    np.testing.assert_array_equal(a.failed, b.failed)
    for model in a.probs:
        np.testing.assert_array_equal(a.probs[model], b.probs[model])
        assert a.probs[model].dtype == np.float32


def test_gives_back_what_was_appended(tmp_path, make_batch):
    path = tmp_path / "journal.bin"
    written = [
        make_batch(0),
        make_batch(1, models=("pr",)),
        make_batch(2, models=()),
        make_batch(3, n=1),
    ]
    with Journal(path, HEADER) as journal:
        for b in written:
            journal.append(b)
    header, read = read_journal(path)
    assert header == HEADER
    for a, b in zip(written, read, strict=True):
        assert_equal(a, b)


def test_survives_being_cut_at_every_byte(tmp_path, make_batch):
    path = tmp_path / "journal.bin"
    with Journal(path, HEADER) as journal:
        ends = []
        for i in range(3):
            journal.append(make_batch(i))
            ends.append(path.stat().st_size)
    whole = path.read_bytes()
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        with Journal(path, HEADER) as journal:
            kept = len(journal.batches)
            assert kept == sum(end <= cut for end in ends)
            for i in range(kept, 3):
                journal.append(make_batch(i))
        assert path.read_bytes() == whole, cut


def test_a_damaged_record_and_all_after_it_are_dropped(tmp_path, make_batch):
    path = tmp_path / "journal.bin"
    with Journal(path, HEADER) as journal:
        journal.append(make_batch(0))
        first = path.stat().st_size
        journal.append(make_batch(1))
        journal.append(make_batch(2))
    raw = bytearray(path.read_bytes())
    raw[first + 20] ^= 4
    path.write_bytes(bytes(raw))
    with Journal(path, HEADER) as journal:
        assert [b.index for b in journal.batches] == [0]


def test_a_batch_written_twice_counts_once_and_the_first_wins(tmp_path, make_batch):
    path = tmp_path / "journal.bin"
    other = make_batch(7)
    with Journal(path, HEADER) as journal:
        journal.append(make_batch(0))
        journal.append(ScoredBatch(0, other.cells, other.probs, other.failed, other.reasons))
    (kept,) = read_journal(path)[1]
    assert_equal(kept, make_batch(0))


def test_refuses_a_journal_of_another_run(tmp_path):
    path = tmp_path / "journal.bin"
    Journal(path, HEADER).close()
    with pytest.raises(RunDamagedError, match="another run"):
        Journal(path, HEADER | {"request_hash": "cd"})
    path.write_bytes(b"something else")
    with pytest.raises(RunDamagedError, match="format"):
        Journal(path, HEADER)


def test_a_failed_write_leaves_no_half_record(tmp_path, monkeypatch, make_batch):
    from napari_her2.errors import DiskFullError

    path = tmp_path / "journal.bin"
    with Journal(path, HEADER) as journal:
        journal.append(make_batch(0))
        real = journal._file

        class Full:
            def write(self, data):
                real.write(data[:10])
                real.flush()
                raise OSError(28, "No space left on device")

            def __getattr__(self, name):
                return getattr(real, name)

        journal._file = Full()
        with pytest.raises(DiskFullError):
            journal.append(make_batch(1))
        journal._file = real
        journal.append(make_batch(1))
    assert [b.index for b in read_journal(path)[1]] == [0, 1]
