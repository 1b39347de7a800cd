"""The settings of brush and wand, and the buttons that change selected regions."""

from __future__ import annotations

from qtpy.QtCore import Qt, Signal
from qtpy.QtWidgets import QCheckBox, QComboBox, QGridLayout, QHBoxLayout, QSlider, QWidget

from napari_her2._qt import numbers
from napari_her2._qt.components.labels import line, named, small_button
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui

__all__ = ["ActionRow", "BrushRow"]

_SOURCES = ("tissue", "map", "colour")


class BrushRow(QWidget):
    """``Brush ● 30 px  fixed µm`` and ``Wand from [tissue] tolerance``.

    Signals
    -------
    size_changed(float), fixed_changed(bool)
        Of the brush: pixels of the screen, or micrometres.
    source_changed(str), tolerance_changed(float)
        Of the wand; the tolerance from 0 to 1.
    """

    size_changed = Signal(float)
    fixed_changed = Signal(bool)
    source_changed = Signal(str)
    tolerance_changed = Signal(float)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.size = named(
            QSlider(Qt.Orientation.Horizontal), ui("brush_size"), ui("brush_size_tip")
        )
        self.size.setRange(4, 200)
        self.size.setMinimumHeight(TARGET_PX)
        self.size.valueChanged.connect(lambda v: self.size_changed.emit(float(v)))
        self.words = line("")
        self.fixed = named(QCheckBox(ui("brush_fixed")), ui("brush_fixed"), ui("brush_fixed_tip"))
        self.fixed.toggled.connect(self.fixed_changed)
        self.source = named(QComboBox(), ui("wand_from"), ui("wand_from_tip"))
        for name in _SOURCES:
            self.source.addItem(ui(f"wand_{name}"), name)
        self.source.currentIndexChanged.connect(self._on_source)
        self.tolerance = named(
            QSlider(Qt.Orientation.Horizontal), ui("wand_tolerance"), ui("wand_tolerance_tip")
        )
        self.tolerance.setRange(1, 100)
        self.tolerance.setValue(30)
        self.tolerance.setMinimumHeight(TARGET_PX)
        self.tolerance.valueChanged.connect(lambda v: self.tolerance_changed.emit(v / 100))
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setVerticalSpacing(2)
        grid.addWidget(line(ui("brush_size")), 0, 0)
        grid.addWidget(self.size, 0, 1)
        grid.addWidget(self.words, 0, 2)
        grid.addWidget(self.fixed, 0, 3)
        grid.addWidget(line(ui("wand_from")), 1, 0)
        wand = QHBoxLayout()
        wand.addWidget(self.source)
        wand.addWidget(line(ui("wand_tolerance")))
        wand.addWidget(self.tolerance, 1)
        grid.addLayout(wand, 1, 1, 1, 3)
        grid.setColumnStretch(1, 1)
        self._on_source()

    def show_brush(self, size: float, *, fixed: bool, in_um: bool) -> None:
        """Show how wide the brush is."""
        self.size.blockSignals(True)
        self.size.setRange(1 if fixed else 4, 500 if fixed else 200)
        self.size.setValue(round(size))
        self.size.blockSignals(False)
        self.fixed.setChecked(fixed)
        unit = "brush_um" if fixed and in_um else "brush_px"
        self.words.setText(ui(unit, n=numbers.count(round(size))))

    def _on_source(self) -> None:
        name = str(self.source.currentData())
        # Tissue is there or not: there is nothing to tolerate.
        self.tolerance.setEnabled(name != "tissue")
        self.source_changed.emit(name)


class ActionRow(QWidget):
    """``[Split][Merge][Cut hole][Fill holes]`` and ``[Accept map > 0.70 as label]``.

    Signals
    -------
    pressed(str)
        ``split``, ``merge``, ``cut_hole``, ``fill_holes``, ``accept_map``.
    """

    pressed = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.buttons = {}
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setSpacing(4)
        names = ("split", "merge", "cut_hole", "fill_holes")
        for i, name in enumerate(names):
            self.buttons[name] = small_button(ui(name), ui(f"{name}_tip"))
            grid.addWidget(self.buttons[name], 0, i)
        grid.setColumnStretch(len(names), 1)
        self.buttons["accept_map"] = small_button("")
        grid.addWidget(self.buttons["accept_map"], 1, 0, 1, len(names))
        for name, button in self.buttons.items():
            button.clicked.connect(lambda _=False, n=name: self.pressed.emit(n))
        self.show_map(None)

    def show_map(self, threshold: float | None) -> None:
        """Offer to accept the map at its t; None: there is no map."""
        button = self.buttons["accept_map"]
        t = numbers.fixed(0.70 if threshold is None else threshold, 2)
        button.setText(ui("accept_map", t=t))
        button.setEnabled(threshold is not None)
        tip = ui("accept_none") if threshold is None else ui("accept_map_tip", t=t)
        named(button, ui("accept_map", t=t), tip)
