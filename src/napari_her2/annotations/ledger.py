"""Writes: claims a folder, appends to a journal, and overwrites nothing it has not seen."""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from napari_her2.annotations.journal import (
    FORMAT,
    START,
    AnnotationJournal,
    Entry,
    journal_name,
    journals_in,
)
from napari_her2.annotations.snapshots import snapshots_in, write_snapshot
from napari_her2.annotations.store import AnnotationStore
from napari_her2.errors import Her2Error
from napari_her2.results.append_log import AppendLog
from napari_her2.results.atomic import discard, writing
from napari_her2.results.claim import Claim

__all__ = ["CLAIM_NAME", "ChangedOnDiskError", "Ledger"]

CLAIM_NAME: Final = ".claim"

_NEWEST: Final = 16
_LEFT_SECONDS: Final = 60.0

Seen = dict[str, tuple[int, int]]


class ChangedOnDiskError(Exception):
    """Another program wrote, restored or removed files since they were read."""


class Ledger:
    """Writes the annotations of one slide into one folder.

    Parameters
    ----------
    folder : Path
        Need not exist yet.

    Attributes
    ----------
    header : dict
        Of each journal: identity and pixel size of the slide.
    seq, chain : int, str
        Of the last action, on the disk or not.
    journal : str
        The file that holds the last action on the disk.
    snapped : tuple
        Number and SHA-256 of the last action in the newest snapshot.
    pending : list of Entry
        Actions that are not on the disk.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.header: dict[str, Any] = {}
        self.seq, self.chain, self.journal = 0, START, ""
        self.snapped = (0, START)
        self.pending: list[Entry] = []
        self._claim: Claim | None = None
        self._file: AppendLog[Entry] | None = None
        self._good = 0
        self._seen: Seen = {}

    def look(self) -> None:
        """Take the files as they are now for those that were read: to be called before reading."""
        self._seen = _files(self.folder)

    def start(self, header: Mapping[str, Any], seq: int, chain: str, journal: str) -> None:
        """Say what was read."""
        self.header = {"format": FORMAT, **header}
        self.seq, self.chain, self.journal = seq, chain, journal

    @property
    def claimed(self) -> bool:
        """Whether others are kept from writing here."""
        return self._claim is not None

    def claim(self) -> None:
        """Keep others from writing here; does nothing if that is so already.

        Raises
        ------
        RunBusyError
            If a living program does so.
        CannotWriteError, DiskFullError
            If the folder can't be made or written.
        """
        if self._claim is None:
            with writing(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            self._claim = Claim(self.folder / CLAIM_NAME)
            _clear_temporary(self.folder)

    def heartbeat(self) -> None:
        """Tell programs on other computers that this one lives."""
        if self._claim is not None:
            self._claim.heartbeat()

    def put(self, entry: Entry) -> None:
        """Note an action; :meth:`write` brings it to the disk."""
        self.pending.append(entry)
        self.seq, self.chain = entry.seq, entry.chain

    def write(self) -> None:
        """Bring to the disk what is not there yet; flushed on return.

        Raises
        ------
        DiskFullError, CannotWriteError, RunBusyError
            Everything is kept for the next try.
        ChangedOnDiskError
            If files are not as they were left. Nothing was written.
        """
        if not self.pending:
            return
        self.claim()
        self._check()
        try:
            if self._file is None:
                self._file = self._new_journal()
            for entry in self.pending:
                self._file.append(entry)
            self._file.sync()
        except Her2Error as e:
            # What a failed write or flush left in a file is not known: the next try makes a new
            # file and writes all again. The same action read twice counts once.
            self._let_go()
            raise type(e)(e.message_id, **e.slots | {"path": self.folder}) from None
        self._good += len(self.pending)
        self.journal = self._file.path.name
        self.pending.clear()
        self.look()
        self.heartbeat()

    def snapshot(self, store: AnnotationStore, mpp: tuple[float, float] | None) -> None:
        """Write all that there is; what was pending goes first.

        Raises
        ------
        DiskFullError, CannotWriteError, RunBusyError, ChangedOnDiskError
            As :meth:`write`.
        """
        self.write()
        if self.snapped == (self.seq, self.chain):
            return
        self.claim()
        self._check()
        identity = {k: self.header[k] for k in ("slide_id", "width", "height", "quickhash")}
        write_snapshot(
            self.folder, store, identity=identity, mpp=mpp, seq=self.seq, chain=self.chain,
            journal=self.journal,
        )  # fmt: skip
        self.snapped = self.seq, self.chain
        self.look()

    def close(self) -> None:
        """Close the journal and let others write; an empty folder is removed."""
        self._let_go()
        if self._claim is not None:
            with contextlib.suppress(OSError, Her2Error):
                self._claim.release()
            self._claim = None
            with contextlib.suppress(OSError):
                self.folder.rmdir()

    def _check(self) -> None:
        if _files(self.folder) != self._seen:
            raise ChangedOnDiskError

    def _new_journal(self) -> AnnotationJournal:
        there = journals_in(self.folder)
        last = max((int(p.name.split("-")[1]) for p in there), default=0)
        path = self.folder / journal_name(last + 1, secrets.token_hex(4))
        self._good = 0
        try:
            return AnnotationJournal(path, self.header)
        except Her2Error:
            discard(path)
            raise

    def _let_go(self) -> None:
        if self._file is None:
            return
        path, file = self._file.path, self._file
        self._file = None
        with contextlib.suppress(OSError, ValueError, Her2Error):
            file.close()
        if not self._good:
            discard(path)
        self.look()


def _files(folder: Path) -> Seen:
    """The files of annotations in a folder, with size and time of the newest ones.

    Each costs a question to the disk, which takes its time on a network: what was written many
    sessions ago is only asked to be there.
    """
    journals = journals_in(folder)
    found: Seen = {p.name: (0, 0) for p in journals[:-_NEWEST]}
    for path in (*journals[-_NEWEST:], *snapshots_in(folder)):
        with contextlib.suppress(OSError):
            stat = path.stat()
            found[path.name] = stat.st_size, stat.st_mtime_ns
    return found


def _clear_temporary(folder: Path) -> None:
    """Remove what a program left that ended while it wrote a snapshot."""
    for path in folder.glob(".tmp-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _LEFT_SECONDS:
                discard(path)
