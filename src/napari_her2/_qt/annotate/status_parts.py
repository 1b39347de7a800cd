"""What the dock says of its labels: the saved dot, and the bars for what needs an answer."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt, Signal
from qtpy.QtGui import QColor, QPainter, QPaintEvent
from qtpy.QtWidgets import QFrame, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import ElidedLine, named, paragraph, small_button
from napari_her2._qt.style import AMBER, theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme

__all__ = ["AskBar", "SavedDot"]


class SavedDot(QWidget):
    """A dot and a word: green saved, amber saving, red not saved with the reason.

    Signals
    -------
    elsewhere_requested()
        The labels shall be saved in another place.
    """

    elsewhere_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.dot = _Dot()
        self.words = ElidedLine(muted=True)
        self.elsewhere = small_button(ui("save_elsewhere"), ui("save_elsewhere_tip"))
        self.elsewhere.clicked.connect(self.elsewhere_requested)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        row.addWidget(self.dot)
        row.addWidget(self.words, 1)
        row.addWidget(self.elsewhere)
        self.show_state("saved")

    def show_state(self, state: str, time: str = "") -> None:
        """Show ``saved``, ``saving`` or ``failed: reason``."""
        kind, _, reason = state.partition(": ")
        if kind == "failed":
            text = ui("state_failed", reason=reason)
        elif kind == "saving":
            text = ui("state_saving")
        else:
            text = ui("state_saved_at", time=time) if time else ui("state_saved")
        self.words.setText(text)
        self.dot.show_kind(kind)
        self.elsewhere.setVisible(kind == "failed")
        named(self, text)


class _Dot(QWidget):
    def __init__(self) -> None:
        super().__init__()
        self._kind = "saved"
        self.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)

    def sizeHint(self) -> QSize:
        """A small dot."""
        return QSize(12, 12)

    def show_kind(self, kind: str) -> None:
        self._kind = kind
        self.update()

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw it; the word beside it says the same."""
        colours = theme_colours()
        colour = {"saved": QColor("#2E9E5B"), "saving": QColor(AMBER)}.get(
            self._kind, colours.error
        )
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(colour)
        painter.drawEllipse(QRectF(1.5, 1.5, 9, 9))


class AskBar(QFrame):
    """A sentence with an amber edge, and buttons that answer it.

    Signals
    -------
    answered(str)
        The id of the button pressed.
    """

    answered = Signal(str)

    def __init__(self, answers: tuple[tuple[str, str, str], ...] = ()) -> None:
        super().__init__()
        self.setObjectName("her2-ask")
        self._sentence = paragraph()
        self.buttons = {}
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 4, 2, 4)
        layout.setSpacing(3)
        layout.addWidget(self._sentence)
        row = QHBoxLayout()
        for name, text, tip in answers:
            button = small_button(ui(text), ui(tip))
            button.clicked.connect(lambda _=False, n=name: self.answered.emit(n))
            self.buttons[name] = button
            row.addWidget(button)
        row.addStretch()
        if answers:
            layout.addLayout(row)
        follow_theme(self, _edge)
        self.hide()

    @property
    def sentence(self) -> str:
        """The sentence shown."""
        return str(self._sentence.text()) if not self.isHidden() else ""

    def ask(self, sentence: str) -> None:
        """Show a sentence; an empty one takes the bar away."""
        self._sentence.setText(sentence)
        self.setAccessibleDescription(sentence)
        self.setVisible(bool(sentence))


def _edge() -> str:
    edge = theme_colours().warning.name()
    return f"#her2-ask {{ border: none; border-left: 3px solid {edge}; }}"
