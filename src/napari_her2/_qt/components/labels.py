"""Small pieces of text: plain labels, elided lines, link-like buttons."""

from __future__ import annotations

from typing import TypeVar

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QFontMetrics, QPainter, QPaintEvent, QPen, QResizeEvent
from qtpy.QtWidgets import QLabel, QPushButton, QSizePolicy, QToolButton, QWidget

from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.theming import follow_theme

__all__ = [
    "ElidedLine",
    "InfoButton",
    "fold_button",
    "heading",
    "line",
    "link_button",
    "named",
    "paragraph",
    "small_button",
]

_W = TypeVar("_W", bound=QWidget)
_DOCK_TEXT_PX = 300


def named(widget: _W, name: str, tip: str | None = None) -> _W:
    """Give a control the name a screen reader speaks and the tooltip that tells its key."""
    widget.setAccessibleName(name)
    if tip is not None:
        widget.setToolTip(tip)
    return widget


def line(text: str = "", *, muted: bool = False, bold: bool = False) -> QLabel:
    """One line of plain text."""
    label = QLabel(text)
    label.setTextFormat(Qt.TextFormat.PlainText)
    if bold:
        font = label.font()
        font.setBold(True)
        label.setFont(font)
    if muted:
        follow_theme(label, _muted_style)
    return label


def _muted_style() -> str:
    c = theme_colours().muted
    return f"color: rgba({c.red()},{c.green()},{c.blue()},{c.alpha()});"


class Paragraph(QLabel):
    """Plain text that wraps and is never wider than its dock; it can be selected."""

    def __init__(self, text: str = "", parent: QWidget | None = None) -> None:
        super().__init__(text, parent)
        self.setTextFormat(Qt.TextFormat.PlainText)
        self.setWordWrap(True)
        self.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        policy = QSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Minimum)
        policy.setHeightForWidth(True)
        self.setSizePolicy(policy)

    def sizeHint(self) -> QSize:
        """As high as the text is at the width of a dock."""
        return QSize(_DOCK_TEXT_PX, self.heightForWidth(_DOCK_TEXT_PX))

    def minimumSizeHint(self) -> QSize:
        """Any width will do; the layout asks for the height that goes with it."""
        return QSize(40, self.fontMetrics().height())


def paragraph(text: str = "", *, muted: bool = False) -> Paragraph:
    """Text that wraps."""
    label = Paragraph(text)
    if muted:
        follow_theme(label, _muted_style)
    return label


def heading(text: str) -> Paragraph:
    """A bold line that may wrap."""
    label = Paragraph(text)
    font = label.font()
    font.setBold(True)
    label.setFont(font)
    return label


def fit_height(window: QWidget, width: int) -> None:
    """Make a dialog so wide, and as high as its wrapped text then needs."""
    window.setFixedWidth(width)
    layout = window.layout()
    if layout is not None:
        layout.activate()
        window.resize(width, layout.totalHeightForWidth(width))


def link_button(text: str, tip: str | None = None) -> QPushButton:
    """A button that takes no more room than its word, underlined as a link."""
    button = QPushButton(text)
    button.setFlat(True)
    button.setMinimumHeight(TARGET_PX)
    button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    button.setAutoDefault(False)
    follow_theme(button, link_style)
    return named(button, text, tip)


def link_style() -> str:
    """Style of a button that looks like a link."""
    return (
        "QPushButton { background: transparent; border: none; padding: 0px 2px;"
        " text-decoration: underline; }"
        "QPushButton::menu-indicator { image: none; width: 0px; }"
        f"QPushButton:focus {{ border: 1px solid {theme_colours().text.name()}; }}"
    )


def small_button(text: str, tip: str | None = None) -> QPushButton:
    """A button no wider than its words."""
    button = QPushButton(text)
    button.setMinimumHeight(TARGET_PX)
    button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    button.setAutoDefault(False)
    return named(button, text, tip)


class InfoButton(QToolButton):
    """An i in a ring, drawn: not every font has the sign."""

    def __init__(self, name: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setFixedSize(TARGET_PX + 2, TARGET_PX)
        self.setAutoRaise(True)
        named(self, name, name)

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw ring and letter over the button."""
        super().paintEvent(event)
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        colours = theme_colours()
        painter.setPen(QPen(colours.text if self.isEnabled() else colours.muted, 1.4))
        centre = QRectF(self.rect()).center()
        painter.drawEllipse(centre, 8.0, 8.0)
        font = painter.font()
        font.setBold(True)
        painter.setFont(font)
        painter.drawText(self.rect(), Qt.AlignmentFlag.AlignCenter, "i")


def fold_button(text: str) -> QToolButton:
    """The head of a part that folds: an arrow and a title, operable by key."""
    button = QToolButton()
    button.setCheckable(True)
    button.setArrowType(Qt.ArrowType.RightArrow)
    button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
    button.setText(text)
    button.setAutoRaise(True)
    button.setMinimumHeight(TARGET_PX)
    button.toggled.connect(
        lambda on: button.setArrowType(Qt.ArrowType.DownArrow if on else Qt.ArrowType.RightArrow)
    )
    return named(button, text)


class ElidedLine(QWidget):
    """One line that is cut with an ellipsis where it does not fit; the tooltip has it whole."""

    def __init__(
        self,
        text: str = "",
        *,
        muted: bool = False,
        mode: Qt.TextElideMode = Qt.TextElideMode.ElideRight,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._text = text
        self._muted = muted
        self._mode = mode
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.setText(text)

    def text(self) -> str:
        """The whole text."""
        return self._text

    def setText(self, text: str) -> None:
        """Show another text."""
        self._text = text
        self.setAccessibleName(text)
        self._update_tip()
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """As wide as the text, one line high."""
        metrics = QFontMetrics(self.font())
        return QSize(metrics.horizontalAdvance(self._text) + 2, metrics.height() + 2)

    def minimumSizeHint(self) -> QSize:
        """Any width will do."""
        return QSize(16, self.sizeHint().height())

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Whether the text is cut may have changed."""
        self._update_tip()
        super().resizeEvent(event)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the text, cut to the width."""
        painter = QPainter(self)
        colours = theme_colours()
        painter.setPen(colours.muted if self._muted else colours.text)
        text = painter.fontMetrics().elidedText(self._text, self._mode, self.width())
        painter.drawText(
            self.rect(), Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter, text
        )

    def _update_tip(self) -> None:
        cut = QFontMetrics(self.font()).horizontalAdvance(self._text) > self.width()
        self.setToolTip(self._text if cut else "")
