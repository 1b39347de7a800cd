"""The drawing tools as plain objects: what the mouse does goes in, a geometry comes out.

Nothing here knows napari or Qt. All places are level-0 pixels, x then y, from the slide's corner.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol

import numpy as np
from shapely import affinity
from shapely.geometry import LineString, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

__all__ = [
    "At", "Drawing", "EllipseTool", "FreehandTool", "How", "LineTool", "PointsTool", "PolygonTool",
    "RectangleTool", "Sketch", "Tool",
]  # fmt: skip

How = Literal["new", "extend", "subtract"]
"""What becomes of a geometry: a region of its own, or more or less of the selected one."""

_NEAR_PX: Final = 3.0
"""Corners closer than this on the screen are one corner."""
_FREEHAND_PX: Final = 2.0
_CLOSE_PX: Final = 10.0
"""A click this near the first corner closes the outline."""
_SMALLEST_PX: Final = 4.0
"""Drags shorter than this on the screen draw nothing: they were clicks."""


@dataclass(frozen=True, slots=True)
class At:
    """Where the mouse is.

    Attributes
    ----------
    x, y : float
        Level-0 pixels.
    screen_px : float
        Level-0 pixels to one pixel of the screen.
    shift, alt : bool
        Keys that are held.
    """

    x: float
    y: float
    screen_px: float = 1.0
    shift: bool = False
    alt: bool = False

    @property
    def xy(self) -> tuple[float, float]:
        """The place."""
        return self.x, self.y

    def near(self, other: tuple[float, float], screen_px: float) -> bool:
        """Whether a place is so near on the screen."""
        return bool(np.hypot(self.x - other[0], self.y - other[1]) <= screen_px * self.screen_px)


@dataclass(frozen=True, slots=True)
class Sketch:
    """What is drawn while a tool is at work.

    Attributes
    ----------
    lines : sequence of (corners, closed)
        Outlines, each (x, y) corners.
    handles : sequence of (x, y)
        Small squares.
    chosen : int or None
        The handle that is held.
    filled : bool
        Whether closed lines are tinted.
    """

    lines: Sequence[tuple[Sequence[tuple[float, float]], bool]] = ()
    handles: Sequence[tuple[float, float]] = ()
    chosen: int | None = None
    filled: bool = False

    @property
    def empty(self) -> bool:
        """Whether there is nothing to draw."""
        return not self.lines and not self.handles


class Drawing(Protocol):
    """Whom the tools work for."""

    def sketch(self, sketch: Sketch) -> None:
        """Show what is being drawn; an empty sketch takes it away."""

    def commit(self, geometry: BaseGeometry, how: How) -> None:
        """Take a finished geometry; it may cross itself."""

    def how(self, at: At) -> How:
        """What the keys held, or the toggle, make of the next stroke."""


@dataclass
class Tool:
    """Base of the tools: does nothing.

    Parameters
    ----------
    drawing : Drawing
        Gets sketches and finished geometries.
    """

    drawing: Drawing
    name: str = ""
    busy: bool = field(default=False, init=False)

    def grab(self, at: At) -> bool:
        """Whether a press here is this tool's; else it moves the picture."""
        del at
        return True

    def press(self, at: At) -> None:
        """The main button went down."""

    def drag(self, at: At) -> None:
        """The mouse moved with the button down."""

    def release(self, at: At) -> None:
        """The button went up."""

    def hover(self, at: At) -> None:
        """The mouse moved with no button down."""

    def double(self, at: At) -> None:
        """A double click; its first click was told as press and release."""

    def finish(self) -> None:
        """Enter."""

    def back(self) -> bool:
        """Backspace; False if there was nothing to take back."""
        return False

    def drop(self) -> bool:
        """Esc: forget what is being drawn; False if nothing was."""
        if not self.busy:
            return False
        self.busy = False
        self.drawing.sketch(Sketch())
        return True

    def leave(self) -> None:
        """Another tool is taken: what is drawn is finished if it can be, else dropped."""
        self.drop()


@dataclass
class PolygonTool(Tool):
    """Corner by corner; a drag adds corners along its way."""

    name: str = "polygon"
    corners: list[tuple[float, float]] = field(default_factory=list, init=False)
    _at: At | None = field(default=None, init=False)

    def press(self, at: At) -> None:
        """Add a corner; on the first one, close."""
        if len(self.corners) >= 3 and at.near(self.corners[0], _CLOSE_PX):
            self.finish()
            return
        self._add(at, _NEAR_PX)

    def drag(self, at: At) -> None:
        """Add corners along the way of the mouse."""
        if self.busy:
            self._add(at, _FREEHAND_PX * 2)

    def hover(self, at: At) -> None:
        """Draw the line to the mouse."""
        if self.busy:
            self._show(at)

    def double(self, _at: At) -> None:
        """Close."""
        self.finish()

    def finish(self) -> None:
        """Close the outline if it has three corners."""
        corners, self.corners = self.corners, []
        was, at = self.busy, self._at
        self.drop()
        if was and len(corners) >= 3 and at is not None:
            self.drawing.commit(Polygon(corners), self.drawing.how(at))

    def back(self) -> bool:
        """Take the last corner back."""
        if not self.busy:
            return False
        self.corners.pop()
        if not self.corners:
            return self.drop()
        self._show(None)
        return True

    def drop(self) -> bool:
        """Forget all corners."""
        self.corners = []
        return super().drop()

    def leave(self) -> None:
        """Three corners are a region; nobody should lose them for having pressed a key."""
        self.finish()

    def _add(self, at: At, near: float) -> None:
        self._at = At(at.x, at.y, at.screen_px)
        self.busy = True
        if not self.corners or not at.near(self.corners[-1], near):
            self.corners.append(at.xy)
        self._show(at)

    def _show(self, at: At | None) -> None:
        line = [*self.corners, at.xy] if at is not None else list(self.corners)
        handles = self.corners if len(self.corners) <= 200 else self.corners[:1]
        self.drawing.sketch(Sketch([(line, len(line) > 2)], handles, filled=True))


