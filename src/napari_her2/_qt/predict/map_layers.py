"""The layers of one result: maps, doubt, the mark of the place in view. One owner, one life."""

from __future__ import annotations

import weakref
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Image, Labels, Layer, Shapes
from napari.utils.notifications import show_info
from numpy.typing import NDArray
from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2._qt.layer_order import add_in_order
from napari_her2._qt.palettes import doubt_veil, palette
from napari_her2._qt.predict.run_state import ModelScores, RunState
from napari_her2._qt.safe_layers import remove_layers_safely
from napari_her2._qt.texts import ui
from napari_her2.geometry import Region, xy_to_world_yx
from napari_her2.layers import heatmap_layer, unreadable_layer

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["MapLayers", "MapSettings"]


_DOT = 9
"""A waiting cell shows a dot of a ninth of its side."""


@dataclass(slots=True)
class MapSettings:
    """How maps are drawn; the same for all biomarkers."""

    visible: bool = True
    opacity: float = 0.55
    palette: str = "blue_red"
    doubt: bool = False


class MapLayers(QObject):
    """Adds, fills, shows and removes the layers of one run on one slide.

    Parameters
    ----------
    viewer : ViewerModel
        Where they are shown; held weakly.
    entry : OpenSlide
        The slide below.
    run : RunState
        What is shown. Its arrays are drawn from directly: after new scores came, call
        :meth:`refresh`.
    settings : MapSettings
        Shared by the maps of one window.

    Signals
    -------
    changed()
        What is visible changed.
    """

    changed = Signal()

    def __init__(
        self, viewer: ViewerModel, entry: OpenSlide, run: RunState, settings: MapSettings
    ) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self._entry = entry
        self._run = run
        self.settings = settings
        self._current: str | None = next(iter(run.models), None)
        self._maps: dict[str, Image] = {}
        self._heat: dict[str, NDArray[np.float32]] = {}
        self._doubt: Image | None = None
        self._marks: Shapes | None = None
        self._unreadable: Layer | None = None
        self._waiting: dict[int, Labels] = {}
        self._removing = False
        self.running = False
        viewer.layers.events.removed.connect(self._on_layer_removed)

    # what is shown ------------------------------------------------------------------------

    @property
    def current(self) -> str | None:
        """Model whose map is the one shown."""
        return self._current

    @property
    def any_shown(self) -> bool:
        """Whether a map can be seen."""
        return any(layer.visible for layer in self._maps.values())

    def choose(self, model_id: str) -> None:
        """Show this model's map and no other."""
        self._current = model_id
        self.apply()

    def apply(self) -> None:
        """Bring the layers in line with the settings."""
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        s = self.settings
        if self._current is not None and s.visible and self._current not in self._maps:
            self._add_map(viewer, self._current)
        for model_id, layer in self._maps.items():
            layer.visible = s.visible and model_id == self._current
            layer.opacity = s.opacity
            if layer.colormap.name != f"her2-{s.palette}":
                layer.colormap = palette(s.palette)
        if s.doubt:
            self._fill_doubt(viewer)
        if self._doubt is not None:
            self._doubt.visible = s.doubt
        self.changed.emit()

    def add_all(self) -> None:
        """Lay out the maps of all models, so that each has its row in the layer list."""
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        for model_id in reversed(list(self._run.models)):
            if model_id not in self._maps:
                self._add_map(viewer, model_id)
        self._add_waiting(viewer)
        self.apply()

    def refresh(self) -> None:
        """New scores came: draw what is visible again."""
        for model_id, layer in self._maps.items():
            np.copyto(self._heat[model_id], self._run.models[model_id].positive)
            if layer.visible:
                layer.refresh(thumbnail=False, highlight=False, extent=False)
        self._fill_waiting()
        viewer = self._viewer()
        if viewer is not None and self._doubt is not None and self._doubt.visible:
            self._fill_doubt(viewer)

    def finish(self) -> None:
        """The run ended: thumbnails, no more dots, and a hatch over what could not be read."""
        self.running = False
        for model_id, layer in self._maps.items():
            np.copyto(self._heat[model_id], self._run.models[model_id].positive)
            layer.refresh()
        self._remove(self._waiting.values())
        self._waiting.clear()
        self._show_unreadable()

    def mark(self, region: Region | None) -> None:
        """Draw a box round a place; None takes it away."""
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        if self._marks is None:
            if region is None:
                return
            self._add_marks(viewer)
        assert self._marks is not None
        if region is None:
            self._marks.data = []
            return
        corners = [
            (region.x, region.y),
            (region.right, region.y),
            (region.right, region.bottom),
            (region.x, region.bottom),
        ]
        mx, my = self._entry.world_mpp
        box = xy_to_world_yx(corners, mx, my)
        self._marks.data = []
        # World units: about five and two pixels of the screen at the zoom of a tile. Black on white
        # is seen on glass, on tissue and on the map.
        thick = max(region.width * mx / 90, 1e-3)
        self._marks.add_rectangles(
            [box, box],
            edge_width=[thick, thick / 2.5],
            edge_color=["#FFFFFF", "#000000"],
            face_color="transparent",
        )

    def remove(self) -> None:
        """Take the layers out of the window."""
        viewer = self._viewer()
        if viewer is None:
            return
        layers = [*self._maps.values(), self._doubt, self._unreadable, self._marks]
        self._remove([*(x for x in layers if x is not None), *self._waiting.values()])
        self._maps.clear()
        self._heat.clear()
        self._waiting.clear()
        self._doubt = self._marks = self._unreadable = None

    def _remove(self, layers: Iterable[Layer]) -> None:
        viewer = self._viewer()
        if viewer is None:
            return
        self._removing = True
        try:
            remove_layers_safely(viewer, layers)
        finally:
            self._removing = False

    # making layers ------------------------------------------------------------------------

    def _common(self, kind: str, scores: ModelScores | None = None) -> dict[str, Any]:
        unit = "um" if self._entry.mpp is not None else "pixel"
        meta: dict[str, Any] = {
            "kind": kind,
            "slide_id": self._entry.slide_id,
            "run_id": self._run.run_id,
        }
        if scores is not None:
            meta |= {"model_id": scores.card.id, "model_status": scores.card.status}
        common: dict[str, Any] = {
            "units": (unit, unit),
            "axis_labels": ("y", "x"),
            "metadata": {"her2": meta},
        }
        if scores is not None:
            at = scores.sheet.grid.transform()
            common |= {"scale": at.scale, "translate": at.translate}
        return common

    def _add_map(self, viewer: ViewerModel, model_id: str) -> None:
        heatmap = self._run.models[model_id].heatmap(self._entry.slide_id)
        data, kwargs, _ = heatmap_layer(
            heatmap, palette=self.settings.palette, run_id=self._run.run_id
        )
        self._heat[model_id] = data
        kwargs["opacity"] = self.settings.opacity
        kwargs["visible"] = self.settings.visible and model_id == self._current
        layer = Image(data, **kwargs)
        layer.contrast_limits_range = (0.0, 1.0)
        layer.colorbar.size = (14, 110)
        layer.colorbar.font_size = 9
        layer.colorbar.visible = True
        self._maps[model_id] = layer
        add_in_order(viewer, layer)

    def _fill_doubt(self, viewer: ViewerModel) -> None:
        if self._current is None:
            return
        scores = self._run.models[self._current]
        if self._doubt is None:
            self._doubt = Image(
                scores.doubt,
                name=f"Doubt · {self._entry.short}",
                colormap=doubt_veil(),
                contrast_limits=(0.0, 1.0),
                blending="translucent",
                interpolation2d="nearest",
                **self._common("doubt", scores),
            )
            add_in_order(viewer, self._doubt)
            return
        placed = self._common("doubt", scores)
        self._doubt.data = scores.doubt
        self._doubt.scale, self._doubt.translate = placed["scale"], placed["translate"]

    def _add_waiting(self, viewer: ViewerModel) -> None:
        """Light dots on cells that will be scored: another look than "no tissue"."""
        for scores in self._run.models.values():
            sheet = scores.sheet
            if id(sheet) in self._waiting or not self.running:
                continue
            rows, cols = sheet.grid.shape
            dots = np.zeros((rows * _DOT, cols * _DOT), np.uint8)
            place = self._common("waiting", scores)
            scale = np.asarray(place["scale"]) / _DOT
            shift = np.asarray(place["translate"]) - np.asarray(place["scale"]) / 2 + scale / 2
            layer = Labels(
                dots,
                name=f"Waiting · {self._entry.short}",
                colormap={0: "transparent", None: "transparent", 1: "#FFFFFF"},
                opacity=0.6,
                **{**place, "scale": scale, "translate": shift},
            )
            layer.editable = False
            self._waiting[id(sheet)] = layer
            add_in_order(viewer, layer)
        self._fill_waiting()

    def _fill_waiting(self) -> None:
        for scores in self._run.models.values():
            sheet = scores.sheet
            layer = self._waiting.get(id(sheet))
            if layer is None:
                continue
            rows, cols = sheet.cells[:, 0], sheet.cells[:, 1]
            todo = ~(sheet.scored[rows, cols] | sheet.failed[rows, cols])
            middle = _DOT // 2
            layer.data[rows * _DOT + middle, cols * _DOT + middle] = todo
            layer.refresh(thumbnail=False, highlight=False, extent=False)

    def _add_marks(self, viewer: ViewerModel) -> None:
        self._marks = Shapes(ndim=2, name=f"Marks · {self._entry.short}", **self._common("marks"))
        self._marks.editable = False
        add_in_order(viewer, self._marks)

    def _show_unreadable(self) -> None:
        viewer = self._viewer()
        sheet = next((s for s in self._run.sheets if s.failed.any()), None)
        if viewer is None or sheet is None or self._unreadable is not None:
            return
        if self._entry.layer not in viewer.layers:
            return
        data, kwargs, kind = unreadable_layer(sheet.grid, sheet.failed, self._entry.slide)
        self._unreadable = add_in_order(viewer, Layer.create(data, kwargs, kind))

    # the user closed a view ---------------------------------------------------------------

    def _on_layer_removed(self, event: Any) -> None:
        layer = event.value
        ours = [m for m, x in self._maps.items() if x is layer]
        for model_id in ours:
            del self._maps[model_id]
            del self._heat[model_id]
        self._waiting = {k: x for k, x in self._waiting.items() if x is not layer}
        if layer is self._doubt:
            self._doubt = None
        elif layer is self._marks:
            self._marks = None
        elif layer is self._unreadable:
            self._unreadable = None
        elif not ours:
            return
        if ours and not self._removing:
            # Later: a window that closes takes its layers away one by one, and says nothing.
            current_gone = self._current in ours
            QTimer.singleShot(0, lambda: self._tell_closed(current_gone))

    def _tell_closed(self, current_gone: bool) -> None:
        viewer = self._viewer()
        if viewer is None or self._entry.layer not in viewer.layers:
            return
        if current_gone:
            self.settings.visible = False
        show_info(ui("view_closed"))
        self.changed.emit()
