"""What is drawn with, and on whose labels: takes the mouse's and the keys' orders, makes edits."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Final

import shapely
from qtpy.QtCore import QObject, Signal
from shapely.geometry import box
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.brush import BrushLayer, BrushTool
from napari_her2._qt.annotate.looking import SlideLook
from napari_her2._qt.annotate.selection import SelectTool, VertexTool
from napari_her2._qt.annotate.tools import (
    At,
    EllipseTool,
    FreehandTool,
    How,
    LineTool,
    PointsTool,
    PolygonTool,
    RectangleTool,
    Sketch,
    Tool,
)
from napari_her2._qt.annotate.wand import WandTool
from napari_her2._qt.score.corrections import reader_name
from napari_her2.annotations.annotation import AREAS, Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.geometry_edits import extend, merge, polygons_in, repair, subtract
from napari_her2.layers.annotations import NO_CLASS

if TYPE_CHECKING:
    from napari_her2._qt.annotate.slide_labels import SlideLabels

__all__ = ["DRAWING_TOOLS", "Easel", "stamp"]

DRAWING_TOOLS: Final = (
    "polygon", "freehand", "rectangle", "ellipse", "brush", "wand", "points",
)  # fmt: skip
"""Tools with which a digit is the class of the next region, not of the selected one."""


def stamp() -> str:
    """Now, as annotations note it."""
    return dt.datetime.now().astimezone().isoformat(timespec="seconds")


class Easel(QObject):
    """The tools of one window.

    Signals
    -------
    tool_changed(str)
        Another tool is taken.
    class_changed()
        The class of the next region is another, or subtracting was toggled.
    crossing(int)
        An outline crosses itself; repaired it would have so many parts. 0: settled.
    hint(str)
        Id of a text that says why nothing happened.
    """

    tool_changed = Signal(str)
    class_changed = Signal()
    crossing = Signal(int)
    hint = Signal(str)

    def __init__(self, parent: QObject, look: SlideLook) -> None:
        super().__init__(parent)
        self.labels: SlideLabels | None = None
        self.class_name: str | None = None
        self.subtracting = False
        self.brush = BrushTool(
            self, view=look.view, um_px=look.um_px, layer=self._brush_layer, colour=self._ink
        )
        self.wand = WandTool(self, look=look.grid, hint=self.hint.emit)
        self.tools: dict[str, Tool] = {
            t.name: t
            for t in (
                PolygonTool(self), FreehandTool(self), RectangleTool(self), EllipseTool(self),
                PointsTool(self), SelectTool(self), VertexTool(self), Tool(self, "move"),
                LineTool(self), self.brush, self.wand,
            )
        }  # fmt: skip
        self.on_line: Callable[[BaseGeometry], None] | None = None
        self.on_hover: Callable[[At], None] | None = None
        self.tool_name = "move"
        self._pending: tuple[BaseGeometry, How] | None = None

    # whose --------------------------------------------------------------------------------

    def bind(self, labels: SlideLabels | None) -> None:
        """Draw on the labels of another slide."""
        self.leave()
        self.labels = labels

    @property
    def tool(self) -> Tool:
        """The tool that is taken."""
        return self.tools[self.tool_name]

    @property
    def colour(self) -> str:
        """Colour of the class of the next region."""
        schema = self.labels.schema if self.labels is not None else None
        known = schema.find(self.class_name) if schema is not None else None
        return NO_CLASS if known is None else known.colour

    def _brush_layer(self) -> BrushLayer | None:
        return None if self.labels is None else self.labels.brush

    def _ink(self, cutting: bool) -> str:
        return "#FFFFFF" if cutting else self.colour

    # orders -------------------------------------------------------------------------------

    def choose_tool(self, name: str) -> None:
        """Take another tool; what is drawn is finished first."""
        if name not in self.tools:
            return
        if name != self.tool_name:
            self.leave()
            self.tool_name = name
        self.tool_changed.emit(name)
        self.show_handles()

    def leave(self) -> None:
        """Finish what is being drawn."""
        self.settle()
        self.tool.leave()

    def show_handles(self) -> None:
        """Draw the handles of the selected region, if the tool for them is taken."""
        if isinstance(self.tool, VertexTool) and self.labels is not None:
            self.tool.show()

    def choose_class(self, name: str | None) -> None:
        """The next region is of this class; with a tool that selects, the selected ones are."""
        labels = self.labels
        if labels is not None and self.tool_name not in DRAWING_TOOLS and labels.selection:
            self.reclass(name)
        self.class_name = name
        self.class_changed.emit()

    def toggle_subtracting(self) -> None:
        """Draw holes from now on, or regions again (E)."""
        self.subtracting = not self.subtracting
        self.class_changed.emit()

    def reclass(self, name: str | None) -> None:
        """Give the selected regions another class."""
        changed = [
            dataclasses.replace(a, class_name=name, class_colour=None, modified=stamp())
            for a in self._free(self.selected)
            if a.class_name != name
        ]
        self._replace("Change class", changed)

    def delete(self) -> None:
        """Take the selected regions away; locked ones stay."""
        gone = self._free(self.selected)
        if gone and self.labels is not None:
            self.labels.apply(Edit("Delete", removed=tuple(gone)))

    def undo(self) -> None:
        """Take the last corner back, else the last edit."""
        if not self.drop() and self.labels is not None:
            self.labels.undo()
            self.show_handles()

    def redo(self) -> None:
        """Make the edit undone last again."""
        if self.labels is not None:
            self.labels.redo()
            self.show_handles()

    def finish(self) -> None:
        """Enter: finish the outline, or take the repaired one."""
        if self._pending is not None:
            self.settle()
        else:
            self.tool.finish()

    def back(self) -> None:
        """Backspace: the last corner; with nothing being drawn, the selected regions."""
        if not self.tool.back():
            self.delete()

    def drop(self) -> bool:
        """Esc: forget what is being drawn, else select nothing."""
        if self._pending is not None:
            self._pending = None
            self.sketch(Sketch())
            self.crossing.emit(0)
            return True
        return self.tool.drop()

    def escape(self) -> None:
        """Esc."""
        if not self.drop():
            self.select([])

    # the mouse ----------------------------------------------------------------------------

    def press(self, at: At) -> bool:
        """The main button went down; False leaves the drag to the camera."""
        self.settle()
        if self.labels is None or self.tool_name == "move":
            return False
        if not self.tool.grab(at):
            # A click beside everything selects nothing; a drag moves the picture.
            if self.tool_name in ("select", "vertices") and not at.shift:
                self.select([])
            return False
        self.tool.press(at)
        return True

    def drag(self, at: At) -> None:
        """The mouse moved with the button down."""
        self.tool.drag(at)

    def release(self, at: At) -> None:
        """The button went up."""
        self.tool.release(at)

    def hover(self, at: At) -> None:
        """The mouse moved."""
        self.tool.hover(at)
        if self.on_hover is not None and not self.tool.busy:
            self.on_hover(at)

    def double(self, at: At) -> None:
        """A double click."""
        self.tool.double(at)

    # for the tools ------------------------------------------------------------------------

    def sketch(self, sketch: Sketch) -> None:
        """Show what is being drawn."""
        if self.labels is not None:
            colour = "#FFFFFF" if self.subtracting else self.colour
            self.labels.sketch.sketch(sketch, colour)

    def how(self, at: At) -> How:
        """What the keys held, or the toggle, make of a stroke."""
        if at.alt or self.subtracting:
            return "subtract"
        return "extend" if at.shift else "new"

    def hits(self, at: At, reach_px: float) -> Sequence[Annotation]:
        """What can be seen there, topmost first."""
        if self.labels is None:
            return ()
        found = self.labels.store.hits(at.x, at.y, reach_px * at.screen_px)
        return [a for a in found if self.labels.is_shown(a)]

    @property
    def selected(self) -> list[Annotation]:
        """What is selected."""
        return [] if self.labels is None else self.labels.selected

    def select(self, ids: Sequence[str]) -> None:
        """Select these and no others."""
        if self.labels is not None:
            self.labels.select(ids)
            self.show_handles()

    def reshape(self, changed: Sequence[tuple[Annotation, BaseGeometry]], label: str) -> None:
        """Give annotations other geometries, in one edit; what crosses itself is repaired."""
        made = []
        for a, geometry in changed:
            whole = repair(geometry).geometry if a.is_area else geometry
            if whole is not None:
                made.append(dataclasses.replace(a, geometry=whole, modified=stamp()))
        self._replace(label, made)

    def commit(self, geometry: BaseGeometry, how: How) -> None:
        """Take a finished geometry; a polygon that crosses itself waits for an answer."""
        if self.labels is None:
            return
        if self.tool_name == "line":
            if self.on_line is not None:
                self.on_line(geometry)
            return
        if not geometry.is_valid and self.tool_name == "polygon":
            whole = repair(geometry)
            if whole.geometry is not None:
                self._pending = (geometry, how)
                ring = shapely.get_coordinates(geometry)
                self.sketch(Sketch([([(x, y) for x, y in ring], True)], filled=True))
                self.crossing.emit(whole.parts)
            return
        self._take(geometry, how)

    def settle(self) -> None:
        """Repair the outline that waits and take it: nothing drawn is lost."""
        if self._pending is not None:
            (geometry, how), self._pending = self._pending, None
            self.sketch(Sketch())
            self.crossing.emit(0)
            self._take(geometry, how)

    def _take(self, geometry: BaseGeometry, how: How) -> None:
        labels = self.labels
        assert labels is not None
        size = labels.entry.slide.size
        slide = box(0, 0, size.width, size.height)
        inside: BaseGeometry | None
        if geometry.geom_type in AREAS:
            whole = repair(geometry).geometry
            within = () if whole is None else polygons_in(whole.intersection(slide))
            inside = merge(within) if within else None
        else:
            inside = geometry.intersection(slide)
        if inside is None or inside.is_empty:
            self.hint.emit("annotate_outside")
            return
        targets = [a for a in self._free(self.selected) if a.is_area]
        if how == "new" or (how == "extend" and not targets):
            self.add([inside], "Draw")
        elif how == "extend":
            self.reshape([(targets[-1], extend(targets[-1].geometry, inside))], "Extend")
        else:
            self._subtract(targets, inside)

    def _subtract(self, targets: Sequence[Annotation], gone: BaseGeometry) -> None:
        labels = self.labels
        assert labels is not None
        if not targets:
            inner = gone.representative_point()
            found = labels.store.hits(inner.x, inner.y)
            targets = [a for a in self._free(found) if a.is_area][:1]
        if not targets:
            self.hint.emit("annotate_nothing_below")
            return
        less, removed = [], []
        for a in targets:
            rest = subtract(a.geometry, gone)
            if rest is None:
                removed.append(a)
            elif not rest.equals(a.geometry):
                less.append(dataclasses.replace(a, geometry=rest, modified=stamp()))
        before = [labels.store.get(a.id) for a in less]
        edit = Edit("Cut away", removed=(*before, *removed), added=tuple(less))
        if edit:
            labels.apply(edit)

    def add(self, geometries: Iterable[BaseGeometry], label: str) -> None:
        """Put regions of the chosen class there, in one edit, and select them."""
        if self.labels is None:
            return
        now, author = stamp(), reader_name()
        fresh = tuple(
            Annotation(
                geometry=g, class_name=self.class_name, author=author, created=now, modified=now
            )
            for g in geometries
        )
        if fresh and self.labels.apply(Edit(label, added=fresh)):
            self.labels.select([a.id for a in fresh][:1] if self.tool_name != "points" else [])

    def _replace(self, label: str, made: Sequence[Annotation]) -> None:
        if self.labels is not None and made:
            before = tuple(self.labels.store.get(a.id) for a in made)
            self.labels.apply(Edit(label, removed=before, added=tuple(made)))

    def _free(self, annotations: Iterable[Annotation]) -> list[Annotation]:
        """Those that are not locked; says so if all are."""
        given = list(annotations)
        free = [a for a in given if not a.locked]
        if given and not free:
            self.hint.emit("annotate_locked")
        return free
