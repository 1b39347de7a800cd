"""What one viewer window knows: its slides, its run, its results. One session per viewer.

The docks are views of the session; closing a dock loses nothing. The session holds the viewer
weakly, so that it goes away with its window.
"""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari.settings import get_settings as napari_settings
from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2._qt import camera
from napari_her2._qt.layer_order import add_in_order, her2, kind_of
from napari_her2._qt.open_slide import OpenSlide, Survey, slide_of
from napari_her2._qt.safe_layers import remove_layers_safely
from napari_her2._qt.slicing import slice_beside
from napari_her2._qt.task_runner import BackgroundCalls, TaskRunner
from napari_her2._qt.telling import sentence_of, tell
from napari_her2._qt.texts import ui
from napari_her2.settings import LOGGER, get_settings

if TYPE_CHECKING:
    from napari.components import ViewerModel
    from napari.layers import Layer

    from napari_her2._qt.annotate.controller import AnnotateController
    from napari_her2._qt.predict.controller import PredictController
    from napari_her2._qt.score.controller import ScoreController
    from napari_her2._qt.train.controller import TrainController
    from napari_her2._qt.window import WindowKeeper

__all__ = ["Session", "results_folder", "sentence_of", "session_of", "tell", "unwrap"]

_SESSIONS: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def unwrap(viewer: Any) -> ViewerModel:
    """The viewer behind the proxy that napari hands to plugins."""
    return getattr(viewer, "__wrapped__", viewer)


def session_of(viewer: Any) -> Session:
    """The session of a viewer, made at its first use."""
    key = unwrap(viewer)
    if key not in _SESSIONS:
        _SESSIONS[key] = Session(key)
    return _SESSIONS[key]


def results_folder() -> Path:
    """Where runs started in the window are kept."""
    return get_settings().data_dir / "results"


