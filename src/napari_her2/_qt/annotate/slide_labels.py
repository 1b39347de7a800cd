"""The labels of one slide in one window: its book, the layers that show it, what is selected."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2._qt.annotate.brush import BrushLayer
from napari_her2._qt.annotate.crowd import CROWD_TYPES, Crowd
from napari_her2._qt.annotate.shapes_layer import LabelDots, LabelShapes
from napari_her2._qt.annotate.sketch_layer import SketchLayer
from napari_her2._qt.safe_layers import remove_layers_safely
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.schema import ClassSchema
from napari_her2.annotations.store import Tally
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["CROWD_TYPES", "SlideLabels"]

_CHUNK: Final = 400
"""So many regions are laid out before the window is let go for a moment."""
_FINE: Final = ((1000, 0.2), (3000, 1.0))
_COARSE_PX: Final = 2.0
_FEW: Final = 5
_BEAT_MS: Final = 30_000
"""How often a living window says so, and an idle one writes all in one file."""


class SlideLabels(QObject):
    """What the dock works on.

    Parameters
    ----------
    session : Session
        The window.
    entry : OpenSlide
        The slide.
    book : AnnotationBook
        Its labels; every change goes through it.
    schema : ClassSchema
        Gives colours.

    Signals
    -------
    edited(Edit or None)
        Something changed; None: anything may have.
    selection_changed()
        Other regions are selected.
    saving_changed()
        The state of the book changed.
    refused(Her2Error)
        An edit was not made.
    """

    edited = Signal(object)
    selection_changed = Signal()
    saving_changed = Signal()
    refused = Signal(object)

    def __init__(self, session: Session, entry: OpenSlide, book: Any, schema: ClassSchema) -> None:
        super().__init__()
        self._session = session
        self.entry = entry
        self.book = book
        self.store = book.store
        self.schema = schema
        self.selection: tuple[str, ...] = ()
        self.hidden: set[str | None] = set()
        self.shown = True
        viewer = session.viewer
        assert viewer is not None
        self.shapes = LabelShapes(viewer, entry, self._on_napari_change)
        self.dots = LabelDots(viewer, entry)
        self.sketch = SketchLayer(viewer, entry)
        self.brush = BrushLayer(viewer, entry)
        self.crowd = Crowd(viewer, entry)
        self._waiting: dict[str, Annotation] = {}
        self._drawn: set[str] = set()
        self._laying = QTimer(self)
        self._laying.setInterval(0)
        self._laying.timeout.connect(self._lay_some)
        self._beat = QTimer(self)
        self._beat.setInterval(_BEAT_MS)
        self._beat.timeout.connect(self._on_beat)
        self._beat.start()
        self._snapped = self._last_seen = self.store.revision
        book.on_state(lambda _: self.saving_changed.emit())
        self._mpp = entry.world_mpp
        self._zoomed = 0.0
        self.on_layer_made: Callable[[Shapes], None] | None = None
        self.on_foreign_change: Callable[[str, Any], None] | None = None
        self._end_listening = self.store.on_changed(self.follow)

    # layers -------------------------------------------------------------------------------

    @property
    def layer(self) -> Shapes | None:
        """The ``Labels`` layer, if it is in the window."""
        return self.shapes.layer

    def prepare(self) -> Shapes | None:
        """Have the layer there and drawn."""
        if self.shapes.layer is not None:
            return self.shapes.layer
        layer = self.shapes.make(self.schema)
        if layer is not None:
            if self.on_layer_made is not None:
                self.on_layer_made(layer)
            self.sketch.make()
            self.refill()
        return layer

    def refill(self) -> None:
        """Draw everything anew, some at a time."""
        self.shapes.clear()
        self._drawn.clear()
        self._waiting = {a.id: a for a in self.store if self._wanted(a)}
        self._fill_dots()
        self._fill_crowd()
        self._mark()
        self._lay_some()
        if self._waiting:
            self._laying.start()

    @property
    def laid_out(self) -> bool:
        """Whether all regions are drawn."""
        return not self._waiting

    def _wanted(self, a: Annotation) -> bool:
        return a.object_type not in CROWD_TYPES and self.is_shown(a)

    def is_shown(self, a: Annotation) -> bool:
        """Whether the class of a region is to be seen."""
        return self.class_of(a.class_name) not in self.hidden

    def class_of(self, name: str | None) -> str | None:
        """Our name of a class, where the schema knows it by another program's."""
        known = self.schema.find(name)
        return name if known is None else known.name

    def tallies(self) -> dict[str | None, Tally]:
        """How much there is of each class, by our names."""
        found: dict[str | None, Tally] = {}
        for given, t in self.store.tallies().items():
            name = self.class_of(given)
            had = found.get(name, Tally())
            found[name] = Tally(had.n + t.n, had.area_px + t.area_px, had.points + t.points)
        return found

    @property
    def tolerance_px(self) -> float:
        """How far drawn outlines may lie beside the true ones: less than is seen, for few."""
        n = len(self.store) - self.crowd.n
        return next((fine for most, fine in _FINE if n <= most), _COARSE_PX)

    def _lay_some(self) -> None:
        some = list(self._waiting.values())[:_CHUNK]
        for a in some:
            del self._waiting[a.id]
        self._drawn.update(a.id for a in some)
        self.shapes.add(some, self.schema, self.tolerance_px)
        if not self._waiting:
            self._laying.stop()

    def _fill_dots(self) -> None:
        self.dots.fill([a for a in self.store if self._wanted(a) and not a.is_area], self.schema)

    def _fill_crowd(self) -> None:
        cells = [a for a in self.store if a.object_type in CROWD_TYPES]
        if cells or self.crowd.n:
            self.crowd.fill(cells, self.schema, self.hidden)

    def follow_camera(self) -> None:
        """The view moved: other cells are in it."""
        self.crowd.follow()

    def follow_zoom(self) -> None:
        """Lines keep their width on the screen."""
        zoom = self._zoom
        if zoom != self._zoomed:
            self._zoomed = zoom
            self.shapes.follow_zoom()
            self.sketch.redraw()
            self._fill_dots()

    @property
    def _zoom(self) -> float:
        viewer = self._session.viewer
        return 1.0 if viewer is None else float(viewer.scene.camera.zoom)

    def follow_pixel_size(self) -> None:
        """The slide got another pixel size: what is drawn on it moves with it."""
        mx, my = self.entry.world_mpp
        if (mx, my) == self._mpp:
            return
        self._mpp = (mx, my)
        unit = "um" if self.entry.mpp is not None else "pixel"
        for layer in self.layers:
            layer.scale = (my, mx)
            layer.units = (unit, unit)

    @property
    def layers(self) -> list[Any]:
        """Our layers on this slide."""
        found = (self.shapes.layer, self.dots.layer, self.sketch.layer, self.brush.layer)
        return [layer for layer in found if layer is not None]

    def forget_layer(self, layer: Any) -> bool:
        """The user closed a layer; False if it is not ours."""
        for owner in (self.shapes, self.dots, self.sketch, self.brush):
            if owner.layer is layer:
                owner.layer = None
                if owner is self.shapes:
                    self._laying.stop()
                    self.shapes.ids = []
                return True
        return False

    def end(self) -> None:
        """Give the book back.

        Raises
        ------
        DiskFullError, CannotWriteError, AnnotationsBusyError
            If edits are only in memory; the book stays open then.
        """
        self.book.close()
        self._laying.stop()
        self._beat.stop()
        self._end_listening()

    def remove_layers(self) -> None:
        """Take the layers out of the window."""
        viewer = self._session.viewer
        if viewer is not None:
            self.crowd.end()
            remove_layers_safely(viewer, self.layers)

    # edits --------------------------------------------------------------------------------

    def apply(self, edit: Edit) -> bool:
        """Make an edit; False if it was refused."""
        return self._change(lambda: self.book.apply(edit))

    def undo(self) -> bool:
        """Take the last edit back; False if there is none."""
        return bool(self.store.can_undo) and self._change(self.book.undo)

    def redo(self) -> bool:
        """Make it again; False if there is none."""
        return bool(self.store.can_redo) and self._change(self.book.redo)

    def _change(self, call: Callable[[], Any]) -> bool:
        try:
            call()
        except Her2Error as error:
            self.refused.emit(error)
            return False
        self.saving_changed.emit()
        return True

    def follow(self, edit: Edit | None) -> None:
        """Draw what an edit changed; None draws everything."""
        if edit is None:
            self.refill()
        elif self.shapes.layer is not None:
            self._draw(edit)
        if all(i in self.store for i in self.selection):
            self._mark()
        else:
            self.select(self.selection)
        self.edited.emit(edit)

    def _draw(self, edit: Edit) -> None:
        before = {a.id: a for a in edit.removed}
        same = [
            a
            for a in edit.added
            if a.id in before and a.id in self._drawn and before[a.id].geometry is a.geometry
        ]
        kept = {a.id for a in same}
        recoloured = [a for a in same if self._wanted(a)]
        gone = [i for i in before if i not in kept] + [a.id for a in same if not self._wanted(a)]
        for i in gone:
            self._waiting.pop(i, None)
            self._drawn.discard(i)
        self.shapes.remove(gone)
        fresh = [a for a in edit.added if a.id not in kept and self._wanted(a)]
        if len(fresh) > _CHUNK:
            self._waiting |= {a.id: a for a in fresh}
            self._laying.start()
        else:
            self._drawn.update(a.id for a in fresh)
            self.shapes.add(fresh, self.schema, self.tolerance_px)
        changed = [a for a in recoloured if (a.class_name, a.colour) != _look(before[a.id])]
        if len(changed) > _FEW:
            self.shapes.recolour(changed, self.schema)
        elif changed:
            # napari colours all shapes anew or none: for a few it is quicker to draw them again.
            self.shapes.remove([a.id for a in changed])
            self.shapes.add(changed, self.schema, self.tolerance_px)
        if any(not a.is_area for a in (*edit.removed, *edit.added)):
            self._fill_dots()
        if any(a.object_type in CROWD_TYPES for a in (*edit.removed, *edit.added)):
            self._fill_crowd()

    def _on_napari_change(self, action: str, indices: Any) -> None:
        """Somebody changed the shapes behind our back."""
        if self.on_foreign_change is not None:
            self.on_foreign_change(action, indices)

    # saving -------------------------------------------------------------------------------

    @property
    def state(self) -> str:
        """``saved`` or ``failed: reason``."""
        return str(self.book.state)

    def _on_beat(self) -> None:
        """Tell other programs that this one lives; what changed and rests goes into one file."""
        self.book.heartbeat()
        revision = self.store.revision
        if self.book.recovered is None and not self.book.read_only and revision != self._snapped:
            if revision == self._last_seen:
                try:
                    self.book.snapshot()
                except Her2Error:
                    # The book tells why by its state, and tries again with the next edit.
                    return
                self._snapped = revision
            self._last_seen = revision

    # selection ----------------------------------------------------------------------------

    def select(self, ids: Iterable[str]) -> None:
        """Select regions and no others."""
        chosen = tuple(dict.fromkeys(i for i in ids if i in self.store))
        if chosen != self.selection:
            self.selection = chosen
            self._mark()
            self.selection_changed.emit()

    @property
    def selected(self) -> list[Annotation]:
        """The selected regions."""
        return [self.store.get(i) for i in self.selection if i in self.store]

    def _mark(self) -> None:
        if self.shapes.layer is not None:
            self.sketch.mark([a.geometry for a in self.selected][:200])

    # what is seen -------------------------------------------------------------------------

    def set_schema(self, schema: ClassSchema) -> None:
        """Draw in the colours of another schema."""
        if schema != self.schema:
            self.schema = schema
            if self.shapes.layer is not None:
                self.refill()

    def set_hidden(self, names: set[str | None]) -> None:
        """Hide the regions of these classes, show the others."""
        if names == self.hidden:
            return
        changed = names ^ self.hidden
        self.hidden = set(names)
        if self.shapes.layer is None:
            return
        theirs = [a for a in self.store if self.class_of(a.class_name) in changed]
        for a in theirs:
            self._waiting.pop(a.id, None)
        self._drawn.difference_update(a.id for a in theirs)
        self.shapes.remove(a.id for a in theirs)
        self._waiting |= {a.id: a for a in theirs if self._wanted(a)}
        self._fill_dots()
        self._fill_crowd()
        self._lay_some()
        if self._waiting:
            self._laying.start()

    def of_class(self, name: str | None) -> Sequence[Annotation]:
        """All regions of a class."""
        return [a for a in self.store if self.class_of(a.class_name) == name]


def _look(a: Annotation) -> tuple[Any, Any]:
    return a.class_name, a.colour
