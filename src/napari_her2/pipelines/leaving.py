"""What is said when an error ends a run: how much of it is kept, and whether it can go on."""

from __future__ import annotations

from napari_her2.errors import (
    DiskFullError,
    Her2Error,
    SlideChangedError,
    TileReadError,
    TooLittleMemoryError,
)

__all__ = ["can_go_on", "with_tiles_kept"]


def with_tiles_kept(error: Her2Error, tiles_done: int) -> Her2Error:
    """Give the error whose sentence says how many tiles are kept, where one does.

    Parameters
    ----------
    error : Her2Error
        What ended the run.
    tiles_done : int
        Tiles in the journal.
    """
    if isinstance(error, DiskFullError):
        return DiskFullError("disk", n=tiles_done, needed=error.slots.get("needed", "some space"))
    if isinstance(error, TooLittleMemoryError):
        return TooLittleMemoryError("mem", n=tiles_done)
    return error


def can_go_on(error: Her2Error) -> bool:
    """Whether the same request may go on from the journal.

    Tiles of two files must never meet, and tiles that failed may be read another time.
    """
    return not isinstance(error, SlideChangedError | TileReadError)
