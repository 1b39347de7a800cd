"""The choice of where to run, as all docks have it: whole slide, what is in view, or a region."""

from __future__ import annotations

from typing import Final

from qtpy.QtCore import QSignalBlocker, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QComboBox,
    QHBoxLayout,
    QRadioButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.labels import named, paragraph
from napari_her2._qt.regions import Where
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui

__all__ = ["WhereRow"]

_DRAW = "\0draw"
_CHOICES: Final[tuple[Where, ...]] = ("whole", "view", "region")


class WhereRow(QWidget):
    """Three radio buttons, and below them the list of regions where a region is meant.

    Signals
    -------
    changed()
        Something else is asked for.
    region_requested()
        The user wants to draw a region.
    """

    changed = Signal()
    region_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        row = QHBoxLayout()
        row.setSpacing(4)
        self._group = QButtonGroup(self)
        for i, choice in enumerate(_CHOICES):
            radio = QRadioButton(ui(f"where_{choice}"))
            radio.setMinimumHeight(TARGET_PX)
            named(radio, f"{ui('where')}: {radio.text()}")
            self._group.addButton(radio, i)
            row.addWidget(radio)
        row.addStretch()
        self._group.button(0).setChecked(True)
        self._group.idToggled.connect(self._on_toggled)
        self._regions = QComboBox()
        self._regions.setMinimumHeight(TARGET_PX)
        self._regions.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        named(self._regions, ui("where_region"))
        self._regions.activated.connect(self._on_activated)
        self._hint = paragraph(muted=True)
        self._hint.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(row)
        layout.addWidget(self._regions)
        layout.addWidget(self._hint)
        self.set_regions([])

    @property
    def where(self) -> Where:
        """What is chosen."""
        return _CHOICES[max(0, self._group.checkedId())]

    @property
    def region_layer(self) -> str | None:
        """Name of the layer that holds the region; None while there is none."""
        name = self._regions.currentData()
        return None if name == _DRAW else name

    def choose(self, where: Where) -> None:
        """Choose where to run."""
        self._group.button(_CHOICES.index(where)).setChecked(True)

    def set_regions(self, names: list[str]) -> None:
        """The Shapes layers that a region can be taken from."""
        chosen = self._regions.currentData()
        with QSignalBlocker(self._regions):
            self._regions.clear()
            for name in names:
                self._regions.addItem(name, name)
            self._regions.addItem(ui("where_draw"), _DRAW)
            self._regions.setCurrentIndex(max(0, self._regions.findData(chosen)))
        self._regions.setVisible(self.where == "region")

    def choose_region(self, name: str) -> None:
        """Take the region from this layer."""
        self.choose("region")
        self._regions.setCurrentIndex(max(0, self._regions.findData(name)))

    def _on_toggled(self, _id: int, on: bool) -> None:
        if not on:
            return
        self._regions.setVisible(self.where == "region")
        undrawn = self.where == "region" and self.region_layer is None
        self._say(ui("where_none") if undrawn else "")
        self.changed.emit()

    def _on_activated(self) -> None:
        if self.region_layer is None:
            self.region_requested.emit()
        self._say("")
        self.changed.emit()

    def _say(self, text: str) -> None:
        self._hint.setText(text)
        self._hint.setVisible(bool(text))
