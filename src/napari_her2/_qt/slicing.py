"""How napari reads what is in view: beside the window, so that a slow slide does not hold it up."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from napari.components import ViewerModel

__all__ = ["slice_beside"]


def slice_beside(viewer: ViewerModel, on: bool) -> None:
    """Let reading of tiles not hold up this window (napari's async slicing), or as it was.

    napari has a setting for this, but saves it at once and for all its windows: a crash would leave
    the user's settings changed. So the viewer's own slicer is told, where there is one.
    """
    slicer = getattr(viewer, "_layer_slicer", None)
    if slicer is not None and hasattr(slicer, "_force_sync"):
        slicer._force_sync = not on  # noqa: SLF001
