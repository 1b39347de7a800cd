"""A small window below the button that asked for it; Esc or a click beside it closes it."""

from __future__ import annotations

from qtpy.QtCore import QPoint, Qt
from qtpy.QtWidgets import QFrame, QWidget

from napari_her2._qt.components.labels import fit_height
from napari_her2._qt.style import theme_colours

__all__ = ["Popover"]


class Popover(QFrame):
    """The empty window; its users lay it out."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent, Qt.WindowType.Popup)
        c = theme_colours()
        self.setObjectName("her2-card")
        self.setStyleSheet(
            f"#her2-card {{ background: {c.background.name()};"
            f" border: 1px solid {c.primary.name()}; }}"
        )

    def show_below(self, widget: QWidget) -> None:
        """Show under a widget, kept on its screen."""
        fit_height(self, 460)
        corner = widget.mapToGlobal(QPoint(widget.width() - self.width(), widget.height() + 2))
        screen = widget.screen().availableGeometry()
        corner.setX(max(screen.left() + 4, min(corner.x(), screen.right() - self.width() - 4)))
        corner.setY(max(screen.top() + 4, min(corner.y(), screen.bottom() - self.height() - 4)))
        self.move(corner)
        self.show()