@dataclass
class FreehandTool(Tool):
    """One stroke round a region; Shift adds it to the selected one, Alt takes it away."""

    name: str = "freehand"
    path: list[tuple[float, float]] = field(default_factory=list, init=False)

    def press(self, at: At) -> None:
        """Begin."""
        self.path, self.busy = [at.xy], True

    def drag(self, at: At) -> None:
        """Go on."""
        if self.busy and not at.near(self.path[-1], _FREEHAND_PX):
            self.path.append(at.xy)
            self.drawing.sketch(Sketch([(self.path, len(self.path) > 2)], filled=True))

    def release(self, at: At) -> None:
        """Close."""
        if not self.busy:
            return
        path = self.path
        self.drop()
        size = np.ptp(np.array(path), axis=0).max()
        if len(path) >= 3 and size > _SMALLEST_PX * at.screen_px:
            shape = Polygon(path)
            simple = shape.simplify(0.5 * at.screen_px, preserve_topology=True)
            self.drawing.commit(simple if not simple.is_empty else shape, self.drawing.how(at))


@dataclass
class _BoxTool(Tool):
    """From corner to corner; Shift makes both sides equal."""

    start: At | None = field(default=None, init=False)

    def press(self, at: At) -> None:
        """Begin at a corner."""
        self.start, self.busy = at, True

    def drag(self, at: At) -> None:
        """Draw to the mouse."""
        shape = self._shape(at)
        if self.busy and shape is not None:
            ring = [(x, y) for x, y in shape.exterior.coords[:-1]]
            self.drawing.sketch(Sketch([(ring, True)], filled=True))

    def release(self, at: At) -> None:
        """Take it."""
        shape = self._shape(at)
        if self.drop() and shape is not None:
            self.drawing.commit(shape, "subtract" if at.alt else "new")

    def _shape(self, at: At) -> Polygon | None:
        if self.start is None:
            return None
        w, h = at.x - self.start.x, at.y - self.start.y
        if at.shift:
            side = max(abs(w), abs(h))
            w, h = np.copysign(side, w), np.copysign(side, h)
        if max(abs(w), abs(h)) < _SMALLEST_PX * at.screen_px or not w or not h:
            return None
        return self._within(self.start.x, self.start.y, self.start.x + w, self.start.y + h)

    def _within(self, x0: float, y0: float, x1: float, y1: float) -> Polygon:
        raise NotImplementedError


@dataclass
class RectangleTool(_BoxTool):
    """A rectangle."""

    name: str = "rectangle"

    def _within(self, x0: float, y0: float, x1: float, y1: float) -> Polygon:
        return box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


@dataclass
class EllipseTool(_BoxTool):
    """An ellipse in a box."""

    name: str = "ellipse"

    def _within(self, x0: float, y0: float, x1: float, y1: float) -> Polygon:
        circle = Point(0, 0).buffer(1, quad_segs=16)
        sized = affinity.scale(circle, abs(x1 - x0) / 2, abs(y1 - y0) / 2, origin=(0, 0))
        return affinity.translate(sized, (x0 + x1) / 2, (y0 + y1) / 2)


@dataclass
class PointsTool(Tool):
    """One point at each click."""

    name: str = "points"

    def press(self, at: At) -> None:
        """Set a point."""
        self.drawing.commit(Point(at.x, at.y), "new")


@dataclass
class LineTool(Tool):
    """A line from press to release, through the selected region: cuts it in two."""

    name: str = "line"
    path: list[tuple[float, float]] = field(default_factory=list, init=False)

    def press(self, at: At) -> None:
        """Begin."""
        self.path, self.busy = [at.xy], True

    def drag(self, at: At) -> None:
        """Draw on."""
        if self.busy and not at.near(self.path[-1], 2.0):
            self.path.append(at.xy)
            self.drawing.sketch(Sketch([(self.path, False)]))

    def release(self, at: At) -> None:
        """Cut."""
        path = self.path
        if self.drop() and len(path) >= 2:
            self.drawing.commit(LineString(path), self.drawing.how(at))
