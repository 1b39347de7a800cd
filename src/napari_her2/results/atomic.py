"""The one way files are written: beside, flushed to disk, then put in place.

After a kill, a power cut or a full disk there is either the old state or the new one, never half of
a file, and nothing is left lying about.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import secrets
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from napari_her2.errors import CannotWriteError, DiskFullError, Her2Error

__all__ = [
    "FileRecord",
    "discard",
    "fsync_folder",
    "fsync_tree",
    "list_files",
    "replace_file",
    "replace_tree",
    "temporary_beside",
    "write_bytes",
    "write_json",
    "write_stream",
    "writing",
]

_FULL = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}
# Ten tries, doubling from one millisecond: just over a second in all. On Windows and SMB a virus
# scanner or another reader may hold the target open for a moment.
_TRIES = 10
_BLOCK = 1 << 20


@contextlib.contextmanager
def writing(path: Path, needed: int | None = None) -> Iterator[None]:
    """Turn the system's refusals into sentences.

    Parameters
    ----------
    path : Path
        What is being written; named in the sentence.
    needed : int, optional
        Bytes that would have been needed.

    Raises
    ------
    DiskFullError
        If the disk or the quota is full.
    CannotWriteError
        For any other refusal: no permission, I/O error, read-only disk.
    """
    try:
        yield
    except Her2Error:
        raise
    except OSError as e:
        if e.errno in _FULL:
            raise DiskFullError("disk_write", path=path, needed=_size_text(needed)) from e
        reason = e.strerror or type(e).__name__
        raise CannotWriteError("cannot_write", path=path, reason=reason) from e


def write_bytes(path: Path, data: bytes) -> None:
    """Write a file so that it is there in full or not at all.

    Parameters
    ----------
    path : Path
        The file. Its folder is made if need be.
    data : bytes
        Its content.

    Raises
    ------
    DiskFullError, CannotWriteError
        The old file, if any, is untouched and nothing is left beside it.
    """
    write_stream(path, lambda f: f.write(data), len(data))


def write_stream(path: Path, fill: Callable[[BinaryIO], object], needed: int | None = None) -> None:
    """Write a file piece by piece so that it is there in full or not at all.

    Parameters
    ----------
    path : Path
        The file. Its folder is made if need be.
    fill : callable
        Gets the open file and writes its content.
    needed : int, optional
        Bytes that it takes, for the sentence about a full disk.

    Raises
    ------
    DiskFullError, CannotWriteError
        The old file, if any, is untouched and nothing is left beside it.
    """
    with writing(path, needed):
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = temporary_beside(path)
        try:
            with tmp.open("xb") as f:
                fill(f)
                f.flush()
                # A failed fsync is never retried: the kernel may have dropped the pages already.
                os.fsync(f.fileno())
            replace_file(tmp, path)
        except BaseException:
            discard(tmp)
            raise
        fsync_folder(path.parent)


def write_json(path: Path, obj: Mapping[str, Any] | list[Any]) -> None:
    """Write a JSON document (UTF-8, sorted as given, no NaN) through :func:`write_bytes`."""
    text = json.dumps(obj, ensure_ascii=False, indent=1, allow_nan=False)
    write_bytes(path, text.encode("utf-8") + b"\n")


def temporary_beside(path: Path) -> Path:
    """A new name in the same folder, so that putting it in place is one rename.

    It does not repeat the target's name: temporary names may show up in logs and listings.
    """
    return path.with_name(f".tmp-{secrets.token_hex(8)}")


def replace_file(tmp: Path, final: Path) -> None:
    """Rename onto the target; waits briefly while another program holds it (Windows, SMB)."""
    for attempt in range(_TRIES):
        try:
            tmp.replace(final)
        except PermissionError:
            if attempt == _TRIES - 1 or not _may_be_held(final):
                raise
            time.sleep(0.001 * 2**attempt)
        else:
            return


def replace_tree(tmp: Path, final: Path) -> None:
    """Put a folder in place of another (or of none).

    Every file of ``tmp`` is flushed first. No system call exchanges two folders everywhere, so the
    old one is renamed aside and removed last: a crash between the two renames leaves both whole.

    Parameters
    ----------
    tmp, final : Path
        Folders on the same disk, best made by :func:`temporary_beside`.

    Raises
    ------
    DiskFullError, CannotWriteError
        The old folder is in place again.
    """
    with writing(final):
        fsync_tree(tmp)
        old: Path | None = None
        if final.exists():
            old = temporary_beside(final)
            replace_file(final, old)
        try:
            replace_file(tmp, final)
        except BaseException:
            if old is not None:
                replace_file(old, final)
            raise
        fsync_folder(final.parent)
        if old is not None:
            discard(old)


def fsync_tree(folder: Path) -> None:
    """Flush every file and folder below (and with) a folder to disk."""
    for root, _folders, names in os.walk(folder, topdown=False):
        for name in names:
            # Windows flushes only handles opened for writing.
            fd = os.open(Path(root, name), os.O_RDWR)
            try:
                os.fsync(fd)
            finally:
                os.close(fd)
        fsync_folder(Path(root))


def fsync_folder(folder: Path) -> None:
    """Flush a folder's entries. Windows has no such call and needs none."""
    if sys.platform == "win32":
        return
    fd = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as e:
        # Some network file systems refuse to flush folders; the files themselves are flushed.
        if e.errno not in {errno.EINVAL, errno.ENOTSUP}:
            raise
    finally:
        os.close(fd)


def discard(path: Path) -> None:
    """Remove a temporary file or folder if it is there; a failure to do so is no error."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)


@dataclass(frozen=True, slots=True)
class FileRecord:
    """One file of a manifest: its place in the folder, its size and its SHA-256."""

    path: str
    size: int
    sha256: str


def list_files(folder: Path, *, skip: frozenset[str] = frozenset()) -> tuple[FileRecord, ...]:
    """Size and SHA-256 of every file below a folder, Zarr chunks included.

    Parameters
    ----------
    folder : Path
        Where to look. Links are reported as absent: a run never reaches outside itself.
    skip : frozenset of str
        Names directly in ``folder`` to leave out.

    Returns
    -------
    tuple of FileRecord
        Sorted by path, with forward slashes.
    """
    found = []
    for root, folders, names in os.walk(folder, followlinks=False):
        folders[:] = [d for d in folders if not Path(root, d).is_symlink()]
        for name in names:
            path = Path(root, name)
            relative = path.relative_to(folder).as_posix()
            if relative in skip or path.is_symlink():
                continue
            found.append(FileRecord(relative, path.stat().st_size, _sha256(path)))
    return tuple(sorted(found, key=lambda r: r.path))


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as f:
        while block := f.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _may_be_held(path: Path) -> bool:
    return sys.platform == "win32" and path.exists()


def _size_text(n_bytes: int | None) -> str:
    if n_bytes is None:
        return "some space"
    for unit, size in (("GB", 1e9), ("MB", 1e6)):
        if n_bytes >= size:
            return f"{n_bytes / size:.1f} {unit}"
    return f"{max(1, round(n_bytes / 1000))} kB"
