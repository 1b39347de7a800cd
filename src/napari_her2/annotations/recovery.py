"""What is said and offered after a session that ended suddenly, or while another one goes on."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.errors import AnnotationsBusyError, RunBusyError
from napari_her2.messages import tr

if TYPE_CHECKING:
    from napari_her2.annotations.book import AnnotationBook

__all__ = ["Recovery", "clock_text", "open_elsewhere", "way_back"]


@dataclass(frozen=True, slots=True)
class Recovery:
    """What a session left that ended suddenly.

    Attributes
    ----------
    n : int
        Actions that only the journal held.
    latest : str
        When the last of them was made, ISO 8601.
    book : AnnotationBook
        Of which annotations.
    """

    n: int
    latest: str
    book: AnnotationBook

    @property
    def sentence(self) -> str:
        """What the dock says."""
        return tr("recovered", n=self.n, time=clock_text(self.latest, seconds=True))

    def keep(self) -> None:
        """Go on with them.

        Raises
        ------
        DiskFullError, CannotWriteError, AnnotationsBusyError
            They are in the journal all the same.
        """
        self.book.snapshot()
        self.book.settle()

    def discard(self) -> Edit:
        """Go back to what there was before them; the edit that does so can be undone.

        They are written into a file of their own too, ``discarded-….bin`` beside the journals.

        Raises
        ------
        DiskFullError, CannotWriteError, AnnotationsBusyError
            Nothing was discarded.
        """
        return self.book.discard_recovered()


def way_back(now: Iterable[Annotation], before: Iterable[Annotation]) -> Edit:
    """The one edit that leads from what there is to what there was."""
    then = {a.id: a for a in before}
    here = {a.id: a for a in now}
    gone = tuple(a for i, a in here.items() if then.get(i) != a)
    back = tuple(a for i, a in then.items() if here.get(i) != a)
    return Edit("discard recovered edits", gone, back)


def open_elsewhere(name: str, e: RunBusyError) -> AnnotationsBusyError:
    """The sentence on somebody else who has the same annotations open."""
    since = e.since
    return AnnotationsBusyError("locked_by", name=name, time=clock_text(since) if since else "?")


def clock_text(time: str, *, seconds: bool = False) -> str:
    """A time as people read it, with the day where that is not today.

    Parameters
    ----------
    time : str
        ISO 8601; anything else comes back as it is.
    seconds : bool
        Whether to tell the seconds.
    """
    try:
        when = dt.datetime.fromisoformat(time)
    except ValueError:
        return time
    text = when.strftime("%H:%M:%S" if seconds else "%H:%M")
    today = dt.datetime.now(when.tzinfo).date()
    return text if when.date() == today else f"{when:%Y-%m-%d} {text}"
