"""Decides what of a table of cells is drawn: single cells near in, their density far out."""

from __future__ import annotations

import weakref
from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from napari.layers import Layer
from napari.utils.notifications import show_info
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2._qt import camera
from napari_her2._qt.safe_layers import remove_layers_safely
from napari_her2._qt.score.cell_marks import CellMarks
from napari_her2._qt.score.cell_points import CellPoints
from napari_her2._qt.score.density_picture import DensityPicture
from napari_her2._qt.texts import ui
from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.layers.cell_density import DensityGrid, density_grid
from napari_her2.layers.cell_index import CellIndex
from napari_her2.layers.cells import DENSITY
from napari_her2.types import BoolMask

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.score.cell_keys import CellActions

__all__ = ["MOST_POINTS", "CellView"]

MOST_POINTS: Final = 50_000
"""With more cells in view single ones could not be told apart, and drawing them would be slow."""
_MARGIN: Final = 0.25
"""Cells this far round the view are laid out too, so that a small step shows no gap."""
_FEW_SQUARES: Final = 6
"""With fewer squares of the density map in view it is a veil that tells nothing."""
_CROWD: Final = 10_000
_CROWDED: Final = 0.7
"""With more cells than that, dots of full size would lie over each other and take long to draw:
they are smaller then, and their edges not smoothed."""
_NOWHERE = np.empty(0, np.intp)


