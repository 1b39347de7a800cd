"""Asks for the pixel size of a slide that does not state it; nothing is filled in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from napari.layers import Shapes
from qtpy.QtCore import QLocale
from qtpy.QtGui import QDoubleValidator
from qtpy.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.error_bar import ErrorBar
from napari_her2._qt.components.labels import fit_height, line, named, paragraph, small_button
from napari_her2._qt.layer_order import add_in_order, her2, kind_of
from napari_her2._qt.safe_layers import remove_layers_safely
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error, UnknownMppError

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session

__all__ = ["MppDialog", "ask_mpp"]

LOWEST, HIGHEST = 0.05, 20.0


def ask_mpp(session: Session, entry: OpenSlide, parent: QWidget) -> bool:
    """Ask for the pixel size and give it to the slide.

    Returns
    -------
    bool
        Whether it is known now.
    """
    dialog = MppDialog(session, entry, parent)
    return bool(dialog.exec() == QDialog.DialogCode.Accepted)


class MppDialog(QDialog):
    """One number, two hints as text, a way to measure, and whether to remember.

    Parameters
    ----------
    session : Session
        Told of the answer.
    entry : OpenSlide
        The slide.
    """

    def __init__(self, session: Session, entry: OpenSlide, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._session = session
        self._entry = entry
        self.setWindowTitle(ui("mpp_title", name=entry.slide_id))
        stated = entry.slide.mpp
        ask = (
            ui("mpp_ask") if stated is None else ui("mpp_ask_change", mpp=numbers.mpp(stated.mean))
        )
        self.field = named(QLineEdit(), ui("mpp_field"))
        validator = QDoubleValidator(0.0, 1000.0, 6)
        validator.setNotation(QDoubleValidator.Notation.StandardNotation)
        self.field.setValidator(validator)
        self.field.textChanged.connect(self._on_text_changed)
        buddy = line(ui("mpp_field"))
        buddy.setBuddy(self.field)
        row = QHBoxLayout()
        row.addWidget(self.field, 1)
        row.addWidget(buddy)
        self.measure = small_button(ui("mpp_measure"))
        self.measure.clicked.connect(self._measure)
        self.length = named(QLineEdit(), ui("mpp_line_length"))
        self.length.setValidator(validator)
        self.length.textChanged.connect(self._on_length_changed)
        self._length_label = line(ui("mpp_line_length"))
        self._length_label.setBuddy(self.length)
        length_row = QHBoxLayout()
        length_row.addWidget(self.length, 1)
        length_row.addWidget(self._length_label)
        self.remember = named(QCheckBox(ui("mpp_remember")), ui("mpp_remember"))
        self.remember.setChecked(True)
        self.errors = ErrorBar()
        box = QDialogButtonBox(
            QDialogButtonBox.StandardButton.Ok | QDialogButtonBox.StandardButton.Cancel
        )
        self.ok = box.button(QDialogButtonBox.StandardButton.Ok)
        self.ok.setEnabled(False)
        box.accepted.connect(self._accept)
        box.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(paragraph(ask))
        layout.addLayout(row)
        layout.addWidget(line(ui("mpp_hints"), muted=True))
        layout.addWidget(paragraph(ui("mpp_never"), muted=True))
        layout.addWidget(self.measure)
        layout.addLayout(length_row)
        layout.addWidget(self.remember)
        layout.addWidget(self.errors)
        layout.addWidget(box)
        drawn = _line_px(session, entry)
        for widget in (self.length, self._length_label):
            widget.setVisible(drawn is not None)
        self.measure.setVisible(drawn is None)
        fit_height(self, 440)
        self.field.setFocus()

    def value(self) -> float | None:
        """The number entered; None where it is none."""
        return _number(self.field.text())

    def _on_text_changed(self) -> None:
        value = self.value()
        self.ok.setEnabled(value is not None and value > 0)

    def _on_length_changed(self) -> None:
        um, px = _number(self.length.text()), _line_px(self._session, self._entry)
        if um and px:
            self.field.setText(QLocale().toString(um / px, "g", 4))

    def _measure(self) -> None:
        start_line(self._session, self._entry)
        from napari.utils.notifications import show_info

        show_info(ui("mpp_line_hint", button=ui("enter")))
        self.reject()

    def _accept(self) -> None:
        value = self.value()
        if value is None:
            return
        if not LOWEST <= value <= HIGHEST:
            self.errors.show_error(UnknownMppError("bad_mpp", value=numbers.mpp(value)).sentence)
            return
        try:
            self._session.set_mpp(self._entry, value, value, remember=self.remember.isChecked())
        except Her2Error as error:
            self.errors.show_error(error.sentence)
            return
        viewer = self._session.viewer
        if viewer is not None:
            remove_layers_safely(viewer, [x for x in viewer.layers if _is_line(x, self._entry)])
        self.accept()


def start_line(session: Session, entry: OpenSlide) -> None:
    """Let the user draw a line of known length on a slide."""
    viewer = session.viewer
    if viewer is None:
        return
    unit = "um" if entry.mpp is not None else "pixel"
    layer = Shapes(
        ndim=2,
        name=f"Length · {entry.short}",
        edge_color="#FFFF3F",
        edge_width=max(entry.slide.size.width / 400, 1),
        units=(unit, unit),
        axis_labels=("y", "x"),
        metadata={"her2": {"kind": "region", "slide_id": entry.slide_id, "use": "length"}},
    )
    add_in_order(viewer, layer)
    viewer.layers.selection.active = layer
    layer.mode = "add_line"


def _is_line(layer: object, entry: OpenSlide) -> bool:
    if not isinstance(layer, Shapes) or kind_of(layer) != "region":
        return False
    about = her2(layer)
    return about.get("use") == "length" and about.get("slide_id") == entry.slide_id


def _line_px(session: Session, entry: OpenSlide) -> float | None:
    """Length of the line drawn last, level-0 pixels."""
    viewer = session.viewer
    for layer in reversed(list(viewer.layers) if viewer is not None else []):
        if _is_line(layer, entry) and len(layer.data):
            mx, my = entry.world_mpp
            a, b = np.asarray(layer.data[-1], dtype=float)[:2, -2:]
            return float(np.hypot((b[0] - a[0]) / my, (b[1] - a[1]) / mx))
    return None


def _number(text: str) -> float | None:
    value, ok = QLocale().toDouble(text)
    if not ok:
        try:
            value = float(text)
        except ValueError:
            return None
    return float(value)
