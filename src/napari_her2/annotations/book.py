"""The annotations of a slide, saved as they are made: open, draw, undo; a crash loses nothing.

See ``docs/annotations.md`` for the files and for what is promised.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.audit import AuditRow, audit_rows
from napari_her2.annotations.copies import copy_into, free_folder_beside
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.folders import default_folder, namesakes, write_aside
from napari_her2.annotations.journal import Entry, pack_edit
from napari_her2.annotations.kept import Kept, Shelf, read_book, read_kept
from napari_her2.annotations.ledger import ChangedOnDiskError, Ledger
from napari_her2.annotations.recovery import Recovery, open_elsewhere, way_back
from napari_her2.annotations.store import Action, Step
from napari_her2.errors import AnnotationsBusyError, Her2Error, RunBusyError
from napari_her2.messages import tr

__all__ = ["AnnotationBook", "Recovery", "open_book", "read_book"]


class AnnotationBook:
    """The annotations of one slide and the folder they are kept in; made by :func:`open_book`.

    An edit is in the journal, flushed to the disk, when :meth:`apply` returns. Where that fails it
    stays in memory, :attr:`state` says why, and each later edit tries again to save all; nothing
    is lost as long as the program runs, and :meth:`save_elsewhere` saves it somewhere else.

    Attributes
    ----------
    store : AnnotationStore
        To read, and to change: its ``apply``, ``undo`` and ``redo`` are the same as here.
    slide_id : str
        Name of the slide.
    slide_size : tuple of int
        Width and height of level 0.
    mpp : tuple of float or None
        Micrometres per pixel, x and y.
    folder : Path
        Where it is kept.
    author : str
        Written beside each action from now on.
    recovered : Recovery or None
        What was found of a session that ended suddenly.
    notes : list of str
        Sentences on files that could not be read.
    """

    def __init__(
        self,
        folder: Path,
        identity: dict[str, Any],
        mpp: tuple[float, float] | None,
        author: str,
        now: Callable[[], dt.datetime],
        kept: Kept,
        ledger: Ledger,
        refusal: AnnotationsBusyError | None,
        failure: str,
    ) -> None:
        self.folder = folder
        self.slide_id: str = identity["slide_id"]
        self.slide_size: tuple[int, int] = (identity["width"], identity["height"])
        self.mpp = mpp
        self.author = author
        self.notes = kept.notes
        self.recovered: Recovery | None = None
        self._name = f"Labels of {self.slide_id}"
        self._now = now
        self._shelf = Shelf(folder)
        self._ledger = ledger
        self._refusal = refusal
        self._failure = failure
        self._closed = False
        self._told = (failure, self.read_only)
        self._state_listeners: list[Callable[[str], None]] = []
        self._before = kept.snapshot.annotations
        self._since = kept.entries
        self.store = kept.store
        self.store.guard = self

    # what there is --------------------------------------------------------------------------

    @property
    def read_only(self) -> str | None:
        """Why nothing can be changed here, as one sentence; None if it can."""
        return self._refusal.sentence if self._refusal is not None else None

    @property
    def state(self) -> str:
        """``saved``, or ``failed: `` and why some edits are only in memory."""
        return f"failed: {self._failure}" if self._failure else "saved"

    def on_state(self, callback: Callable[[str], None]) -> None:
        """Have a function called with :attr:`state` when that or :attr:`read_only` changes."""
        self._state_listeners.append(callback)

    def audit(self) -> tuple[AuditRow, ...]:
        """Every action there ever was, oldest first, undone ones too."""
        return audit_rows(self.folder, self._ledger.pending)

    def now(self) -> str:
        """The time as it is written into annotations, ISO 8601."""
        return self._now().isoformat(timespec="seconds")

    def stamp(self, annotation: Annotation) -> Annotation:
        """The annotation with author and time, as one just drawn gets them."""
        time = self.now()
        return dataclasses.replace(
            annotation,
            author=annotation.author or self.author,
            created=annotation.created or time,
            modified=time,
        )

    # changing -------------------------------------------------------------------------------

    def apply(self, edit: Edit) -> Edit:
        """Do an edit and save it; see :meth:`AnnotationStore.apply`.

        Raises
        ------
        AnnotationsBusyError
            If this copy is read-only.
        """
        return self.store.apply(edit)

    def undo(self) -> Edit | None:
        """Take the last edit back, also one from before the slide was opened."""
        return self.store.undo()

    def redo(self) -> Edit | None:
        """Do again what was taken back last."""
        return self.store.redo()

    def flush(self) -> None:
        """Try again to save what could not be saved.

        Raises
        ------
        DiskFullError, CannotWriteError, AnnotationsBusyError
            Why it still can't; nothing is lost.
        """
        self._save(raising=True)

    def snapshot(self) -> None:
        """Save all in one file too, so that opening is quick; good to do in an idle moment.

        Raises
        ------
        DiskFullError, CannotWriteError, AnnotationsBusyError
            What the journal holds is safe all the same.
        """
        self.allow()
        self._save(raising=True)
        try:
            self._ledger.snapshot(self.store, self.mpp)
        except ChangedOnDiskError:
            self._keep_beside()
            self.allow()

    def heartbeat(self) -> None:
        """Call it now and then: tells programs on other computers that this one lives."""
        self._ledger.heartbeat()

    def close(self, *, give_up: bool = False) -> None:
        """Write a snapshot and let others write. Closing twice does nothing.

        Parameters
        ----------
        give_up : bool
            Close even if edits are only in memory: they are lost then.

        Raises
        ------
        DiskFullError, CannotWriteError, AnnotationsBusyError
            If edits are only in memory. It stays open, so that they can be saved elsewhere.
        """
        if self._closed:
            return
        try:
            if self._refusal is None:
                self.snapshot()
            elif self._ledger.pending:
                self.allow()
        except Her2Error:
            # A snapshot that could not be written costs time at the next opening, nothing else.
            if self._ledger.pending and not give_up:
                raise
        self._closed = True
        self._refusal = self._refusal or AnnotationsBusyError("annotations_closed", name=self._name)
        self._ledger.close()

    def save_elsewhere(self, folder: Path) -> None:
        """Keep the annotations in another folder from now on, with their history.

        Parameters
        ----------
        folder : Path
            Made if need be; must hold no annotations.

        Raises
        ------
        BadAnnotationsError
            If it holds some.
        DiskFullError, CannotWriteError, RunBusyError
            Nothing changed then.
        """
        ledger = copy_into(folder, self._ledger, self.store, self.mpp)
        self._ledger.pending.clear()
        self._ledger.close()
        self._ledger, self.folder, self._shelf = ledger, folder, Shelf(folder)
        self._refusal = None
        self._set_failure("")

    def __enter__(self) -> AnnotationBook:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # guard of the store ---------------------------------------------------------------------

    def allow(self) -> None:
        """Raise if nothing may be changed."""
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)

    def fetch(self, step: Step) -> Edit:
        """The edit of a step from before the slide was opened."""
        return self._shelf.fetch(step)

    def pack(self, edit: Edit) -> bytes:
        """An edit as it will stand in the journal."""
        return pack_edit(edit)

    def done(self, action: Action, edit: Edit, step: Step | None, body: bytes) -> int:
        """Note what was done and try to bring it to the disk; the number of its entry."""
        ledger = self._ledger
        seq = ledger.seq + 1
        entry = Entry(
            seq=seq,
            action=action,
            of=step.number if step is not None else seq,
            label=edit.label,
            author=self.author,
            time=self.now(),
            removed=len(edit.removed),
            added=len(edit.added),
            before=ledger.chain,
            body=body,
        )
        ledger.put(entry.sealed())
        self._save(raising=False)
        # Whoever draws on has seen what was recovered.
        self.settle()
        return seq

    # inside ---------------------------------------------------------------------------------

    def _save(self, *, raising: bool) -> None:
        try:
            self._ledger.write()
        except ChangedOnDiskError:
            self._keep_beside()
            if raising:
                self.allow()
        except RunBusyError as e:
            # The folder could not be claimed before, and now another program has it.
            self._refusal = open_elsewhere(self._name, e)
            self._set_failure(self._refusal.sentence)
            if raising:
                raise self._refusal from None
        except Her2Error as e:
            self._set_failure(e.sentence)
            if raising:
                raise
        else:
            self._set_failure("")

    def _keep_beside(self) -> None:
        """Files changed under us: touch none of them, keep what is here in a folder beside."""
        try:
            folder = free_folder_beside(self.folder)
            copy_into(folder, self._ledger, self.store, self.mpp).close()
        except Her2Error as e:
            self._refusal = AnnotationsBusyError(
                "annotations_not_kept", name=self._name, reason=e.sentence
            )
            self._set_failure(self._refusal.sentence)
        else:
            self._ledger.pending.clear()
            self._refusal = AnnotationsBusyError(
                "annotations_changed", name=self._name, path=folder
            )
            self._set_failure("")

    def discard_recovered(self) -> Edit:
        """See :meth:`~.recovery.Recovery.discard`."""
        self.allow()
        write_aside(self.folder, self._ledger.header, self._since)
        return self.store.apply(way_back(self.store, self._before))

    def settle(self) -> None:
        """Forget what was recovered: it is what there is."""
        self.recovered = None
        self._before, self._since = (), []

    def _set_failure(self, sentence: str) -> None:
        self._failure = sentence
        now = (sentence, self.read_only)
        if now == self._told:
            return
        self._told = now
        for callback in tuple(self._state_listeners):
            callback(self.state)


def open_book(
    slide_id: str,
    slide_size: tuple[int, int],
    mpp: float | tuple[float, float] | None = None,
    folder: Path | None = None,
    *,
    author: str = "",
    quickhash: str | None = None,
    now: Callable[[], dt.datetime] | None = None,
) -> AnnotationBook:
    """Open the annotations of a slide, there being any or not.

    Parameters
    ----------
    slide_id : str
        Name of the slide.
    slide_size : tuple of int
        Width and height of level 0 in pixels.
    mpp : float or tuple of float, optional
        Micrometres per pixel, of both axes or of x and of y; kept as information.
    folder : Path, optional
        Where they are kept; :func:`~.folders.default_folder` otherwise.
    author : str
        Written beside each action.
    quickhash : str, optional
        Of the slide's pixels: with it a slide that was renamed is known again.
    now : callable, optional
        The clock, for tests.

    Returns
    -------
    AnnotationBook
        Read-only (:attr:`AnnotationBook.read_only`) if another window has them open.

    Raises
    ------
    BadAnnotationsError
        If the folder holds those of another slide, or of a newer version of this program.
    """
    width, height = slide_size
    size = {"width": int(width), "height": int(height)}
    identity = {"slide_id": slide_id, **size, "quickhash": quickhash}
    place = default_folder(identity) if folder is None else folder
    pixel = (float(mpp), float(mpp)) if isinstance(mpp, (int, float)) else mpp
    clock = now or (lambda: dt.datetime.now().astimezone())
    refusal: AnnotationsBusyError | None = None
    failure = ""
    ledger = Ledger(place)
    # Claimed before it is read, so that what is read stays so.
    try:
        ledger.claim()
    except RunBusyError as e:
        refusal = open_elsewhere(f"Labels of {slide_id}", e)
    except Her2Error as e:
        failure = e.sentence
    try:
        ledger.look()
        kept = read_kept(place, identity)
    except BaseException:
        ledger.close()
        raise
    header = {**identity, "mpp": None if pixel is None else list(pixel)}
    ledger.start(header, kept.seq, kept.chain, kept.journal)
    ledger.snapped = (kept.snapshot.seq, kept.snapshot.chain)
    if folder is None and not kept.seq:
        kept.notes += [tr("annotations_namesake", path=f) for f in namesakes(identity)]
    book = AnnotationBook(place, identity, pixel, author, clock, kept, ledger, refusal, failure)
    if kept.entries and refusal is None:
        book.recovered = Recovery(len(kept.entries), kept.entries[-1].time, book)
    return book
