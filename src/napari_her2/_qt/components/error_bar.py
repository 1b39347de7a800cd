"""What went wrong, in one sentence, with the one button that mends it."""

from __future__ import annotations

import traceback

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import (
    QApplication,
    QDialog,
    QDialogButtonBox,
    QFrame,
    QHBoxLayout,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.labels import line, named, paragraph, small_button
from napari_her2._qt.style import theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme
from napari_her2.provenance import software

__all__ = ["DetailsDialog", "ErrorBar"]


class ErrorBar(QFrame):
    """Red edge, cross, one sentence, one mending button; details only when asked for.

    Signals
    -------
    mend_requested(str)
        The mending button was pressed; carries the id given with the error.
    """

    mend_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-error")
        self._mend_id = ""
        self._error: BaseException | None = None
        self._icon = line("✕", bold=True)
        self._icon.setAlignment(Qt.AlignmentFlag.AlignTop)
        follow_theme(self, _edge_style)
        follow_theme(self._icon, _icon_style)
        self._sentence = paragraph()
        self._mend = small_button("")
        self._mend.clicked.connect(lambda: self.mend_requested.emit(self._mend_id))
        self._details = small_button(ui("details"))
        self._details.clicked.connect(self._show_details)
        buttons = QHBoxLayout()
        buttons.addWidget(self._mend)
        buttons.addWidget(self._details)
        buttons.addStretch()
        words = QVBoxLayout()
        words.setSpacing(4)
        words.addWidget(self._sentence)
        words.addLayout(buttons)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(8, 4, 2, 4)
        layout.addWidget(self._icon, 0, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(words, 1)
        self.clear()

    def show_error(
        self,
        sentence: str,
        *,
        error: BaseException | None = None,
        mend: tuple[str, str] | None = None,
    ) -> None:
        """Show a sentence.

        Parameters
        ----------
        sentence : str
            What happened and what to do next.
        error : BaseException, optional
            Adds ``Details``.
        mend : (id, text), optional
            Adds the mending button.
        """
        self._sentence.setText(sentence)
        self._error = error
        self._details.setVisible(error is not None)
        self._mend_id, text = mend or ("", "")
        self._mend.setText(text)
        named(self._mend, text)
        self._mend.setVisible(mend is not None)
        self.setAccessibleDescription(sentence)
        self.setVisible(True)

    def clear(self) -> None:
        """Take the error away."""
        self._error = None
        self._sentence.setText("")
        self.setVisible(False)

    @property
    def sentence(self) -> str:
        """The sentence shown; empty if there is none."""
        return str(self._sentence.text())

    def _show_details(self) -> None:
        if self._error is not None:
            DetailsDialog(self._error, self).exec()


def _edge_style() -> str:
    edge = theme_colours().error.name()
    return f"#her2-error {{ border: none; border-left: 3px solid {edge}; }}"


def _icon_style() -> str:
    return f"color: {theme_colours().error.name()};"


class DetailsDialog(QDialog):
    """Traceback and versions, to be copied into a report."""

    def __init__(self, error: BaseException, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("details"))
        self.resize(640, 380)
        versions = "\n".join(f"{k} {v}" for k, v in software().items())
        trace = "".join(traceback.format_exception(error))
        self._text = QPlainTextEdit(f"{trace}\n{versions}")
        self._text.setReadOnly(True)
        named(self._text, ui("details"))
        box = QDialogButtonBox()
        copy = box.addButton(ui("copy"), QDialogButtonBox.ButtonRole.ActionRole)
        copy.clicked.connect(lambda: QApplication.clipboard().setText(self._text.toPlainText()))
        box.addButton(ui("close"), QDialogButtonBox.ButtonRole.RejectRole)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(self._text)
        layout.addWidget(box)
