"""Runs as found on disk: reading and checking them."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from napari_her2.errors import RunDamagedError
from napari_her2.results.atomic import list_files

__all__ = ["MARKER", "StoredRun", "find_complete", "find_runs", "folder_name", "load_run"]

MARKER: Final = "run.json"
"""The file whose last key, ``complete``, commits a run."""

# Device names of Windows; a folder of that name can't be made there.
_RESERVED: Final = frozenset(
    ("con", "prn", "aux", "nul", *(f"{port}{i}" for port in ("com", "lpt") for i in range(1, 10)))
)
_LONGEST: Final = 80


@dataclass(frozen=True, slots=True)
class StoredRun:
    """A run as found on disk.

    Attributes
    ----------
    folder : Path
        ``<out>/<slide>/<run-id>``.
    record : dict
        Content of ``run.json``.
    """

    folder: Path
    record: Mapping[str, Any]

    @property
    def complete(self) -> bool:
        """Whether everything was done and written."""
        return self.record.get("complete") is True

    @property
    def resumable(self) -> bool:
        """Whether the same request may go on where this run stopped."""
        return not self.complete and self.record.get("resumable") is True

    @property
    def request_hash(self) -> str:
        """Digest of what was asked, of which slide, with which models."""
        return str(self.record.get("request_hash", ""))

    def document(self) -> dict[str, Any]:
        """The JSON document of the command (``slide.json``).

        Raises
        ------
        RunDamagedError
            If it is missing or no JSON.
        """
        return _read_json(self.folder / "slide.json")

    def heatmaps(self) -> dict[str, Path]:
        """Folders of the heatmaps by name, ``ER`` to ``heatmaps/ER.ome.zarr``."""
        found = sorted((self.folder / "heatmaps").glob("*.ome.zarr"))
        return {p.name.removesuffix(".ome.zarr"): p for p in found if not p.is_symlink()}

    def verify(self) -> None:
        """Compare every file with the manifest.

        Raises
        ------
        RunDamagedError
            If the run is not complete, or a file is missing, longer, shorter or altered.
        """
        if not self.complete:
            raise _damaged(self.folder, "it was never finished")
        there = {r.path: r for r in list_files(self.folder)}
        for entry in self.record.get("files", []):
            path = entry["path"]
            found = there.get(path)
            if found is None:
                raise _damaged(self.folder, f"{path} is missing")
            if (found.size, found.sha256) != (entry["size"], entry["sha256"]):
                raise _damaged(self.folder, f"{path} was altered")


def find_runs(out: Path, slide_id: str | None = None) -> list[StoredRun]:
    """List the runs kept in a folder, oldest first; unreadable ones are left out.

    Parameters
    ----------
    out : Path
        Folder of results.
    slide_id : str, optional
        Only the runs of this slide.
    """
    folders = [out / folder_name(slide_id)] if slide_id is not None else _folders(out)
    runs = []
    for folder in folders:
        for run in _folders(folder):
            try:
                runs.append(StoredRun(run, _read_json(run / MARKER)))
            except RunDamagedError:
                continue
    return sorted(runs, key=lambda r: (str(r.record.get("started")), r.folder.name))


def find_complete(
    out: Path, slide_id: str, request_hash: str
) -> tuple[StoredRun | None, list[str]]:
    """Find a complete, undamaged run of a request.

    Returns
    -------
    StoredRun or None
        The newest one whose files all match its manifest.
    list of str
        Sentences about those that are damaged.
    """
    damaged = []
    for run in reversed(find_runs(out, slide_id)):
        if run.request_hash == request_hash and run.complete:
            try:
                run.verify()
            except RunDamagedError as e:
                damaged.append(e.sentence)
            else:
                return run, damaged
    return None, damaged


def load_run(folder: Path) -> StoredRun:
    """Open a complete run and check every file against its manifest.

    Raises
    ------
    RunDamagedError
        If it is not complete or does not match.
    """
    run = StoredRun(folder, _read_json(folder / MARKER))
    run.verify()
    return run


def folder_name(text: str) -> str:
    """A name that is safe as a folder on every system; letters of all scripts are kept.

    A name that had to be changed gets a piece of its digest, so that two never become one.
    """
    safe = re.sub(r"[^\w.+=@ -]", "_", text).strip(" .")
    if 0 < len(safe) <= _LONGEST and safe == text and safe.split(".")[0].lower() not in _RESERVED:
        return safe
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    return f"{safe[: _LONGEST - 9].strip(' .') or 'slide'}-{digest}"


def _folders(folder: Path) -> list[Path]:
    if not folder.is_dir() or folder.is_symlink():
        return []
    return sorted(p for p in folder.iterdir() if p.is_dir() and not p.is_symlink())


def _read_json(path: Path) -> dict[str, Any]:
    if path.is_symlink():
        raise _damaged(path.parent, f"{path.name} is a link")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as e:
        raise _damaged(path.parent, f"{path.name}: {e}") from None
    if not isinstance(content, dict):
        raise _damaged(path.parent, f"{path.name} is no record")
    return content


def _damaged(folder: Path, reason: str) -> RunDamagedError:
    return RunDamagedError("damaged_run", name=folder.name, reason=reason)
