"""Owns the labels of a window: opens books, binds tools and keys to layers, tells the dock."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

from qtpy.QtCore import QObject, QTimer, Signal

from napari_her2._qt.annotate.easel import DRAWING_TOOLS, Easel, stamp
from napari_her2._qt.annotate.foreign import edit_of
from napari_her2._qt.annotate.label_keys import guard_label_keys
from napari_her2._qt.annotate.label_next import NextPlaces
from napari_her2._qt.annotate.label_sources import LabelSources
from napari_her2._qt.annotate.looking import SlideLook
from napari_her2._qt.annotate.pointer import Pointer
from napari_her2._qt.annotate.reshaping import Reshaping
from napari_her2._qt.annotate.services import AnnotateServices, rescue_labels
from napari_her2._qt.annotate.slide_labels import SlideLabels
from napari_her2._qt.annotate.tools import At
from napari_her2._qt.annotate.words import hover_words
from napari_her2._qt.score.corrections import reader_name
from napari_her2._qt.session import tell
from napari_her2.annotations.edits import Edit, lock, note
from napari_her2.annotations.schema import ClassSchema
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["AnnotateController"]

_ZOOM_MS: Final = 120


class AnnotateController(QObject):
    """The one owner of drawing in a window.

    Signals
    -------
    labels_changed()
        Another slide's labels are the ones the dock works on, or they were opened just now.
    edited(Edit or None)
        They changed.
    selection_changed(), saving_changed(), schema_changed(), brush_changed()
        What the dock shows of them changed.
    failed(Exception or None)
        Why the labels can't be opened or changed.
    """

    labels_changed = Signal()
    edited = Signal(object)
    selection_changed = Signal()
    saving_changed = Signal()
    schema_changed = Signal()
    brush_changed = Signal()
    failed = Signal(object)

    def __init__(self, session: Session, services: AnnotateServices | None = None) -> None:
        super().__init__(session)
        self._session = session
        self.services = services or AnnotateServices()
        self.look = SlideLook(session)
        self.easel = Easel(self, self.look)
        self.sources = LabelSources(session)
        self.reshaping = Reshaping(self.easel, self.look)
        self.easel.on_line = self.reshaping.split
        self.easel.on_hover = self._on_hover
        self.wanted = False
        self._labels: SlideLabels | None = None
        self._all: list[SlideLabels] = []
        self._opening: set[int] = set()
        self._pointer: Pointer | None = None
        self.schemas = self.services.schemas()
        self.schema: ClassSchema = self.schemas[0]
        self.next = NextPlaces(self)
        self._zooming = QTimer(self)
        self._zooming.setSingleShot(True)
        self._zooming.timeout.connect(self._on_zoomed)
        self.easel.tool_changed.connect(self._on_tool_changed)
        self._take_first_class()
        session.active_changed.connect(self._on_active_changed)
        session.facts_changed.connect(self._on_facts_changed)
        session.slides_changed.connect(self._on_slides_changed)
        session.closing.connect(self.close)
        viewer = session.viewer
        if viewer is not None:
            viewer.scene.camera.events.zoom.connect(self._on_camera_moved)
            viewer.scene.camera.events.center.connect(self._on_camera_moved)
            viewer.layers.events.removed.connect(self._on_layer_removed)

    @property
    def session(self) -> Session:
        """The window."""
        return self._session

    # labels -------------------------------------------------------------------------------

    @property
    def labels(self) -> SlideLabels | None:
        """The labels of the active slide, once they are open."""
        return self._labels

    def open(self) -> None:
        """Open the labels of the active slide, beside the window; from now on of every slide."""
        self.wanted = True
        self._on_active_changed()

    def _on_active_changed(self) -> None:
        entry = self._session.active
        found = None if entry is None else entry.extra.get("labels")
        self._show(found)
        if found is None and entry is not None and self.wanted and id(entry) not in self._opening:
            self._open(entry)

    def _open(self, entry: OpenSlide) -> None:
        self._opening.add(id(entry))
        author = reader_name()

        def done(book: Any) -> None:
            self._opening.discard(id(entry))
            viewer = self._session.viewer
            if entry not in self._session.slides or viewer is None:
                book.close()
                return
            labels = SlideLabels(self._session, entry, book, self.schema)
            labels.on_layer_made = lambda layer: self._on_layer_made(labels, layer)
            labels.on_foreign_change = lambda action, which: self._on_foreign(labels, action, which)
            entry.extra["labels"] = labels
            self._all.append(labels)
            labels.prepare()
            if entry is self._session.active:
                self._show(labels)

        def failed(error: Exception) -> None:
            self._opening.discard(id(entry))
            self.failed.emit(error)
            tell(error)

        self._session.background.submit(
            lambda: self.services.open_book(entry, author), done, failed
        )

    def _show(self, labels: SlideLabels | None) -> None:
        if labels is self._labels:
            return
        for ours, theirs in self._signals(self._labels):
            theirs.disconnect(ours)
        self._labels = labels
        self.next.take(None, [])
        self.easel.bind(labels)
        for ours, theirs in self._signals(labels):
            theirs.connect(ours)
        if labels is not None:
            labels.set_schema(self.schema)
            self._listen(labels)
        self.labels_changed.emit()

    def _signals(self, labels: SlideLabels | None) -> Iterable[tuple[Any, Any]]:
        if labels is None:
            return ()
        return (
            (self.edited, labels.edited),
            (self.selection_changed, labels.selection_changed),
            (self.saving_changed, labels.saving_changed),
            (self.failed, labels.refused),
        )

    def _on_layer_made(self, labels: SlideLabels, layer: Shapes) -> None:
        guard_label_keys(layer, self)
        if labels is self._labels:
            self._listen(labels)

    def _listen(self, labels: SlideLabels) -> None:
        layer = labels.layer
        if layer is None:
            self._pointer = None
            return
        self._pointer = Pointer(layer, labels.entry, self.easel)
        self._pointer.take(self.easel.tool_name)

    def _on_slides_changed(self) -> None:
        for labels in [x for x in self._all if x.entry not in self._session.slides]:
            self._all.remove(labels)
            if labels is self._labels:
                self._show(None)
            self._end(labels)
            # Later: the viewer is still taking the slide's own layer away.
            QTimer.singleShot(0, labels.remove_layers)

    def _on_facts_changed(self) -> None:
        if self._labels is not None:
            self._labels.follow_pixel_size()
            self._labels.follow_zoom()

    def _on_layer_removed(self, event: Any) -> None:
        entry = self._session.entry_of(event.value)
        labels: SlideLabels | None = None if entry is None else entry.extra.get("labels")
        if labels is not None and labels.forget_layer(event.value) and labels is self._labels:
            self._pointer = None if labels.layer is None else self._pointer

    def close(self) -> None:
        """The window closes: what is drawn is finished, the books are given back."""
        self.easel.leave()
        for labels in self._all:
            self._end(labels)
        self._all.clear()

    def _end(self, labels: SlideLabels) -> None:
        try:
            labels.end()
        except Her2Error as error:
            tell(error)
            # Nobody is there to choose another place any more; the temporary folder is better
            # than nothing, and the log says where.
            rescue_labels(labels.book)

    # tools --------------------------------------------------------------------------------

    def take_tool(self, name: str) -> None:
        """Take a tool and make the ``Labels`` layer the active one."""
        labels, viewer = self._labels, self._session.viewer
        if labels is None or viewer is None:
            return
        layer = labels.prepare()
        if layer is None:
            return
        layer.visible = True
        viewer.layers.selection.active = layer
        self.easel.choose_tool(name)

    def _on_tool_changed(self, name: str) -> None:
        if self._pointer is not None:
            self._pointer.take(name, self._brush_um())

    def _brush_um(self) -> float:
        """Width of the brush in the world."""
        viewer, brush = self._session.viewer, self.easel.brush
        if brush.fixed or viewer is None:
            return brush.size_um
        return brush.size_px / float(viewer.scene.camera.zoom)

    def set_brush(self, size: float | None = None, *, fixed: bool | None = None) -> None:
        """Change the brush: its width (screen pixels, or micrometres if fixed), or which it is."""
        brush = self.easel.brush
        if fixed is not None and fixed != brush.fixed:
            brush.size_um = round(self._brush_um(), 1)
            brush.fixed = fixed
        if size is not None and brush.fixed:
            brush.size_um = size
        elif size is not None:
            brush.size_px = size
        self._show_brush()

    def _show_brush(self) -> None:
        if self._pointer is not None and self.easel.tool_name == "brush":
            self._pointer.resize_cursor(self._brush_um())
        self.brush_changed.emit()

    def _resize_brush(self, larger: bool) -> None:
        self.easel.brush.resize(larger)
        self._show_brush()

    @property
    def at_work(self) -> bool:
        """Whether the mouse belongs to a tool now, not to the picture."""
        viewer = self._session.viewer
        if viewer is None or self._labels is None or self.easel.tool_name == "move":
            return False
        layer = self._labels.layer
        return layer is not None and viewer.layers.selection.active is layer

    def do(self, action: str) -> None:
        """Do the action of a key by its name."""
        if action.startswith("class_"):
            known = self.schema.by_key(action.removeprefix("class_"))
            drawing = self.easel.tool_name in DRAWING_TOOLS
            if known is not None and (drawing or not self.next.label(known.name)):
                self.easel.choose_class(known.name)
        elif action.startswith("tool_"):
            self.take_tool(action.removeprefix("tool_"))
        else:
            calls: dict[str, Callable[[], Any]] = {
                "toggle_subtract": self.easel.toggle_subtracting,
                "finish": self.easel.finish,
                "back": self.easel.back,
                "escape": self.easel.escape,
                "delete": self.easel.delete,
                "undo": self.easel.undo,
                "redo": self.easel.redo,
                "brush_smaller": functools.partial(self._resize_brush, False),
                "brush_larger": functools.partial(self._resize_brush, True),
            }
            if action in calls:
                calls[action]()

    def hold_space(self, held: bool) -> None:
        """Give the mouse to the camera while Space is held."""
        if self._pointer is not None:
            self._pointer.pause(held)

    # classes ------------------------------------------------------------------------------

    def set_schema(self, schema: ClassSchema) -> None:
        """Work with another schema, or the same one edited."""
        self.schema = schema
        if self._labels is not None:
            self._labels.set_schema(schema)
        self._take_first_class()
        self.schema_changed.emit()

    def reload_schemas(self) -> None:
        """Look again which schemas there are."""
        self.schemas = self.services.schemas()
        same = next((s for s in self.schemas if s.id == self.schema.id), self.schemas[0])
        self.set_schema(same)

    def _take_first_class(self) -> None:
        names = self.schema.names
        if self.easel.class_name not in names:
            self.easel.class_name = names[0] if names else None
            self.easel.class_changed.emit()

    def set_class_shown(self, name: str | None, shown: bool) -> None:
        """Show or hide the regions of a class."""
        if self._labels is not None:
            hidden = set(self._labels.hidden)
            (hidden.discard if shown else hidden.add)(name)
            self._labels.set_hidden(hidden)
            self.edited.emit(None)

    def lock_class(self, name: str | None, locked: bool) -> None:
        """Lock all regions of a class, or unlock them."""
        if self._labels is not None:
            self.apply(lock(self._labels.of_class(name), locked))

    # regions ------------------------------------------------------------------------------

    def apply(self, edit: Edit) -> bool:
        """Make an edit; an empty one is none."""
        return self._labels is not None and bool(edit) and self._labels.apply(edit)

    def lock_selected(self, locked: bool) -> None:
        """Lock the selected regions, or unlock them."""
        if self._labels is not None:
            self.apply(lock(self._labels.selected, locked))

    def write_note(self, text: str) -> None:
        """Write the note of the selected regions."""
        if self._labels is not None:
            self.apply(note(self._labels.selected, text, modified=stamp()))

    def submit(
        self,
        call: Callable[[], Any],
        done: Callable[[Any], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Do something beside the window, then one of the two in the main thread."""
        self._session.background.submit(call, done, failed)

    def _on_foreign(self, labels: SlideLabels, action: str, which: Any) -> None:
        """Make an edit of what somebody did to the shapes themselves."""
        layer = labels.layer
        if layer is None:
            return
        edit = edit_of(labels, layer, action, which, self.easel.class_name)
        # Later: napari is still in the middle of its own change.
        QTimer.singleShot(0, lambda: self._take_foreign(labels, edit))

    def _take_foreign(self, labels: SlideLabels, edit: Edit | None) -> None:
        labels.refill()
        if edit:
            labels.apply(edit)

    def _on_hover(self, at: At) -> None:
        """Tell the region under the cursor in napari's help line."""
        labels, viewer = self._labels, self._session.viewer
        found = self.easel.hits(at, 2.0)
        if labels is not None and viewer is not None and found:
            viewer.help = hover_words(found[0], labels.entry, self.schema)

    # the camera ---------------------------------------------------------------------------

    def _on_camera_moved(self) -> None:
        if not self._zooming.isActive():
            self._zooming.start(_ZOOM_MS)

    def _on_zoomed(self) -> None:
        if self._labels is not None:
            self._labels.follow_camera()
            self._labels.follow_zoom()
        if self._pointer is not None and self.easel.tool_name == "brush":
            self._pointer.resize_cursor(self._brush_um())
