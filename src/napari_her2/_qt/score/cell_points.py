"""The layer of points: the cells of the view and a little around it, never all of a slide.

The layer stays; what it holds is written over. Its arrays are written in place and napari told
once: its setters would check every point in Python, five times over.
"""

from __future__ import annotations

import weakref
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Points
from numpy.typing import NDArray

from napari_her2._qt.layer_order import add_in_order
from napari_her2._qt.safe_layers import refuse_stale_slices
from napari_her2._qt.score.cell_keys import CellActions, guard_cell_keys
from napari_her2.cells.table import CellTable
from napari_her2.layers.cells import cells_layer, look_of, points_of

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["CellPoints"]


class CellPoints:
    """Owns the ``Cells`` layer of one result.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    entry : OpenSlide
        The slide below.
    actions : CellActions
        What the layer's keys call.
    metadata : dict
        For ``metadata["her2"]``.
    """

    def __init__(
        self, viewer: ViewerModel, entry: OpenSlide, actions: CellActions, metadata: dict[str, Any]
    ) -> None:
        self._viewer = weakref.ref(viewer)
        self._entry = entry
        self._actions = actions
        self._metadata = metadata
        self.layer: Points | None = None
        self.rows: NDArray[np.intp] = np.empty(0, np.intp)

    def fill(
        self,
        table: CellTable,
        rows: NDArray[np.intp],
        colouring: str,
        corrected: NDArray[np.intp],
        screen_px: float,
    ) -> None:
        """Show these cells and no others.

        Parameters
        ----------
        table : CellTable
            All cells.
        rows : ndarray of int
            Which of them.
        colouring : str
            What their colour tells.
        corrected : ndarray of int
            Rows with the white ring.
        screen_px : float
            Level-0 pixels to one pixel of the screen.
        """
        if self.layer is None:
            self._add(table, rows, colouring, corrected, screen_px)
            return
        layer, look = self.layer, look_of(table, rows, colouring, corrected)
        places = points_of(table, rows)
        with layer.events.blocker_all():
            if len(layer.data) == len(places):
                layer.data[:] = places
            else:
                layer.data = places
            if layer.size.dtype.kind != "f":
                # Made empty, napari keeps sizes as whole numbers and would cut ours down to them.
                layer.size = look.size_px * screen_px
            layer.face_color[:] = look.fill
            layer.border_color[:] = look.border
            layer.size[:] = look.size_px * screen_px
            layer.border_width[:] = look.border_px / look.size_px
            layer.symbol[:] = _symbols(look.symbol)
        layer.editable = False
        self.rows = rows
        layer.refresh(thumbnail=False, highlight=False)

    def _add(
        self,
        table: CellTable,
        rows: NDArray[np.intp],
        colouring: str,
        corrected: NDArray[np.intp],
        screen_px: float,
    ) -> None:
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        mpp = self._entry.mpp
        data, kwargs, _ = cells_layer(
            table,
            rows,
            self._entry.slide_id,
            None if mpp is None else (mpp.x, mpp.y),
            screen_px=screen_px,
            colouring=colouring,
            corrected=corrected,
            **self._metadata,
        )
        self.layer = Points(data, **kwargs)
        self.layer.editable = False
        # napari lets new data be edited, and every layer whose controls it makes; cells are moved
        # or deleted by nobody.
        self.layer.events.editable.connect(_stay_closed)
        refuse_stale_slices(self.layer)
        guard_cell_keys(self.layer, self._actions)
        self.rows = rows
        add_in_order(viewer, self.layer)


def _stay_closed(event: Any) -> None:
    if event.source.editable:
        event.source.editable = False


@lru_cache(maxsize=16)
def _symbol(name: str) -> Any:
    """Give napari's own object for a symbol; it has no public name, but layers hand it out."""
    return Points([[0.0, 0.0]], symbol=name).symbol[0]


def _symbols(names: NDArray[np.str_]) -> NDArray[np.object_]:
    kinds, which = np.unique(names, return_inverse=True)
    table = np.array([_symbol(str(k)) for k in kinds], dtype=object)
    return np.asarray(table[which]) if len(kinds) else np.empty(0, object)
