from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from napari_her2.errors import RunBusyError, RunDamagedError
from napari_her2.results import claim as claims
from napari_her2.results.claim import Claim
from napari_her2.results.store import RunStore, find_runs, folder_name, load_run

HEADER = {"schema": 1, "models": {"er": 3, "pr": 2}}
HASH = "0123456789abcdef" * 4


def begin(out, slide_id="s 1", request_hash=HASH, **kwargs):
    return RunStore.begin(
        out, slide_id, request_hash, facts={"request": {}}, journal=HEADER, **kwargs
    )


@pytest.fixture
def finish(make_batch, make_heatmap):
    def _finish(store):
        store.append(make_batch(0))
        store.write_heatmap(make_heatmap(), "ER")
        return store.commit({"slide": "x", "status": "completed"}, {"tiles_total": 3})

    return _finish


def test_a_run_is_committed_by_its_last_key(tmp_path, finish):
    with begin(tmp_path) as store:
        record = json.loads((store.folder / "run.json").read_text())
        assert record["complete"] is False
        run = finish(store)
    text = (run.folder / "run.json").read_text()
    assert text.rstrip().endswith('"complete": true\n}')
    assert run.folder.parent == tmp_path / "s 1"
    loaded = load_run(run.folder)
    assert loaded.document()["slide"] == "x"
    assert list(loaded.heatmaps()) == ["ER"]
    listed = {f["path"] for f in loaded.record["files"]}
    assert "slide.json" in listed
    assert any(p.startswith("heatmaps/ER.ome.zarr/0/c/") for p in listed)
    assert not (run.folder / "journal.bin").exists()
    assert [p.name for p in (tmp_path / "s 1").iterdir()] == [run.folder.name]


def test_the_same_request_is_answered_from_the_stored_run_and_never_changes_it(
    tmp_path, finish, make_batch, make_heatmap
):
    with begin(tmp_path) as store:
        run = finish(store)
    before = {p: p.stat().st_mtime_ns for p in run.folder.rglob("*")}
    with begin(tmp_path) as again:
        assert again.cached is not None
        assert again.cached.folder == run.folder
        with pytest.raises(RuntimeError):
            again.append(make_batch(1))
        with pytest.raises(RuntimeError):
            again.write_heatmap(make_heatmap(), "ER")
    assert before == {p: p.stat().st_mtime_ns for p in run.folder.rglob("*")}
    with begin(tmp_path, resume=False) as fresh:
        assert fresh.cached is None
        assert fresh.folder != run.folder
    with begin(tmp_path, request_hash="f" * 64) as other:
        assert other.cached is None


def test_a_stopped_run_goes_on_with_what_it_had(tmp_path, make_batch):
    with begin(tmp_path) as store:
        store.append(make_batch(0))
        store.append(make_batch(1))
        store.suspend("cancelled", {"status": "cancelled"}, {})
        folder = store.folder
    with begin(tmp_path) as again:
        assert again.folder == folder
        assert [b.index for b in again.batches] == [0, 1]
    with begin(tmp_path) as again:
        again.suspend("failed", {}, {}, resumable=False)
    with begin(tmp_path) as fresh:
        assert fresh.folder != folder
        assert fresh.batches == []


@pytest.mark.parametrize("how", ["alter", "remove", "truncate"])
def test_a_damaged_run_is_made_again_and_said_so(tmp_path, how, finish):
    with begin(tmp_path) as store:
        run = finish(store)
    chunk = run.folder / "heatmaps" / "ER.ome.zarr" / "0" / "c" / "0" / "0" / "0"
    if how == "alter":
        raw = bytearray(chunk.read_bytes())
        raw[5] ^= 1
        chunk.write_bytes(bytes(raw))
    elif how == "remove":
        chunk.unlink()
    else:
        chunk.write_bytes(chunk.read_bytes()[:-1])
    with pytest.raises(RunDamagedError):
        load_run(run.folder)
    with begin(tmp_path) as again:
        assert again.cached is None
        assert again.folder != run.folder
        assert "made again" in again.warnings[0]


def test_two_writers_of_one_request_never_meet(tmp_path, make_batch):
    with begin(tmp_path) as store:
        store.append(make_batch(0))
        with pytest.raises(RunBusyError, match=str(os.getpid())):
            begin(tmp_path)
        begin(tmp_path, request_hash="e" * 64).close()
    begin(tmp_path).close()


def test_a_killed_writers_claim_is_taken_over(tmp_path):
    path = tmp_path / "claim"
    code = (
        "import sys,os,pathlib\n"
        "from napari_her2.results.claim import Claim\n"
        "Claim(pathlib.Path(sys.argv[1]))\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(path)], check=False)
    assert path.exists()
    with Claim(path), pytest.raises(RunBusyError):
        Claim(path)
    assert not path.exists()


def test_a_claim_from_elsewhere_counts_until_its_heartbeat_stops(tmp_path):
    path = tmp_path / "claim"
    path.write_text(json.dumps({"host": "another", "pid": 1, "boot": "x", "started": 0}))
    with pytest.raises(RunBusyError, match="another"):
        Claim(path)
    old = path.stat().st_mtime - claims.STALE_SECONDS - 1
    os.utime(path, (old, old))
    with Claim(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_an_unreadable_claim_does_not_block_for_ever(tmp_path):
    path = tmp_path / "claim"
    path.write_text("{half")
    with pytest.raises(RunBusyError):
        Claim(path)
    old = path.stat().st_mtime - claims.STALE_SECONDS - 1
    os.utime(path, (old, old))
    with Claim(path):
        assert json.loads(path.read_text())["pid"] == os.getpid()
    assert not path.exists()


def test_links_are_not_followed(tmp_path):
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    out = tmp_path / "out"
    out.mkdir()
    (out / "s1").symlink_to(elsewhere)
    from napari_her2.errors import CannotWriteError

    with pytest.raises(CannotWriteError):
        begin(out, "s1")
    assert list(elsewhere.iterdir()) == []
    assert find_runs(out) == []


@pytest.mark.parametrize(
    ("slide_id", "kept"),
    [
        ("CMU-1", True),
        ("Ärzte 乳腺 1.2", True),
        ("../../etc", False),
        ("a/b", False),
        ("..", False),
        ("", False),
        ("con", False),
        ("x" * 300, False),
        ("a\x00b", False),
        ("end.", False),
    ],
)
def test_folder_names_are_safe_and_distinct(slide_id, kept):
    name = folder_name(slide_id)
    assert (name == slide_id) is kept
    assert name not in {"", ".", ".."}
    assert not set('/\\:*?"<>|\x00') & set(name)
    assert len(name) < 100
    assert folder_name(name) == name


def test_two_unsafe_names_do_not_meet():
    assert folder_name("a/b") != folder_name("a:b")