class Session(QObject):
    """State of one viewer.

    Signals
    -------
    slides_changed()
        A slide was opened or closed.
    active_changed()
        Another slide is the one the docks work on.
    facts_changed()
        Something became known of the active slide: survey, pixel size, stain.
    closing()
        The window closes.
    """

    slides_changed = Signal()
    active_changed = Signal()
    facts_changed = Signal()
    closing = Signal()

    def __init__(self, viewer: ViewerModel) -> None:
        super().__init__()
        self._viewer = weakref.ref(viewer)
        self.slides: list[OpenSlide] = []
        self._active: OpenSlide | None = None
        self.runner = TaskRunner(self)
        self.background = BackgroundCalls(self)
        self.thumbnails = BackgroundCalls(self)
        self._predict: PredictController | None = None
        self.keeper: WindowKeeper | None = None
        self._score: ScoreController | None = None
        self._annotate: AnnotateController | None = None
        self._train: TrainController | None = None
        self._demos: set[str] = set()
        self.front = "predict"
        self._closed = False
        self._fitted: camera.KeptFitted | None = None
        viewer.layers.events.inserted.connect(self._on_layer_inserted)
        viewer.layers.events.removed.connect(self._on_layer_removed)
        viewer.layers.selection.events.active.connect(self._on_selection_changed)
        viewer.dims.events.ndisplay.connect(self._on_ndisplay_changed)
        for layer in viewer.layers:
            self._take(layer)

    @property
    def viewer(self) -> ViewerModel | None:
        """The viewer; None once it is gone."""
        return self._viewer()

    @property
    def predict(self) -> PredictController:
        """The one owner of prediction in this window."""
        if self._predict is None:
            from napari_her2._qt.predict.controller import PredictController

            self._predict = PredictController(self)
        return self._predict

    @property
    def score(self) -> ScoreController:
        """The one owner of cell scoring in this window."""
        if self._score is None:
            from napari_her2._qt.score.controller import ScoreController

            self._score = ScoreController(self)
        return self._score

    @property
    def annotate(self) -> AnnotateController:
        """The one owner of drawing in this window."""
        if self._annotate is None:
            from napari_her2._qt.annotate.controller import AnnotateController

            self._annotate = AnnotateController(self)
        return self._annotate

    @property
    def train(self) -> TrainController:
        """The one owner of training in this window."""
        if self._train is None:
            from napari_her2._qt.train.controller import TrainController

            self._train = TrainController(self)
        return self._train

    @property
    def front_presenter(self) -> Any:
        """The result on the active slide that the dock in front shows; else any there is."""
        entry = self._active
        if entry is None:
            return None
        order = (self.front, "predict", "score")
        return next((entry.extra[k] for k in order if entry.extra.get(k) is not None), None)

    # slides -------------------------------------------------------------------------------

    @property
    def active(self) -> OpenSlide | None:
        """The slide the docks work on."""
        return self._active

    def activate(self, entry: OpenSlide | None) -> None:
        """Work on another slide."""
        if entry is not self._active:
            self._active = entry
            self.active_changed.emit()

    def show_only(self, entry: OpenSlide) -> None:
        """Show one slide and what lies on it; the others come back later as they were.

        Slides share one world, so two of them would lie over each other. Side by side (napari's
        grid) they do not, and stay.
        """
        viewer = self.viewer
        if viewer is None or viewer.canvas.grid.enabled:
            return
        for layer in viewer.layers:
            owner = self.entry_of(layer)
            if owner is None:
                continue
            hidden = owner.hidden
            if owner is entry and layer in hidden:
                hidden.remove(layer)
                layer.visible = True
            elif owner is not entry and layer.visible:
                hidden.append(layer)
                layer.visible = False
        if self.entry_of(viewer.layers.selection.active) is not entry:
            # Layers that are added later give the selection back to what had it.
            viewer.layers.selection.active = entry.layer
        self.activate(entry)
        centre, zoom = camera.frame(viewer, entry, entry.bounds)
        camera.Flight(self).to(viewer, centre, zoom * 0.95)

    def entry_of(self, layer: Layer | None) -> OpenSlide | None:
        """The slide that a layer shows or belongs to."""
        if layer is None:
            return None
        for entry in self.slides:
            if entry.layer is layer:
                return entry
        slide_id = her2(layer).get("slide_id")
        return next((e for e in self.slides if e.slide_id == slide_id), None)

    def set_mpp(self, entry: OpenSlide, x: float, y: float, *, remember: bool) -> None:
        """Give a slide its pixel size; its layer moves to micrometres.

        Raises
        ------
        Her2Error
            If the value is impossible or the sidecar can't be written.
        """
        if remember:
            from napari_her2.slides import remember_mpp

            remember_mpp(entry.slide, x, y)
        entry.given_mpp = (x, y)
        entry.reopen((x, y))
        entry.layer.scale = (y, x)
        entry.layer.units = ("um", "um")
        viewer = self.viewer
        if viewer is not None and len(self.slides) == 1:
            self._keep_fitted(viewer).fit()
        self._start_survey(entry)
        self.facts_changed.emit()

    def set_stain(self, entry: OpenSlide, stain: str | None) -> None:
        """Say what stain a slide carries; None = as guessed."""
        entry.stain = stain
        self.facts_changed.emit()

    def close_slide(self, entry: OpenSlide) -> None:
        """Take a slide and its layers out of the window. Its results stay on disk."""
        viewer = self.viewer
        if viewer is None:
            return
        ours = [layer for layer in viewer.layers if self.entry_of(layer) is entry]
        remove_layers_safely(viewer, [x for x in ours if x is not entry.layer])
        remove_layers_safely(viewer, [entry.layer])

    def _take(self, layer: Layer) -> None:
        slide = slide_of(layer)
        if slide is None or any(e.layer is layer for e in self.slides):
            return
        entry = OpenSlide(slide, layer)
        self.slides.append(entry)
        if len(self.slides) == 1:
            self._dress_window()
        self._guard_keys(layer)
        self._start_survey(entry)
        self.slides_changed.emit()
        self.activate(entry)
        if len(self.slides) > 1:
            self.show_only(entry)

    def _on_layer_inserted(self, event: Any) -> None:
        self._take(event.value)

    def _on_layer_removed(self, event: Any) -> None:
        layer = event.value
        for entry in [e for e in self.slides if e.layer is layer]:
            self.slides.remove(entry)
            if self._active is entry:
                self.activate(self.slides[-1] if self.slides else None)
            self.slides_changed.emit()
            # The worker may still be reading this slide: it has a handle of its own. What reads
            # through this one (the picture) went away with the layer.
            QTimer.singleShot(0, entry.close)
        if not self.slides and not self._closed:
            self._undress_window()

    def _on_selection_changed(self, event: Any) -> None:
        entry = self.entry_of(event.value)
        if entry is not None:
            self.activate(entry)

    def _on_ndisplay_changed(self, event: Any) -> None:
        if event.value == 3 and self.slides:
            from napari.utils.notifications import show_info

            show_info(ui("flat_slide"))

    # first look ---------------------------------------------------------------------------

    def _start_survey(self, entry: OpenSlide) -> None:
        entry.survey, entry.survey_error = None, None
        slide = entry.slide

        def look() -> Survey:
            from napari_her2.stains.guess import guess_stain
            from napari_her2.tiles.tissue import find_tissue

            tissue = find_tissue(slide)
            return Survey(tissue, guess_stain(slide, tissue))

        def done(survey: Survey) -> None:
            entry.survey = survey
            if entry in self.slides:
                self.facts_changed.emit()

        def failed(error: Exception) -> None:
            entry.survey_error = error
            LOGGER.info("first look failed: %s", type(error).__name__)
            if entry in self.slides:
                self.facts_changed.emit()

        self.background.submit(look, done, failed)

    # label and macro ----------------------------------------------------------------------

    def show_associated(self, entry: OpenSlide, name: str) -> Layer | None:
        """Load the label or macro image on request; it may identify the patient.

        Raises
        ------
        Her2Error
            If the slide has none or it can't be read.
        """
        from napari.layers import Layer

        from napari_her2.layers import associated_layer

        viewer = self.viewer
        if viewer is None:
            return None
        for layer in viewer.layers:
            if kind_of(layer) == name and her2(layer).get("slide_id") == entry.slide_id:
                layer.visible = True
                return layer
        layer = Layer.create(*associated_layer(entry.slide, name))
        layer.visible = True
        return add_in_order(viewer, layer)

    # window -------------------------------------------------------------------------------

    def show_demo_mark(self, shown: bool, whose: str) -> None:
        """Say on the picture that a demo model's result is visible.

        Parameters
        ----------
        shown : bool
            Whether it is.
        whose : str
            Which dock's result; the others' are remembered.
        """
        (self._demos.add if shown else self._demos.discard)(whose)
        self._write_overlay()

    def _write_overlay(self) -> None:
        viewer = self.viewer
        if viewer is not None:
            viewer.canvas.overlays.text.text = ui("overlay_demo" if self._demos else "overlay")

    def _dress_window(self) -> None:
        viewer = self.viewer
        if viewer is None:
            return
        overlays = viewer.canvas.overlays
        overlays.scale_bar.visible = True
        overlays.scale_bar.position = "bottom_right"
        overlays.text.position = "bottom_left"
        overlays.text.visible = True
        self._write_overlay()
        self._keep_fitted(viewer)
        slice_beside(viewer, True)

    def _keep_fitted(self, viewer: ViewerModel) -> camera.KeptFitted:
        if self._fitted is not None:
            self._fitted.stop()
        self._fitted = camera.KeptFitted(viewer, self)
        return self._fitted

    def _undress_window(self) -> None:
        viewer = self.viewer
        if viewer is not None:
            viewer.canvas.overlays.text.visible = False
            viewer.canvas.overlays.scale_bar.visible = False
            slice_beside(viewer, napari_settings().experimental.async_)

    def _guard_keys(self, layer: Layer) -> None:
        from napari_her2._qt.key_bindings import guard_slide_keys

        guard_slide_keys(layer)

    def close(self) -> None:
        """The window closes: stop the run, keep what is done, forget the rest."""
        if self._closed:
            return
        self._closed = True
        self.closing.emit()
        self.runner.stop(timeout=2.0)
        self.background.close()
        self.thumbnails.close()
