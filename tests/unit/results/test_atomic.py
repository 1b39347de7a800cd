from __future__ import annotations

import errno
import json
import os
import sys

import pytest

from napari_her2.errors import CannotWriteError, DiskFullError
from napari_her2.results import atomic


def listing(folder):
    return sorted(p.name for p in folder.iterdir())


def test_replaces_a_file_whole(tmp_path):
    path = tmp_path / "new" / "a.json"
    atomic.write_json(path, {"µm": 1})
    atomic.write_json(path, {"µm": 2})
    assert json.loads(path.read_text(encoding="utf-8")) == {"µm": 2}
    assert listing(path.parent) == ["a.json"]


@pytest.mark.parametrize("call", ["fsync", "replace"])
@pytest.mark.parametrize(
    ("number", "error"),
    [(errno.ENOSPC, DiskFullError), (errno.EIO, CannotWriteError)],
)
def test_full_disk_keeps_the_old_file_and_leaves_no_litter(
    tmp_path, monkeypatch, call, number, error
):
    path = tmp_path / "a.bin"
    atomic.write_bytes(path, b"old")

    def refuse(*args, **kwargs):
        raise OSError(number, os.strerror(number))

    if call == "fsync":
        monkeypatch.setattr(atomic.os, "fsync", refuse)
    else:
        monkeypatch.setattr(atomic.Path, "replace", refuse)
    with pytest.raises(error) as caught:
        atomic.write_bytes(path, b"new")
    monkeypatch.undo()
    assert str(path) in caught.value.sentence
    assert path.read_bytes() == b"old"
    assert listing(tmp_path) == ["a.bin"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_really_full_device_is_a_sentence():
    from pathlib import Path

    with (
        pytest.raises(DiskFullError, match=r"free 5\.0 MB"),
        atomic.writing(Path("/dev/full"), 5_000_000),
        open("/dev/full", "wb", buffering=0) as f,
    ):
        f.write(b"x")


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_without_permission_is_a_sentence(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(CannotWriteError, match="choose another folder"):
            atomic.write_bytes(tmp_path / "a", b"x")
    finally:
        tmp_path.chmod(0o700)


def test_tree_is_exchanged_and_put_back_when_the_rename_fails(tmp_path, monkeypatch):
    final = tmp_path / "map"
    for text in ("one", "two"):
        tmp = atomic.temporary_beside(final)
        tmp.mkdir()
        (tmp / "f").write_text(text)
        atomic.replace_tree(tmp, final)
    assert (final / "f").read_text() == "two"
    assert listing(tmp_path) == ["map"]

    tmp = atomic.temporary_beside(final)
    tmp.mkdir()
    (tmp / "f").write_text("three")
    real = atomic.replace_file

    def refuse(source, target):
        if source == tmp:
            raise OSError(errno.EIO, "gone")
        real(source, target)

    monkeypatch.setattr(atomic, "replace_file", refuse)
    with pytest.raises(CannotWriteError):
        atomic.replace_tree(tmp, final)
    assert (final / "f").read_text() == "two"


def test_manifest_lists_chunks_but_no_links(tmp_path):
    (tmp_path / "a" / "c").mkdir(parents=True)
    (tmp_path / "a" / "c" / "0").write_bytes(b"xyz")
    (tmp_path / "run.json").write_text("{}")
    outside = tmp_path.parent / "outside.txt"
    outside.write_text("secret")
    (tmp_path / "link").symlink_to(outside)
    (tmp_path / "linked").symlink_to(tmp_path.parent)
    (record,) = atomic.list_files(tmp_path, skip=frozenset({"run.json"}))
    assert (record.path, record.size) == ("a/c/0", 3)
    assert record.sha256.startswith("3608bca1e44ea6c4")
