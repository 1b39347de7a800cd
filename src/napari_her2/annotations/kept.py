"""Puts the annotations of a slide together from what is on the disk; changes nothing there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.journal import Entry, journals_in, read_segment
from napari_her2.annotations.snapshots import (
    Snapshot,
    empty_snapshot,
    read_snapshot,
    snapshots_in,
)
from napari_her2.annotations.store import Action, AnnotationStore, Step
from napari_her2.errors import BadAnnotationsError
from napari_her2.messages import tr

__all__ = [
    "Kept",
    "Shelf",
    "check_identity",
    "read_book",
    "read_kept",
    "same_slide",
    "stored_annotations",
]


@dataclass(slots=True)
class Kept:
    """What was on the disk.

    Attributes
    ----------
    snapshot : Snapshot
        What it started from.
    store : AnnotationStore
        What came of it; its guard is a :class:`Shelf`.
    entries : list of Entry
        Actions after the snapshot, that only the journals held.
    seq, chain, journal
        Number and SHA-256 of the last action, and the file that holds it.
    notes : list of str
        Sentences on what could not be read.
    """

    snapshot: Snapshot
    store: AnnotationStore
    entries: list[Entry]
    seq: int
    chain: str
    journal: str
    notes: list[str] = field(default_factory=list)


class Shelf:
    """Finds edits in the journals of a folder, one journal at a time."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._number = 0
        self._at_hand: dict[int, Entry] = {}

    def entry(self, seq: int) -> Entry | None:
        """The entry of a number; None where it can't be read any more."""
        if seq not in self._at_hand:
            for path in reversed(journals_in(self.folder)):
                try:
                    entries = read_segment(path).entries
                except BadAnnotationsError:
                    continue
                if any(e.seq == seq for e in entries):
                    # Undo walks backwards, so the neighbours are asked for next.
                    self._at_hand = {e.seq: e for e in entries}
                    break
        return self._at_hand.get(seq)

    def fetch(self, step: Step) -> Edit:
        """The edit of a step.

        Raises
        ------
        BadAnnotationsError
            If its journal is gone or damaged.
        """
        entry = self.entry(step.number)
        try:
            if entry is not None and entry.action == "edit":
                return entry.edit
        except ValueError:
            pass
        raise BadAnnotationsError("history_gone")


class _Replay(Shelf):
    """The guard of a store that is being put together: all is on the disk already."""

    seq = 0

    def allow(self) -> None:
        """Anything goes."""

    def pack(self, edit: Edit) -> bytes:
        """It was written down when it was done."""
        del edit
        return b""

    def done(self, action: Action, edit: Edit, step: Step | None, body: bytes) -> int:
        """Number of the entry that is being replayed."""
        del action, edit, step, body
        return self.seq


