"""The result of a slide: a bar for each biomarker, places to look at, the map, and why."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

from qtpy.QtCore import QSignalBlocker, Qt, Signal
from qtpy.QtWidgets import (
    QButtonGroup,
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QRadioButton,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.impression import ImpressionPanel
from napari_her2._qt.components.labels import (
    ElidedLine,
    line,
    named,
    paragraph,
    small_button,
)
from napari_her2._qt.components.look_at import LookAtList
from napari_her2._qt.components.probability_bar import ProbabilityBar, ProbabilityScale
from napari_her2._qt.components.result_frame import ResultFrame, rule
from napari_her2._qt.components.tile_gallery import TileGallery
from napari_her2._qt.components.why_panel import WhyPanel
from napari_her2._qt.palettes import PALETTES
from napari_her2._qt.predict.map_layers import MapSettings
from napari_her2._qt.predict.run_state import SORTS
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2.messages import DEMO_MODEL, HER2_FROM_HE

if TYPE_CHECKING:
    from napari_her2._qt.predict.rows import ResultRow

__all__ = ["MapRow", "ResultCard"]


class _BiomarkerRow:
    """Widgets of one row of the card."""

    def __init__(self, row: ResultRow, group: QButtonGroup, index: int) -> None:
        self.model_id = row.model_id
        self.radio = QRadioButton(row.name)
        self.radio.setMinimumHeight(TARGET_PX)
        group.addButton(self.radio, index)
        self.bar = ProbabilityBar()
        self.number = line("", bold=True)
        self.number.setMinimumWidth(self.number.fontMetrics().horizontalAdvance("> 0.99") + 4)
        self.tiles = line("", muted=True)
        self.tiles.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        self.note = paragraph(muted=True)
        self.note.setVisible(False)

    def show(self, row: ResultRow, hide_numbers: bool) -> None:
        """Show the numbers of this row."""
        p = None if hide_numbers else row.probability
        self.bar.set_value(p, partial=row.partial)
        self.radio.setEnabled(not row.failed)
        if hide_numbers:
            text = "…"
        elif row.failed:
            text = ui("failed_row")
        else:
            text = numbers.probability(row.probability) if row.total else ""
        self.number.setText(text)
        self.tiles.setText(
            ui("tiles_of", tumour=numbers.count(row.tumour), total=numbers.count(row.total))
            if row.total and not row.failed
            else ""
        )
        note = row.call if row.call and not hide_numbers else row.note
        if row.note and not row.failed and not row.partial:
            note = f"{ui('not_assessable')}: {row.note}"
        self.note.setText(note)
        self.note.setVisible(bool(note) and (row.failed or not row.partial or not row.note))
        spoken = f"{row.name} {text} {self.tiles.text()} {note}".strip()
        named(self.radio, spoken)


class MapRow(QWidget):
    """Map on or off, its opacity and palette, and the veil of doubt.

    Signals
    -------
    changed()
        See the getters.
    """

    changed = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.visible_box = named(QCheckBox(ui("map")), ui("map"), ui("map_tip"))
        self.opacity = QSlider(Qt.Orientation.Horizontal)
        self.opacity.setRange(0, 100)
        self.opacity.setMinimumWidth(36)
        self.opacity.setMinimumHeight(TARGET_PX)
        named(self.opacity, ui("opacity"), ui("opacity"))
        self._value = line("")
        self._value.setMinimumWidth(self._value.fontMetrics().horizontalAdvance("100 %"))
        self.palette_box = QComboBox()
        self.palette_box.setMinimumHeight(TARGET_PX)
        self.palette_box.setSizePolicy(QSizePolicy.Policy.Minimum, QSizePolicy.Policy.Fixed)
        for key in PALETTES:
            self.palette_box.addItem(ui(f"palette_{key}"), key)
        named(self.palette_box, ui("map"))
        self.doubt_box = named(QCheckBox(ui("doubt")), ui("doubt"), ui("doubt_tip"))
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget, stretch in (
            (self.visible_box, 0),
            (self.opacity, 1),
            (self._value, 0),
            (self.palette_box, 0),
            (self.doubt_box, 0),
        ):
            layout.addWidget(widget, stretch)
        self.visible_box.toggled.connect(self.changed)
        self.doubt_box.toggled.connect(self.changed)
        self.palette_box.currentIndexChanged.connect(self.changed)
        self.opacity.valueChanged.connect(self._on_opacity_changed)

    def _on_opacity_changed(self, value: int) -> None:
        self._value.setText(ui("opacity_value", percent=value))
        self.changed.emit()

    def show_settings(self, settings: MapSettings) -> None:
        """Show what is set, without a signal."""
        blockers = [
            QSignalBlocker(w)
            for w in (self.visible_box, self.opacity, self.palette_box, self.doubt_box)
        ]
        self.visible_box.setChecked(settings.visible)
        self.opacity.setValue(round(settings.opacity * 100))
        self._value.setText(ui("opacity_value", percent=round(settings.opacity * 100)))
        self.palette_box.setCurrentIndex(self.palette_box.findData(settings.palette))
        self.doubt_box.setChecked(settings.doubt)
        del blockers

    def read_into(self, settings: MapSettings) -> None:
        """Put what is chosen into the settings."""
        settings.visible = self.visible_box.isChecked()
        settings.opacity = self.opacity.value() / 100
        settings.palette = str(self.palette_box.currentData())
        settings.doubt = self.doubt_box.isChecked()


class ResultCard(ResultFrame):
    """All that is said of one slide.

    Signals
    -------
    biomarker_chosen(str)
        Model id.
    folder_requested(), report_requested()
    """

    biomarker_chosen = Signal(str)
    folder_requested = Signal()
    report_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._rows: list[_BiomarkerRow] = []
        self._title = line(ui("result"), bold=True)
        self._partial = line("", muted=True)
        self._group = QButtonGroup(self)
        self._group.idToggled.connect(self._on_radio_toggled)
        self._grid = QGridLayout()
        self._grid.setHorizontalSpacing(6)
        self._grid.setVerticalSpacing(0)
        self._grid.setColumnStretch(1, 1)
        self.impression = ImpressionPanel()
        self.impression.setVisible(False)
        self._her2 = paragraph(HER2_FROM_HE)
        self._warnings = paragraph()
        self._warnings.setVisible(False)
        self.look_at = LookAtList([(key, ui(f"sort_{key}")) for key in SORTS])
        self.gallery = TileGallery()
        self.map_row = MapRow()
        self.why = WhyPanel()
        self._cursor_head = line(ui("under_cursor"), muted=True)
        self._cursor = ElidedLine()
        cursor = QVBoxLayout()
        cursor.setSpacing(0)
        cursor.addWidget(self._cursor_head)
        cursor.addWidget(self._cursor)
        self.report = small_button(ui("report"), ui("report_tip"))
        self.report.clicked.connect(self.report_requested)
        self.folder = small_button(ui("folder"), ui("folder_tip"))
        self.folder.clicked.connect(self.folder_requested)
        self._foot = QHBoxLayout()
        self._foot.addWidget(self.report)
        self._foot.addWidget(self.folder)
        self._foot.addStretch()

        layout = QVBoxLayout(self)
        layout.setContentsMargins(6, 6, 6, 6)
        layout.setSpacing(6)
        layout.addWidget(self._title)
        layout.addWidget(self._partial)
        layout.addLayout(self._grid)
        layout.addWidget(self.impression)
        layout.addWidget(self._her2)
        layout.addWidget(self._warnings)
        for widget in (rule(), self.look_at, self.gallery, rule(), self.map_row, self.why):
            layout.addWidget(widget)
        layout.addLayout(cursor)
        layout.addLayout(self._foot)
        self.set_frame(partial=False)

    def set_frame(self, *, partial: bool, percent: int = 0) -> None:
        """Draw a dashed frame while tiles are missing."""
        self.set_dashed(partial)
        self._partial.setText(ui("result_partial", percent=percent) if partial else "")
        self._partial.setVisible(partial)

    def set_rows(
        self,
        rows: list[ResultRow],
        current: str | None,
        *,
        demo: bool,
        her2_from_he: bool,
        hidden: Collection[str] = (),
    ) -> None:
        """Show one row a biomarker.

        Parameters
        ----------
        rows : list of ResultRow
            What is said.
        current : str or None
            Model whose map is shown.
        demo : bool
            Whether one of them is a demo model.
        her2_from_he : bool
            Whether HER2 is told from H&E, which is weak.
        hidden : collection of str
            Models whose numbers wait for the reader's impression.
        """
        if [r.model_id for r in self._rows] != [r.model_id for r in rows]:
            self._rebuild(rows)
        for widgets, row in zip(self._rows, rows, strict=True):
            widgets.show(row, row.model_id in hidden)
            with QSignalBlocker(self._group):
                widgets.radio.setChecked(row.model_id == current)
        self._title.setText(ui("result_demo" if demo else "result"))
        named(self._title, self._title.text(), DEMO_MODEL if demo else "")
        self._her2.setVisible(her2_from_he)
        if any(r.partial and r.total for r in rows):
            self._head_number.setText(ui("so_far"))
        else:
            self._head_number.setText("")

    def set_warnings(self, sentences: Sequence[str]) -> None:
        """What else should be known of this result, one line each."""
        self._warnings.setText("\n".join(f"⚠ {s}" for s in sentences))
        self._warnings.setVisible(bool(sentences))

    @property
    def warnings(self) -> str:
        """The warnings shown."""
        return str(self._warnings.text())

    def set_cursor(self, text: str) -> None:
        """Tell what lies under the cursor."""
        self._cursor.setText(text)

    @property
    def cursor_text(self) -> str:
        """What the line below the result says."""
        return self._cursor.text()

    def _rebuild(self, rows: list[ResultRow]) -> None:
        while self._grid.count():
            item = self._grid.takeAt(0)
            widget = item.widget()
            if isinstance(widget, QRadioButton):
                self._group.removeButton(widget)
            if widget is not None:
                widget.hide()
                widget.deleteLater()
        self._head_number: QLabel = line("", muted=True)
        tumour = line(ui("tumour_tiles"), muted=True)
        tumour.setAlignment(Qt.AlignmentFlag.AlignRight)
        self._grid.addWidget(ProbabilityScale(), 0, 1)
        self._grid.addWidget(self._head_number, 0, 2)
        self._grid.addWidget(tumour, 0, 3)
        self._rows = []
        for i, row in enumerate(rows):
            w = _BiomarkerRow(row, self._group, i)
            r = 1 + 2 * i
            self._grid.addWidget(w.radio, r, 0)
            self._grid.addWidget(w.bar, r, 1)
            self._grid.addWidget(w.number, r, 2)
            self._grid.addWidget(w.tiles, r, 3)
            self._grid.addWidget(w.note, r + 1, 0, 1, 4)
            self._rows.append(w)

    def _on_radio_toggled(self, index: int, on: bool) -> None:
        if on and 0 <= index < len(self._rows):
            self.biomarker_chosen.emit(self._rows[index].model_id)
