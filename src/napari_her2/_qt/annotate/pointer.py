"""The mouse over the ``Labels`` layer: napari's events in, calls of our tool out.

napari has tools of its own for shapes. They know no undo, no holes and no classes, so their
callbacks are taken off the layer; its mode is kept in step with our tool all the same, so that
napari neither pans nor zooms while something is drawn, and its buttons choose our tools.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final, Protocol

from napari_her2._qt.annotate.tools import At
from napari_her2.geometry import world_yx_to_xy

if TYPE_CHECKING:
    from napari.layers import Shapes

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["CURSORS", "MODES", "Pointer", "PointerTarget"]

MODES: Final[dict[str, str]] = {
    "polygon": "add_polygon",
    "freehand": "add_polygon_lasso",
    "rectangle": "add_rectangle",
    "ellipse": "add_ellipse",
    "select": "select",
    "vertices": "direct",
    "move": "pan_zoom",
    # napari has no such tools for shapes: these modes only keep it from panning.
    "brush": "add_path",
    "wand": "add_line",
    "points": "add_polyline",
    "line": "add_polyline",
}
"""napari's mode while one of our tools is taken."""

CURSORS: Final[dict[str, str]] = {
    "select": "pointing",
    "vertices": "pointing",
    "move": "standard",
    "brush": "circle",
}
"""Cursors of tools; the others have a cross."""

_TOOLS: Final = {
    mode: tool for tool, mode in MODES.items() if tool not in ("brush", "wand", "points", "line")
}


class PointerTarget(Protocol):
    """Who is told of the mouse."""

    @property
    def tool_name(self) -> str:
        """The tool that is taken."""

    def press(self, at: At) -> bool:
        """The main button went down; False leaves the drag to the camera."""

    def drag(self, at: At) -> None:
        """The mouse moved with the button down."""

    def release(self, at: At) -> None:
        """The button went up."""

    def hover(self, at: At) -> None:
        """The mouse moved."""

    def double(self, at: At) -> None:
        """A double click."""

    def choose_tool(self, name: str) -> None:
        """A tool was chosen with napari's own buttons."""


class Pointer:
    """Listens to the mouse on one layer.

    Parameters
    ----------
    layer : Shapes
        Our ``Labels`` layer.
    entry : OpenSlide
        Its slide.
    target : PointerTarget
        Held weakly.
    """

    def __init__(self, layer: Shapes, entry: OpenSlide, target: PointerTarget) -> None:
        self._layer = weakref.ref(layer)
        self._entry = entry
        self._target = weakref.ref(target)
        self._setting = False
        self._paused = False
        self._ours = (self._on_drag, self._on_move, self._on_double)
        layer.events.mode.connect(self._on_mode)
        self._strip(layer)

    def take(self, tool: str, cursor_size: float = 1.0) -> None:
        """Bring mode and cursor in line with a tool."""
        layer = self._layer()
        if layer is None:
            return
        self._setting = True
        try:
            layer.mode = MODES[tool]
        finally:
            self._setting = False
        self._strip(layer)
        layer.mouse_pan = tool == "move"
        layer.cursor = CURSORS.get(tool, "cross")
        layer.cursor_size = cursor_size if tool == "brush" else 1
        layer.help = ""

    def resize_cursor(self, size: float) -> None:
        """The brush is so wide now, world units."""
        layer = self._layer()
        if layer is not None:
            layer.cursor_size = size

    def pause(self, paused: bool) -> None:
        """Let the camera have the mouse while Space is held."""
        layer, target = self._layer(), self._target()
        self._paused = paused
        if layer is not None and target is not None:
            layer.mouse_pan = paused or target.tool_name == "move"

    def _strip(self, layer: Shapes) -> None:
        drag, move, double = self._ours
        layer.mouse_drag_callbacks[:] = [drag]
        layer.mouse_move_callbacks[:] = [move]
        layer.mouse_double_click_callbacks[:] = [double]

    def _on_mode(self, _event: Any) -> None:
        layer, target = self._layer(), self._target()
        if self._setting or layer is None or target is None:
            return
        # Somebody pressed one of napari's buttons; a mode that we have no tool for is undone.
        target.choose_tool(_TOOLS.get(str(layer.mode), target.tool_name))

    def _at(self, event: Any) -> At:
        mx, my = self._entry.world_mpp
        x, y = (float(v) for v in world_yx_to_xy(tuple(event.position)[-2:], mx, my))
        zoom = float(getattr(event, "camera_zoom", 1.0) or 1.0)
        held = event.modifiers or ()
        return At(x, y, 1.0 / (zoom * mx), shift="Shift" in held, alt="Alt" in held)

    def _on_drag(self, layer: Any, event: Any) -> Iterator[None]:
        target = self._target()
        if target is None or self._paused or getattr(event, "button", 1) != 1:
            return
        taken = target.press(self._at(event))
        if target.tool_name in ("select", "vertices"):
            # What starts beside a region moves the picture instead.
            layer.mouse_pan = not taken
        yield
        while event.type == "mouse_move":
            if taken:
                target.drag(self._at(event))
            yield
        if taken:
            target.release(self._at(event))

    def _on_move(self, _layer: Any, event: Any) -> None:
        target = self._target()
        if target is not None and not self._paused:
            target.hover(self._at(event))

    def _on_double(self, _layer: Any, event: Any) -> None:
        target = self._target()
        if target is not None and not self._paused:
            target.double(self._at(event))
