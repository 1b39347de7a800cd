"""Who did what to the annotations of a slide, and when: read from all journals."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from napari_her2.annotations.journal import START, Entry, journals_in, read_segment
from napari_her2.annotations.store import Action
from napari_her2.errors import BadAnnotationsError

__all__ = ["AuditRow", "audit_rows"]


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One action.

    Attributes
    ----------
    seq : int
        Its number; gives the order, which the time does not.
    time, author : str
        When (ISO 8601, as the computer's clock had it) and by whom.
    action : {"edit", "undo", "redo"}
        New, taken back, or done again.
    label : str
        What it is called.
    removed, added : int
        How many annotations went and came.
    chain : str
        SHA-256 of the action and, through it, of all before: with the last one written down
        elsewhere, no row can be changed unnoticed.
    follows : bool
        Whether it continues the rows before; False where a row is missing or was changed.
    """

    seq: int
    time: str
    author: str
    action: Action
    label: str
    removed: int
    added: int
    chain: str
    follows: bool


def audit_rows(folder: Path, pending: Iterable[Entry] = ()) -> tuple[AuditRow, ...]:
    """Every action on the annotations in a folder, undone ones too, oldest first.

    Parameters
    ----------
    folder : Path
        Where they are kept.
    pending : iterable of Entry
        Actions that are not on the disk yet.
    """
    found: dict[str, Entry] = {}
    for path in journals_in(folder):
        try:
            entries = read_segment(path).entries
        except BadAnnotationsError:
            continue
        found.update((e.chain, e) for e in entries if e.chain not in found)
    found.update((e.chain, e) for e in pending if e.chain not in found)
    rows: list[AuditRow] = []
    before = START
    for e in sorted(found.values(), key=lambda e: e.seq):
        follows = e.before == before and e.seq == len(rows) + 1
        rows.append(
            AuditRow(
                e.seq, e.time, e.author, e.action, e.label, e.removed, e.added, e.chain, follows
            )
        )
        before = e.chain
    return tuple(rows)
