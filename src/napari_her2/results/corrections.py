"""Classes of cells that a reader corrected: kept beside the run, as labels for training.

``corrections.jsonl`` in the folder of a run. Its first line says which run it belongs to, every
further line is one action: ``set`` a class, ``undo`` the last one, ``redo`` it. Lines are only ever
added, each flushed to the disk before the next action, so that a crash loses none; half a line at
the end is what a crash may leave, and is cut off. Cells are known by their place (level-0 pixels),
not by their number: the order of cells in a table may change, where they lie does not.
"""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from napari_her2.errors import CannotWriteError, RunDamagedError
from napari_her2.results.atomic import fsync_folder, writing

__all__ = ["FILE_NAME", "Correction", "CorrectionsFile", "cells_digest"]

FILE_NAME: Final = "corrections.jsonl"
_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True)
class Correction:
    """One cell whose class a reader changed.

    Attributes
    ----------
    x_px, y_px : float
        The cell's centre, level-0 pixels.
    was, now : str
        Name of its class before and after.
    author : str
        Who did it; may be empty.
    time : str
        When, ISO 8601 with the offset from UTC.
    """

    x_px: float
    y_px: float
    was: str
    now: str
    author: str
    time: str


class CorrectionsFile:
    """The corrections of one run: done, undone, and kept.

    Parameters
    ----------
    folder : Path
        Folder of the run.
    identity : mapping
        What the run is (:func:`cells_digest` and the like); must equal what the file says.
    author : str
        Written beside each correction made from now on.
    now : callable, optional
        The clock, for tests.

    Attributes
    ----------
    path : Path
        The file; made with the first correction.

    Raises
    ------
    RunDamagedError
        If the file is there and belongs to another run, or its first line can't be read. It is
        left as it is.
    """

    def __init__(
        self,
        folder: Path,
        identity: Mapping[str, Any],
        author: str = "",
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self.path = folder / FILE_NAME
        self.author = author
        self._identity = dict(identity)
        self._now = now or (lambda: dt.datetime.now().astimezone())
        self._done: list[Correction] = []
        self._undone: list[Correction] = []
        self._size = 0
        if self.path.exists():
            self._read()

    def __len__(self) -> int:
        return len(self.labels())

    @property
    def can_undo(self) -> bool:
        """Whether there is something to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether something was undone last."""
        return bool(self._undone)

    @property
    def history(self) -> Sequence[Correction]:
        """What was done and not undone, oldest first."""
        return tuple(self._done)

    def labels(self) -> tuple[Correction, ...]:
        """The corrections that count: the last one of each cell that changed its class in the end.

        ``was`` is the class the cell had before anybody corrected it.
        """
        first: dict[tuple[float, float], Correction] = {}
        last: dict[tuple[float, float], Correction] = {}
        for c in self._done:
            first.setdefault((c.x_px, c.y_px), c)
            last[c.x_px, c.y_px] = c
        return tuple(
            Correction(c.x_px, c.y_px, first[k].was, c.now, c.author, c.time)
            for k, c in last.items()
            if c.now != first[k].was
        )

    def set(self, x_px: float, y_px: float, was: str, now: str) -> Correction:
        """Note that a cell is of another class; on return it is on the disk.

        Raises
        ------
        DiskFullError, CannotWriteError
            Nothing was noted then.
        """
        time = self._now().isoformat(timespec="seconds")
        correction = Correction(float(x_px), float(y_px), was, now, self.author, time)
        self._write({"action": "set", **_row(correction)})
        self._done.append(correction)
        self._undone.clear()
        return correction

    def undo(self) -> Correction | None:
        """Take the last correction back and tell which it was; None if there is none.

        Raises
        ------
        DiskFullError, CannotWriteError
            Nothing was taken back then.
        """
        return self._move("undo", self._done, self._undone)

    def redo(self) -> Correction | None:
        """Make the correction undone last again and tell which it is; None if there is none.

        Raises
        ------
        DiskFullError, CannotWriteError
            Nothing was done then.
        """
        return self._move("redo", self._undone, self._done)

    def _move(
        self, action: str, source: list[Correction], target: list[Correction]
    ) -> Correction | None:
        if not source:
            return None
        stamp = {"author": self.author, "time": self._now().isoformat(timespec="seconds")}
        self._write({"action": action, **stamp})
        target.append(source.pop())
        return target[-1]

    # file ---------------------------------------------------------------------------------

    def _write(self, line: Mapping[str, Any]) -> None:
        new = not self.path.exists()
        lines = [{"schema": _SCHEMA, **self._identity}, line] if new else [line]
        data = b"".join(
            json.dumps(x, ensure_ascii=False, allow_nan=False).encode() + b"\n" for x in lines
        )
        with writing(self.path, len(data)):
            with self.path.open("xb" if new else "r+b") as f:
                there = f.seek(0, os.SEEK_END)
                if not new and there < self._size:
                    raise self._elsewhere()
                if there > self._size and self._whole_lines_after(self._size):
                    raise self._elsewhere()
                f.truncate(self._size)
                f.seek(self._size)
                try:
                    f.write(data)
                    f.flush()
                    os.fsync(f.fileno())
                except OSError:
                    # Half a line now would be read as the start of the next one.
                    f.truncate(self._size)
                    raise
            if new:
                fsync_folder(self.path.parent)
        self._size += len(data)

    def _whole_lines_after(self, size: int) -> bool:
        return b"\n" in self.path.read_bytes()[size:]

    def _elsewhere(self) -> CannotWriteError:
        return CannotWriteError("corrections_elsewhere", name=self.path.parent.name)

    def _read(self) -> None:
        with writing(self.path):
            content = self.path.read_bytes()
        # What follows the last line end was being written when the program ended.
        whole = content[: content.rfind(b"\n") + 1]
        lines = whole.splitlines()
        if not lines:
            return
        header = _parse(lines[0])
        if header is None or header != {"schema": _SCHEMA, **self._identity}:
            raise RunDamagedError("foreign_corrections", name=self.path.parent.name)
        for number, line in enumerate(lines[1:], start=2):
            row = _parse(line)
            if row is None or not self._replay(row):
                raise RunDamagedError(
                    "damaged_corrections", name=self.path.parent.name, line=number
                )
        self._size = len(whole)

    def _replay(self, row: Mapping[str, Any]) -> bool:
        action = row.get("action")
        if action == "set":
            try:
                correction = Correction(
                    float(row["x_px"]), float(row["y_px"]), str(row["from"]), str(row["to"]),
                    str(row.get("author", "")), str(row.get("time", "")),
                )  # fmt: skip
            except (KeyError, TypeError, ValueError):
                return False
            self._done.append(correction)
            self._undone.clear()
        elif action == "undo" and self._done:
            self._undone.append(self._done.pop())
        elif action == "redo" and self._undone:
            self._done.append(self._undone.pop())
        else:
            return False
        return True


def cells_digest(x_px: ArrayLike, y_px: ArrayLike) -> str:
    """A number for a set of cells that does not depend on their order.

    Parameters
    ----------
    x_px, y_px : array_like
        Shape (n,), level-0 pixels; taken in single precision, as some tables keep them.

    Returns
    -------
    str
        How many cells there are, and 64 bits of where they lie.
    """
    x = np.ascontiguousarray(x_px, np.float32).view(np.uint32).astype(np.uint64)
    y = np.ascontiguousarray(y_px, np.float32).view(np.uint32).astype(np.uint64)
    mixed = (x << np.uint64(32)) ^ y
    # Each place is stirred before all are added up (splitmix64), or swapped numbers would go
    # unnoticed.
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    total = int(np.bitwise_xor.reduce(mixed ^ (mixed >> np.uint64(31)))) if len(mixed) else 0
    return f"{len(x)}-{total:016x}"


def _row(c: Correction) -> dict[str, Any]:
    return {
        "x_px": c.x_px, "y_px": c.y_px, "from": c.was, "to": c.now,
        "author": c.author, "time": c.time,
    }  # fmt: skip


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None
