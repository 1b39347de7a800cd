"""Taking in models from outside: folders, zip archives, pinned revisions of a hub.

Only files with known names are ever copied, each a regular file, into a fresh folder; nothing is
run, unpickled or linked. The registry checks the result before it is installed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable
from pathlib import Path, PurePosixPath
from typing import Final

from napari_her2.errors import BadModelError, CannotWriteError, UsageError
from napari_her2.models.wsinfer import CONFIG, SCRIPT
from napari_her2.settings import LOGGER

__all__ = ["Fetch", "HubSpec", "collect", "collect_from_hub", "fetch_url", "parse_hub"]

CARD: Final = "card.json"
WEIGHTS: Final = "weights.safetensors"
AGGREGATOR: Final = "aggregator.json"
KNOWN: Final = frozenset({CARD, WEIGHTS, AGGREGATOR, CONFIG, SCRIPT, "README.md", "LICENSE"})
MAX_TOTAL_BYTES: Final = 4 * 2**30
MAX_SMALL_BYTES: Final = 4 * 2**20
MAX_RATIO: Final = 100
MAX_MEMBERS: Final = 1000
_CHUNK: Final = 2**20
_LARGE: Final = frozenset({WEIGHTS, SCRIPT})

Fetch = Callable[[str, int], bytes]
"""Gets a URL, at most so many bytes; raises OSError. Replaced in tests."""


def collect(source: Path, target: Path) -> None:
    """Copy a model's known files from a folder or zip into a fresh folder.

    Parameters
    ----------
    source : Path
        Folder, or ``.zip`` with the files at its root or in one folder.
    target : Path
        Existing empty folder.

    Raises
    ------
    BadModelError
        If the source holds no model or is unsafe.
    CannotWriteError
        If the target can't be written.
    """
    try:
        if source.is_dir():
            _copy_folder(source, target)
        elif source.is_file() and zipfile.is_zipfile(source):
            _unpack(source, target)
        else:
            missing = "it is neither a folder nor a zip" if source.exists() else "it is not there"
            raise BadModelError("not_model", name=source.name, reason=missing)
    except (zipfile.BadZipFile, EOFError, NotImplementedError, UnicodeError) as e:
        raise BadModelError("bad_archive", name=source.name, reason=str(e)) from None
    except BadModelError:
        raise
    except OSError as e:
        reason = e.strerror or str(e)
        raise CannotWriteError("cannot_write", path=str(target.parent), reason=reason) from None


def _copy_folder(source: Path, target: Path) -> None:
    total = 0
    for name in sorted(KNOWN):
        path = source / name
        try:
            info = path.lstat()
        except FileNotFoundError:
            continue
        if not stat.S_ISREG(info.st_mode):
            # A link could point at any file of the user; a model needs none.
            reason = f"{name} is not a plain file"
            raise BadModelError("not_model", name=source.name, reason=reason)
        total += info.st_size
        _check_size(source.name, name, info.st_size, total)
        shutil.copyfile(path, target / name, follow_symlinks=False)


def _unpack(source: Path, target: Path) -> None:
    with zipfile.ZipFile(source) as archive:
        members = archive.infolist()
        if len(members) > MAX_MEMBERS:
            raise BadModelError("bad_archive", name=source.name, reason="too many members")
        chosen: dict[str, zipfile.ZipInfo] = {}
        folders: set[str] = set()
        for member in members:
            name = _member_name(source.name, member)
            if name is None:
                continue
            folders.add(str(PurePosixPath(member.filename).parent))
            if name in chosen:
                raise BadModelError("bad_archive", name=source.name, reason=f"{name} is in twice")
            chosen[name] = member
        if len(folders) > 1:
            raise BadModelError("bad_archive", name=source.name, reason="it holds several folders")
        total = 0
        for name, member in chosen.items():
            total += _extract(archive, member, target / name, source.name, MAX_TOTAL_BYTES - total)


def _member_name(archive: str, member: zipfile.ZipInfo) -> str | None:
    """Name of a member that is wanted, None for one that is left; raises on an unsafe one."""
    path = PurePosixPath(member.filename.replace("\\", "/"))
    unsafe = path.is_absolute() or ".." in path.parts or ":" in member.filename
    mode = member.external_attr >> 16
    unsafe = unsafe or bool(
        mode and not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)) and stat.S_IFMT(mode)
    )
    if unsafe:
        raise BadModelError("bad_archive", name=archive, reason="a member points outside")
    if member.flag_bits & 0x1:
        raise BadModelError("bad_archive", name=archive, reason="it is encrypted")
    if member.is_dir() or path.name not in KNOWN or len(path.parts) > 2:
        return None
    if member.file_size > MAX_RATIO * max(member.compress_size, _CHUNK // MAX_RATIO):
        raise BadModelError("bad_archive", name=archive, reason="it unpacks to too much")
    return path.name


def _extract(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, name: str, left: int
) -> int:
    # The size in the directory is a claim; what is written is counted.
    written = 0
    with archive.open(member) as source, target.open("xb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            _check_size(name, target.name, written, written)
            if written > min(left, member.file_size):
                raise BadModelError("bad_archive", name=name, reason="it unpacks to too much")
            out.write(chunk)
    return written


def _check_size(source: str, name: str, size: int, total: int) -> None:
    limit = MAX_TOTAL_BYTES if name in _LARGE else MAX_SMALL_BYTES
    if size > limit or total > MAX_TOTAL_BYTES:
        raise BadModelError("not_model", name=source, reason=f"{name} is too large")


class HubSpec:
    """``hf:owner/name@<40 digits>`` taken apart."""

    def __init__(self, repository: str, revision: str) -> None:
        self.repository = repository
        self.revision = revision

    def url(self, name: str) -> str:
        """Address of a file at that revision."""
        return f"https://huggingface.co/{self.repository}/resolve/{self.revision}/{name}"

    def __str__(self) -> str:
        return f"hf:{self.repository}@{self.revision}"


_HUB: Final = re.compile(r"hf:([A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9][\w.-]{0,95})(?:@(.*))?")
_REVISION: Final = re.compile(r"[0-9a-f]{40}")


def parse_hub(text: str) -> HubSpec:
    """Take a hub reference apart.

    Raises
    ------
    UsageError
        If it is no such reference or names no full revision. A branch or tag can move, and with it
        the program code of a TorchScript model.
    """
    match = _HUB.fullmatch(text)
    if match is None or not _REVISION.fullmatch(match[2] or ""):
        raise UsageError("hub_revision", name=text[:200])
    return HubSpec(match[1], match[2])


def collect_from_hub(spec: HubSpec, target: Path, *, fetch: Fetch | None = None) -> None:
    """Fetch a model's known files at a pinned revision into a fresh folder.

    Parameters
    ----------
    spec : HubSpec
        From :func:`parse_hub`.
    target : Path
        Existing empty folder.
    fetch : callable, optional
        Stands in for the network.

    Raises
    ------
    BadModelError
        If a file can't be fetched.
    """
    get = fetch or fetch_url
    LOGGER.info("fetching a model at a pinned revision")
    try:
        try:
            _save(target, CARD, get(spec.url(CARD), MAX_SMALL_BYTES))
            names = [WEIGHTS]
            if json.loads((target / CARD).read_bytes()).get("aggregator"):
                names.append(AGGREGATOR)
        except FileNotFoundError:
            _save(target, CONFIG, get(spec.url(CONFIG), MAX_SMALL_BYTES))
            names = [SCRIPT]
        for name in names:
            limit = MAX_TOTAL_BYTES if name in _LARGE else MAX_SMALL_BYTES
            _save(target, name, get(spec.url(name), limit))
    except (OSError, ValueError, AttributeError) as e:
        raise BadModelError("hub_failed", name=str(spec), reason=str(e)[:200]) from None


def _save(folder: Path, name: str, data: bytes) -> None:
    with (folder / name).open("xb") as f:
        f.write(data)


def fetch_url(url: str, limit: int) -> bytes:
    """Get a URL, at most so many bytes, unless the environment forbids the network.

    Raises
    ------
    OSError
        If it can't be had, or is larger.
    """
    if os.environ.get("HF_HUB_OFFLINE", "0") not in {"", "0"}:
        msg = "HF_HUB_OFFLINE is set"
        raise OSError(msg)
    request = urllib.request.Request(url, headers={"User-Agent": "napari-her2"})  # noqa: S310
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
            data: bytes = answer.read(limit + 1)
    except urllib.error.HTTPError as e:
        if e.code == 404:
            raise FileNotFoundError(url) from None
        raise
    if len(data) > limit:
        msg = "the file is too large"
        raise OSError(msg)
    return data
