"""The frame round a result: dashed while something is missing; and the thin rule between parts."""

from __future__ import annotations

from qtpy.QtWidgets import QFrame, QWidget

from napari_her2._qt.style import theme_colours
from napari_her2._qt.theming import follow_theme

__all__ = ["ResultFrame", "rule"]


class ResultFrame(QFrame):
    """A frame that is solid round a whole result and dashed round a partial one."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-result")
        self._dashed: bool | None = None
        self.set_dashed(False)

    def set_dashed(self, dashed: bool) -> None:
        """Draw the frame of a partial result, or of a whole one."""
        if dashed is not self._dashed:
            self._dashed = dashed
            follow_theme(self, _dashed_style if dashed else _solid_style)


def rule() -> QFrame:
    """A thin line between two parts."""
    line = QFrame()
    line.setFrameShape(QFrame.Shape.HLine)
    line.setFixedHeight(1)
    follow_theme(line, _rule_style)
    return line


def _rule_style() -> str:
    return f"background: {theme_colours().foreground.name()}; border: none;"


def _dashed_style() -> str:
    edge = theme_colours().muted.name()
    return f"#her2-result {{ border: 1px dashed {edge}; border-radius: 4px; }}"


def _solid_style() -> str:
    edge = theme_colours().foreground.name()
    return f"#her2-result {{ border: 1px solid {edge}; border-radius: 4px; }}"
