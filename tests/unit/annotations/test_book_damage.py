"""Torn, flipped and full: what a disk can do to annotations, and what is left then."""

from __future__ import annotations

import errno
import os
import shutil
import sys
import time

import numpy as np
import pytest
from made_annotations import square

from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add, reclass, remove
from napari_her2.annotations.journal import journals_in
from napari_her2.annotations.kept import read_kept
from napari_her2.annotations.snapshots import GENERATIONS, snapshots_in
from napari_her2.errors import (
    AnnotationsBusyError,
    BadAnnotationsError,
    CannotWriteError,
    DiskFullError,
    Her2Error,
)

IDENTITY = {"slide_id": "S", "width": 1000, "height": 800, "quickhash": None}


def opened(folder, **more):
    return open_book("S", (1000, 800), 0.5, folder, author="R1", **more)


def let_go(book):
    """What a kill leaves: the files as they are."""
    book._ledger._let_go()
    book._ledger._claim.release()


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A journal of five actions, and what was there after each of them."""
    folder = tmp_path_factory.mktemp("drawn") / "S"
    book = opened(folder)
    a, b = square(0, note="ü\ud800"), square(20)
    states, sizes = [()], []
    book.apply(add([a]))
    (journal,) = journals_in(folder)
    for action in (
        lambda: None,
        lambda: book.apply(add([b])),
        lambda: book.apply(reclass([a], "stroma")),
        book.undo,
        lambda: book.apply(remove([b])),
    ):
        action()
        states.append(book.store.all())
        sizes.append(journal.stat().st_size)
    let_go(book)
    return folder, journal.read_bytes(), states, sizes


def test_a_journal_cut_at_any_byte_gives_what_was_there_then(drawn, tmp_path):
    folder, data, states, sizes = drawn
    cut = tmp_path / "S"
    cut.mkdir()
    path = cut / journals_in(folder)[0].name
    path.write_bytes(data)
    for size in range(len(data) - 1, -1, -1):
        os.truncate(path, size)
        kept = read_kept(cut, IDENTITY)
        whole = sum(s <= size for s in sizes)
        assert kept.store.all() == states[whole]
        assert kept.seq == whole


@pytest.mark.parametrize("byte", range(3, 2000, 331))
def test_after_a_cut_drawing_goes_on_and_the_torn_journal_stays(drawn, tmp_path, byte):
    folder, data, states, sizes = drawn
    cut = tmp_path / "S"
    cut.mkdir()
    torn = cut / journals_in(folder)[0].name
    torn.write_bytes(data[:byte])
    c = square(40)
    with opened(cut) as book:
        book.apply(add([c]))
    with opened(cut) as book:
        assert book.store.all() == (*states[sum(s <= byte for s in sizes)], c)
        assert all(r.follows for r in book.audit())
    assert torn.read_bytes() == data[:byte]


def test_a_flipped_bit_is_never_another_annotation(drawn, tmp_path):
    folder, data, states, _sizes = drawn
    bad = tmp_path / "S"
    bad.mkdir()
    path = bad / journals_in(folder)[0].name
    rng = np.random.default_rng(1)
    for at in rng.integers(0, len(data), 150):
        flipped = bytearray(data)
        flipped[at] ^= 1 << rng.integers(0, 8)
        path.write_bytes(flipped)
        kept = read_kept(bad, IDENTITY)
        assert kept.store.all() in states
        assert kept.notes


def test_a_damaged_snapshot_is_made_up_for_by_the_one_before(tmp_path):
    folder = tmp_path / "S"
    there = []
    for i in range(GENERATIONS + 2):
        with opened(folder) as book:
            book.apply(add([square(20 * i)]))
            there = book.store.all()
    snapshots = snapshots_in(folder)
    assert len(snapshots) == GENERATIONS
    for n_bad in range(1, GENERATIONS + 1):
        snapshots[n_bad - 1].write_bytes(b"HER2SNA1 and then nothing of use")
        book = opened(folder)
        assert book.store.all() == there
        assert len(book.notes) == n_bad
        assert "was left out" in book.notes[0]
        for _ in there:
            book.undo()
        assert len(book.store) == 0
        for _ in there:
            book.redo()
        let_go(book)


def test_undo_says_so_where_its_journal_is_gone(tmp_path):
    folder = tmp_path / "S"
    with opened(folder) as book:
        book.apply(add([square(0)]))
    for path in journals_in(folder):
        path.unlink()
    with opened(folder) as book:
        assert len(book.store) == 1
        with pytest.raises(BadAnnotationsError, match="can't be undone any more"):
            book.undo()
        assert len(book.store) == 1
        book.apply(add([square(20)]))
        book.undo()
    assert opened(folder).state == "saved"


def test_a_row_that_was_changed_breaks_the_chain(tmp_path):
    folder = tmp_path / "S"
    for i in range(3):
        with opened(folder) as book:
            book.apply(add([square(20 * i)]))
    assert [r.follows for r in opened(folder).audit()] == [True] * 3
    journals_in(folder)[1].unlink()
    assert [r.follows for r in opened(folder).audit()] == [True, False]


def test_files_of_a_newer_program_are_left_alone(tmp_path, monkeypatch):
    folder = tmp_path / "S"
    monkeypatch.setattr("napari_her2.annotations.ledger.FORMAT", 99)
    with opened(folder) as book:
        book.apply(add([square(0)]))
        let_go(book)
    monkeypatch.undo()
    for path in snapshots_in(folder):
        path.unlink()
    with pytest.raises(BadAnnotationsError, match="newer version"):
        opened(folder)


def test_a_journal_that_can_not_be_read_today_is_not_drawn_over(tmp_path, monkeypatch):
    folder = tmp_path / "S"
    book = opened(folder)
    book.apply(add([square(0)]))
    let_go(book)
    path_open = type(folder).open

    def fails(self, *args, **kwargs):
        if self.name.startswith("journal-"):
            raise OSError(errno.EIO, "I/O error")
        return path_open(self, *args, **kwargs)

    with monkeypatch.context() as m:
        m.setattr(type(folder), "open", fails)
        with pytest.raises(BadAnnotationsError, match="were not opened"):
            opened(folder)
    with monkeypatch.context() as m:
        m.setattr(os, "listdir", lambda _p: (_ for _ in ()).throw(PermissionError(13, "no")))
        with pytest.raises(BadAnnotationsError, match="were not opened"):
            opened(folder)
    again = opened(folder)
    assert (len(again.store), again.read_only) == (1, None)


def test_what_a_kill_left_of_a_snapshot_is_removed(tmp_path):
    folder = tmp_path / "S"
    with opened(folder) as book:
        book.apply(add([square(0)]))
    for name, age in ((".tmp-old", 999), (".tmp-new", 0)):
        (folder / name).write_bytes(b"half")
        os.utime(folder / name, (time.time() - age,) * 2)
    opened(folder).close()
    assert sorted(p.name for p in folder.glob(".tmp-*")) == [".tmp-new"]


def test_many_sessions_are_many_journals_and_all_are_watched(tmp_path):
    folder = tmp_path / "S"
    for i in range(20):
        with opened(folder) as book:
            book.apply(add([square(20 * i)]))
    book = opened(folder)
    journals_in(folder)[0].unlink()
    book.apply(add([square(0)]))
    assert "were changed on the disk" in book.read_only


# a disk that does not take it ---------------------------------------------------------------


def test_each_action_is_flushed_before_the_next_can_start(tmp_path, monkeypatch):
    book = opened(tmp_path / "S")
    book.apply(add([square(0)]))
    flushed = []
    fsync = os.fsync
    monkeypatch.setattr(os, "fsync", lambda fd: (flushed.append(fd), fsync(fd)))
    book.apply(add([square(20)]))
    assert len(flushed) == 1
    book.undo()
    assert len(flushed) == 2
    let_go(book)


@pytest.mark.skipif(sys.platform == "win32", reason="no such limit")
def test_a_full_disk_keeps_all_in_memory_until_it_can_be_saved(tmp_path):
    import resource

    folder = tmp_path / "S"
    book = opened(folder)
    book.apply(add([square(0)]))
    told = []
    book.on_state(told.append)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    size = journals_in(folder)[0].stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 40, hard))
    try:
        book.apply(add([square(20)]))
        book.apply(add([square(40)]))
        book.undo()
        book.redo()
        assert len(book.store) == 3
        assert book.state.startswith("failed: ")
        with pytest.raises(CannotWriteError):
            book.close()
        with pytest.raises(CannotWriteError):
            book.save_elsewhere(tmp_path / "elsewhere")
        assert book.state.startswith("failed: ")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    there = book.store.all()
    book.flush()
    assert book.state == "saved"
    assert [t.split(":")[0] for t in told] == ["failed", "saved"]
    let_go(book)
    again = opened(folder)
    assert again.store.all() == there
    assert all(r.follows for r in again.audit())
    assert not list(tmp_path.rglob(".tmp*"))


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO])
def test_a_failed_flush_is_never_taken_for_saved(tmp_path, monkeypatch, code):
    folder = tmp_path / "S"
    book = opened(folder)
    book.apply(add([square(0)]))
    (first,) = journals_in(folder)

    def fails(_fd):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as m:
        m.setattr(os, "fsync", fails)
        book.apply(add([square(20)]))
        assert book.state.startswith("failed: ")
        with pytest.raises(DiskFullError if code == errno.ENOSPC else CannotWriteError):
            book.flush()
    book.apply(add([square(40)]))
    assert book.state == "saved"
    # After a failed flush nobody knows what the disk holds: all was written anew, in a new file.
    assert len(journals_in(folder)) == 2
    let_go(book)
    first.write_bytes(first.read_bytes()[:-50])
    assert [a.geometry.bounds[0] for a in opened(folder).store] == [0, 20, 40]


def test_what_could_not_be_saved_is_saved_elsewhere_with_its_history(tmp_path, monkeypatch):
    folder, other = tmp_path / "S", tmp_path / "usb" / "S"
    with opened(folder) as book:
        book.apply(add([square(0)], "yesterday"))
    book = opened(folder)
    replaced = os.fsync
    monkeypatch.setattr(os, "fsync", lambda _fd: (_ for _ in ()).throw(OSError(errno.EIO, "I/O")))
    book.apply(add([square(20)], "today"))
    monkeypatch.setattr(os, "fsync", replaced)
    book.save_elsewhere(other)
    assert (book.state, book.folder) == ("saved", other)
    book.apply(add([square(40)], "later"))
    book.close()
    with opened(other) as again:
        assert again.store.history == ("yesterday", "today", "later")
        for _ in range(3):
            again.undo()
        assert len(again.store) == 0
    with pytest.raises(BadAnnotationsError, match="holds annotations already"):
        opened(folder).save_elsewhere(other)


def test_a_folder_that_can_not_be_made_keeps_all_in_memory(tmp_path):
    (tmp_path / "file").write_text("in the way")
    book = opened(tmp_path / "file" / "S")
    assert book.state.startswith("failed: ")
    book.apply(add([square(0)]))
    with pytest.raises(Her2Error):
        book.close()
    book.save_elsewhere(tmp_path / "S")
    book.close()
    assert len(opened(tmp_path / "S").store) == 1


def test_given_up_edits_are_gone_and_the_folder_is_free(tmp_path):
    (tmp_path / "file").write_text("in the way")
    book = opened(tmp_path / "file" / "S")
    book.apply(add([square(0)]))
    book.close(give_up=True)
    book.close()
    with pytest.raises(AnnotationsBusyError, match="were closed"):
        book.apply(add([square(20)]))


# somebody else --------------------------------------------------------------------------------


def meddle_append(folder):
    path = journals_in(folder)[-1]
    path.write_bytes(path.read_bytes() + b"more")


def meddle_remove(folder):
    journals_in(folder)[-1].unlink()


def meddle_restore(folder):
    path = journals_in(folder)[-1]
    path.write_bytes(path.read_bytes()[:-30])


def meddle_new_journal(folder):
    (folder / "journal-000009-abcdef01.bin").write_bytes(b"HER2ANN1")


def meddle_all_gone(folder):
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    "meddle", [meddle_append, meddle_remove, meddle_restore, meddle_new_journal, meddle_all_gone]
)
def test_files_changed_by_others_are_not_touched_and_ours_are_kept_beside(tmp_path, meddle):
    folder = tmp_path / "S"
    book = opened(folder)
    book.apply(add([square(0)]))
    meddle(folder)
    theirs = {p.name: p.read_bytes() for p in folder.glob("*.bin")}
    book.apply(add([square(20)]))
    assert "were changed on the disk by another program" in book.read_only
    assert str(tmp_path / "S.copy-1") in book.read_only
    assert {p.name: p.read_bytes() for p in folder.glob("*.bin")} == theirs
    with pytest.raises(AnnotationsBusyError):
        book.apply(add([square(40)]))
    assert len(book.store) == 2
    book.close()
    assert {p.name: p.read_bytes() for p in folder.glob("*.bin")} == theirs
    with opened(tmp_path / "S.copy-1") as ours:
        assert [a.geometry.bounds[0] for a in ours.store] == [0, 20]


def test_a_snapshot_does_not_go_over_changed_files_either(tmp_path):
    folder = tmp_path / "S"
    book = opened(folder)
    book.apply(add([square(0)]))
    meddle_append(folder)
    with pytest.raises(AnnotationsBusyError, match="nothing was overwritten"):
        book.snapshot()
    assert not snapshots_in(folder)


def test_the_claim_of_a_dead_program_is_taken_over(tmp_path):
    folder = tmp_path / "S"
    first = opened(folder)
    first.apply(add([square(0)]))
    claim = folder / ".claim"
    text = claim.read_text().replace(f'"pid": {os.getpid()}', '"pid": 4194305')
    claim.write_text(text)
    second = opened(folder)
    assert second.read_only is None
    second.apply(add([square(20)]))
    # The first was only thought to be dead: what it draws now is kept beside.
    first.apply(add([square(40)]))
    assert "kept in" in first.read_only
    assert second.read_only is None
    second.close()
    assert len(opened(folder).store) == 2


def test_edits_that_do_not_follow_are_left_out_and_said(tmp_path):
    folder, other = tmp_path / "S", tmp_path / "T"
    with opened(folder) as book:
        book.apply(add([square(0)]))
    shutil.copytree(folder, other)
    for place, x in ((folder, 20), (other, 40)):
        book = opened(place)
        book.apply(add([square(x)]))
        let_go(book)
    shutil.copy(journals_in(other)[-1], folder)
    book = opened(folder)
    assert len(book.store) == 2
    assert any("do not follow" in n for n in book.notes)


def test_a_renamed_slide_is_known_by_its_pixels(tmp_path):
    folder = tmp_path / "S"
    with open_book("S", (1000, 800), None, folder, quickhash="ab12") as book:
        book.apply(add([square(0)]))
    with open_book("S renamed", (1000, 800), None, folder, quickhash="ab12") as book:
        assert len(book.store) == 1
    with pytest.raises(BadAnnotationsError) as e:
        open_book("S", (1000, 800), None, folder, quickhash="ffff")
    assert e.value.message_id == "foreign_ann_pixels"
