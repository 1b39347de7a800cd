"""The tools of the dock, their settings, and the buttons that change regions, wired up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qtpy.QtCore import QObject

from napari_her2._qt.annotate.brush_row import ActionRow, BrushRow
from napari_her2._qt.annotate.tool_bar import ToolBar

if TYPE_CHECKING:
    from napari_her2._qt.annotate.controller import AnnotateController
    from napari_her2._qt.session import Session

__all__ = ["Toolbox"]

_CUTTING = ("freehand", "polygon", "rectangle", "ellipse", "brush")


class Toolbox(QObject):
    """Owns three parts of the dock.

    Attributes
    ----------
    bar : ToolBar
        The tools.
    brush : BrushRow
        Settings of brush and wand.
    actions : ActionRow
        Split, merge and so on.
    """

    def __init__(self, session: Session, controller: AnnotateController) -> None:
        super().__init__()
        self._session = session
        self._controller = c = controller
        self.bar, self.brush, self.actions = ToolBar(), BrushRow(), ActionRow()
        self.bar.chosen.connect(self._on_tool_pressed)
        c.easel.tool_changed.connect(self.bar.show_tool)
        self.brush.size_changed.connect(lambda size: c.set_brush(size))
        self.brush.fixed_changed.connect(lambda fixed: c.set_brush(fixed=fixed))
        self.brush.source_changed.connect(self._on_wand_source)
        self.brush.tolerance_changed.connect(self._on_tolerance)
        c.brush_changed.connect(self.show_brush)
        self.actions.pressed.connect(self._on_action)
        self.bar.show_tool(c.easel.tool_name)
        self.show_brush()
        self._on_tolerance(self.brush.tolerance.value() / 100)

    def _on_tool_pressed(self, name: str) -> None:
        self._controller.take_tool(name)
        if self._session.keeper is not None:
            # Keys belong to the picture now: Enter ends an outline, a digit is a class.
            self._session.keeper.focus_picture()

    def _on_wand_source(self, name: str) -> None:
        self._controller.easel.wand.source = name

    def _on_tolerance(self, value: float) -> None:
        wand = self._controller.easel.wand
        # The same slider: how unlike colours may be, or from which probability on.
        wand.tolerance, wand.threshold = 40.0 * value, value

    def show_brush(self) -> None:
        """Show how wide the brush is."""
        brush, entry = self._controller.easel.brush, self._session.active
        size = brush.size_um if brush.fixed else brush.size_px
        in_um = entry is None or entry.mpp is not None
        self.brush.show_brush(size, fixed=brush.fixed, in_um=in_um)

    def show_map(self) -> None:
        """Offer to accept the map that Predict shows."""
        look = self._controller.look
        self.actions.show_map(look.map_threshold() if look.shown_map() is not None else None)

    def _on_action(self, name: str) -> None:
        c = self._controller
        if name == "split":
            c.take_tool("line")
        elif name == "cut_hole":
            if not c.easel.subtracting:
                c.easel.toggle_subtracting()
            if c.easel.tool_name not in _CUTTING:
                c.take_tool("freehand")
        elif name == "accept_map":
            c.reshaping.accept_map(c.look.map_threshold())
        elif name == "merge":
            c.reshaping.merge()
        else:
            c.reshaping.fill_holes()