class CellView(QObject):
    """Owns the layers of one result's cells.

    Parameters
    ----------
    viewer : ViewerModel
        Held weakly.
    entry : OpenSlide
        The slide below.
    actions : CellActions
        What the keys of the Cells layer call.
    metadata : dict
        For the layers' ``metadata["her2"]``.

    Signals
    -------
    shown_by_hand(bool)
        The user hid or showed the cells with the eye of a layer, or closed the layer.
    hint_changed(str)
        Why there are no single cells to be seen; empty when there are.
    """

    shown_by_hand = Signal(bool)
    hint_changed = Signal(str)

    def __init__(
        self, viewer: ViewerModel, entry: OpenSlide, actions: CellActions, metadata: dict[str, Any]
    ) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self._entry = entry
        self.points = CellPoints(viewer, entry, actions, metadata)
        self.picture = DensityPicture(viewer, entry, metadata)
        self.marks = CellMarks(viewer, entry, metadata)
        self._busy = False
        self._ended = False
        self._hint = ""
        self._visible = True
        self._classes: frozenset[str] = frozenset()
        self._colouring = "class"
        self._corrected: NDArray[np.intp] = _NOWHERE
        self._filled: tuple[Region, float] | None = None
        self._drawn_zoom = 0.0
        nothing = np.empty(0, np.float64)
        self.set_table(CellTable({"x_px": nothing, "y_px": nothing}))
        viewer.layers.events.removed.connect(self._on_layer_removed)

    # cells --------------------------------------------------------------------------------

    def set_table(self, table: CellTable) -> None:
        """Take other cells; :meth:`show` draws them."""
        self.table = table
        self.n_classes = max(len(table.classes), 1)
        kind = table["class"] if "class" in table else np.zeros(len(table), np.uint8)
        self.index = CellIndex(table["x_px"], table["y_px"], kind, self.n_classes)
        self._grid: DensityGrid | None = None
        self._filled = None

    def set_class(self, row: int, classes: NDArray[np.uint8]) -> None:
        """One cell is of another class now; ``classes`` holds those of all."""
        self.table = self.table.with_columns({"class": classes})
        self.index.set_class(row, int(classes[row]))
        self._grid = None
        self._filled = None

    @property
    def density(self) -> DensityGrid:
        """Cells counted in squares."""
        if self._grid is None:
            mpp = self._entry.mpp
            place = None if mpp is None else (mpp.x, mpp.y)
            self._grid = density_grid(self.table, self._entry.bounds, place)
        return self._grid

    @property
    def everyone(self) -> BoolMask:
        """Mask of all classes."""
        return np.ones(self.n_classes, np.bool_)

    @property
    def wanted(self) -> BoolMask:
        """Mask of the classes that are shown."""
        if not self.table.classes:
            return self.everyone
        return np.array([name in self._classes for name in self.table.classes], np.bool_)

    @property
    def near(self) -> bool:
        """Whether single cells are to be seen now."""
        layer = self.points.layer
        return layer is not None and bool(layer.visible)

    def prepare(self) -> None:
        """Make the layers now, empty: the first click must not wait for them."""
        if not self._visible or self.points.layer is not None:
            return
        self.points.fill(self.table, _NOWHERE, "class", _NOWHERE, 1.0)
        self._watch(self.points.layer)
        self.marks.prepare()

    # drawing ------------------------------------------------------------------------------

    def show(
        self,
        *,
        visible: bool,
        classes: Collection[str],
        colouring: str,
        corrected: NDArray[np.intp],
    ) -> None:
        """Draw anew.

        Parameters
        ----------
        visible : bool
            Whether cells are shown at all.
        classes : collection of str
            Which of them.
        colouring : str
            What their colour tells; ``density <class>`` shows where that class is dense, and near
            in its cells among all the others.
        corrected : ndarray of int
            Rows with a white ring; they are shown whatever their class.
        """
        self._visible, self._classes = visible, frozenset(classes)
        self._colouring, self._corrected = colouring, corrected
        self._filled = None
        self.follow()

    def follow(self) -> None:
        """Bring the layers in line with what the camera sees."""
        viewer = self._viewer()
        if viewer is None or self._ended or self._entry.layer not in viewer.layers:
            return
        if self.marks.anything and viewer.scene.camera.zoom != self._drawn_zoom:
            self._drawn_zoom = viewer.scene.camera.zoom
            self.marks.draw()
        if not self._visible or not len(self.table):
            self._set_visible(points=False, picture=False)
            self._say("")
            return
        seen = camera.region_in_view(viewer, self._entry)
        if seen is None:
            return
        if self._dense is not None:
            self._follow_density(viewer, seen, self._dense)
            return
        wanted = self.wanted
        if self.index.count(seen, wanted) > MOST_POINTS:
            self._show_picture([n for n in self._names if n in self._classes])
            self._say(ui("zoom_to_cells"))
            return
        self._show_points(viewer, seen, wanted)
        self._say("")

    def _follow_density(self, viewer: ViewerModel, seen: Region, name: str) -> None:
        self._say("")
        squares = min(seen.width / self.density.width, seen.height / self.density.height)
        if squares < _FEW_SQUARES and self.index.count(seen, self.everyone) <= MOST_POINTS:
            self._show_points(viewer, seen, self.everyone)
        else:
            self._show_picture([name])

    def _show_picture(self, names: Collection[str]) -> None:
        self._filled = None
        self.picture.fill(self.density, names)
        self._set_visible(points=False, picture=True)

    def _show_points(self, viewer: ViewerModel, seen: Region, wanted: BoolMask) -> None:
        # Visible first: napari does not look at the points of a hidden layer.
        self._set_visible(points=True, picture=False)
        self._fill(viewer, seen, wanted)

    @property
    def _dense(self) -> str | None:
        if not self._colouring.startswith(DENSITY):
            return None
        return self._colouring.removeprefix(DENSITY)

    @property
    def _names(self) -> tuple[str, ...]:
        return self.table.classes or ("",)

    def _fill(self, viewer: ViewerModel, seen: Region, wanted: BoolMask) -> None:
        screen_px = 1.0 / (viewer.scene.camera.zoom * self._entry.world_mpp[0])
        if self._filled is not None:
            region, at = self._filled
            if at == screen_px and region.intersect(seen) == seen:
                return
        region = _around(seen)
        if self.index.count(region, wanted) > MOST_POINTS:
            region = seen
        rows = self._with_corrected(self.index.within(region, wanted), region)
        crowded = len(rows) > _CROWD
        drawn_px = screen_px * _CROWDED if crowded else screen_px
        self.points.fill(self.table, rows, self._colouring, self._corrected, drawn_px)
        if self.points.layer is not None:
            self.points.layer.antialiasing = 0 if crowded else 1
        self._watch(self.points.layer)
        self._filled = (region, screen_px)

    def _with_corrected(self, rows: NDArray[np.intp], region: Region) -> NDArray[np.intp]:
        """Cells that were corrected to a class that is hidden stay: their ring says why."""
        if not len(self._corrected):
            return rows
        x, y = self.table["x_px"][self._corrected], self.table["y_px"][self._corrected]
        inside = (x >= region.x) & (x < region.right) & (y >= region.y) & (y < region.bottom)
        return np.union1d(rows, self._corrected[inside])

    def nearest(self, x: float, y: float, reach_px: float) -> int | None:
        """Row of the cell that is drawn nearest to a place (level-0 pixels)."""
        if not self.near:
            return None
        wanted = self.wanted if self._dense is None else self.everyone
        row = self.index.nearest(x, y, reach_px, wanted)
        if not len(self._corrected):
            return row
        found = self._corrected if row is None else np.append(self._corrected, row)
        far = np.hypot(self.table["x_px"][found] - x, self.table["y_px"][found] - y)
        at = int(far.argmin())
        return int(found[at]) if far[at] <= reach_px else None

    def _set_visible(self, *, points: bool, picture: bool) -> None:
        self._watch(self.picture.layer)
        self._busy = True
        try:
            for layer, wanted in ((self.points.layer, points), (self.picture.layer, picture)):
                if layer is not None and layer.visible != wanted:
                    layer.visible = wanted
        finally:
            self._busy = False

    def _say(self, hint: str) -> None:
        if hint != self._hint:
            self._hint = hint
            self.hint_changed.emit(hint)

    # the user at the layer list -------------------------------------------------------------

    def _watch(self, layer: Layer | None) -> None:
        if layer is not None and not layer.metadata["her2"].get("watched"):
            layer.metadata["her2"]["watched"] = True
            layer.events.visible.connect(self._on_eye)

    def _on_eye(self, event: Any) -> None:
        if not self._busy and not self._ended:
            self._visible = bool(event.source.visible)
            self.shown_by_hand.emit(self._visible)
            QTimer.singleShot(0, self.follow)

    def _on_layer_removed(self, event: Any) -> None:
        layer = event.value
        ours = [o for o in (self.points, self.picture, self.marks) if o.layer is layer]
        for owner in ours:
            owner.layer = None
        if ours and not self._ended and ours[0] is not self.marks:
            self._filled = None
            # Later: a window that closes takes its layers away one by one, and says nothing.
            QTimer.singleShot(0, self._tell_closed)

    def _tell_closed(self) -> None:
        viewer = self._viewer()
        if self._ended or viewer is None or self._entry.layer not in viewer.layers:
            return
        self._visible = False
        self.follow()
        show_info(ui("view_closed"))
        self.shown_by_hand.emit(False)

    def remove(self) -> None:
        """Take the layers out of the window."""
        self._ended = True
        viewer = self._viewer()
        if viewer is None:
            return
        layers = [o.layer for o in (self.points, self.picture, self.marks)]
        remove_layers_safely(viewer, [x for x in layers if x is not None])
        viewer.layers.events.removed.disconnect(self._on_layer_removed)


def _around(seen: Region) -> Region:
    return Region(
        seen.x - _MARGIN * seen.width,
        seen.y - _MARGIN * seen.height,
        (1 + 2 * _MARGIN) * seen.width,
        (1 + 2 * _MARGIN) * seen.height,
    )