def same_slide(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> bool:
    """Whether two identities may be of one slide: same size, and same pixels or same name."""
    if (ours["width"], ours["height"]) != (theirs.get("width"), theirs.get("height")):
        return False
    a, b = ours.get("quickhash"), theirs.get("quickhash")
    return bool(a == b) if a and b else bool(ours["slide_id"] == theirs.get("slide_id"))


def check_identity(ours: Mapping[str, Any], theirs: Mapping[str, Any]) -> None:
    """Refuse annotations of another slide.

    Raises
    ------
    BadAnnotationsError
        ``foreign_ann`` where sizes differ, ``foreign_ann_name`` where names do,
        ``foreign_ann_pixels`` where only pixels do.
    """
    if same_slide(ours, theirs):
        return
    mine = f"{ours['width']:,} x {ours['height']:,}"
    other = f"{theirs.get('width', 0):,} x {theirs.get('height', 0):,}"
    if mine != other:
        raise BadAnnotationsError("foreign_ann", theirs=other, ours=mine)
    if theirs.get("slide_id") == ours["slide_id"]:
        raise BadAnnotationsError("foreign_ann_pixels", name=ours["slide_id"])
    raise BadAnnotationsError(
        "foreign_ann_name", theirs=theirs.get("slide_id", "?"), ours=ours["slide_id"]
    )


def read_kept(folder: Path, identity: Mapping[str, Any]) -> Kept:
    """Read the newest snapshot that is whole, and do again what was done after it.

    Parameters
    ----------
    folder : Path
        Where the annotations of a slide are kept; need not exist.
    identity : mapping
        ``slide_id``, ``width``, ``height`` and ``quickhash`` (or None) of the slide.

    Raises
    ------
    BadAnnotationsError
        If they belong to another slide or a newer version of this program, or can't be read.
    """
    notes: list[str] = []
    base = _newest(folder, identity, notes)
    guard = _Replay(folder)
    store = AnnotationStore.resumed(
        base.annotations, base.ranks, base.done, base.undone, guard=guard
    )
    kept = Kept(base, store, [], base.seq, base.chain, base.journal, notes)
    for path in journals_in(folder):
        # Journals before that of the snapshot hold nothing newer; they are for undo and audit.
        if path.name >= base.journal:
            _replay(path, identity, kept, guard)
    return kept


def _newest(folder: Path, identity: Mapping[str, Any], notes: list[str]) -> Snapshot:
    for path in snapshots_in(folder):
        try:
            found = read_snapshot(path)
        except BadAnnotationsError as e:
            if e.message_id != "annotations_damaged":
                raise
            notes.append(e.sentence)
            continue
        check_identity(identity, found.identity)
        return found
    return empty_snapshot(identity)


def _replay(path: Path, identity: Mapping[str, Any], kept: Kept, guard: _Replay) -> None:
    try:
        segment = read_segment(path)
    except BadAnnotationsError as e:
        # What the disk does not give today it may give tomorrow: going on without it would part
        # the history in two.
        if e.message_id != "annotations_damaged":
            raise
        kept.notes.append(e.sentence)
        return
    if segment.header is not None:
        check_identity(identity, segment.header)
    if segment.unread:
        kept.notes.append(tr("annotations_cut_off", n=segment.unread))
    apart = 0
    known = {e.chain for e in kept.entries}
    for entry in segment.entries:
        if entry.seq <= kept.seq:
            # Written twice after a failed flush is all right; another action of that number not.
            apart += entry.seq > kept.snapshot.seq and entry.chain not in known
            continue
        follows = entry.seq == kept.seq + 1 and entry.before == kept.chain
        if not follows or not _again(entry, kept.store, guard):
            apart += 1
            continue
        kept.seq, kept.chain, kept.journal = entry.seq, entry.chain, path.name
        kept.entries.append(entry)
    if apart:
        kept.notes.append(tr("annotations_apart", n=apart, name=path.name))


def _again(entry: Entry, store: AnnotationStore, guard: _Replay) -> bool:
    """Do an action again; False if it does not fit what is there."""
    guard.seq = entry.seq
    try:
        if entry.action == "edit":
            store.apply(entry.edit)
            return True
        steps = store.done_steps if entry.action == "undo" else store.undone_steps
        if not steps or steps[-1].number != entry.of:
            return False
        if entry.action == "undo":
            store.undo()
        else:
            store.redo()
    except (KeyError, ValueError):
        return False
    return True


def read_book(folder: Path) -> tuple[Annotation, ...]:
    """What is kept in a folder, in the order of drawing; see :func:`stored_annotations`."""
    return stored_annotations(folder)[1]


def stored_annotations(folder: Path) -> tuple[dict[str, Any], tuple[Annotation, ...]]:
    """What is kept in a folder, read without opening it for changes.

    Returns
    -------
    identity : dict
        ``slide_id``, ``width``, ``height``, ``quickhash`` and ``mpp`` (x and y, or None).
    annotations : tuple of Annotation
        In the order of drawing.

    Raises
    ------
    BadAnnotationsError
        If there are none.
    """
    for path in snapshots_in(folder):
        try:
            found = read_snapshot(path)
        except BadAnnotationsError:
            continue
        kept = read_kept(folder, found.identity)
        return {**found.identity, "mpp": found.mpp}, kept.store.all()
    for path in journals_in(folder):
        header = read_segment(path).header
        if header is not None:
            identity = {k: header.get(k) for k in ("slide_id", "width", "height", "quickhash")}
            kept = read_kept(folder, identity)
            return {**identity, "mpp": header.get("mpp")}, kept.store.all()
    raise BadAnnotationsError(
        "bad_annotations", name=folder.name, kind="a folder of annotations", reason="it holds none"
    )
