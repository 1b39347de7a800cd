"""The result of a case: what the rule yields, on which cells, and the way to each of them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from qtpy.QtCore import QSignalBlocker, QSize, Signal
from qtpy.QtWidgets import (
    QCheckBox,
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt.components.labels import (
    ElidedLine,
    heading,
    line,
    named,
    paragraph,
    small_button,
)
from napari_her2._qt.components.look_at import LookAtList
from napari_her2._qt.components.result_frame import ResultFrame, rule
from napari_her2._qt.score.cell_card import CellCard
from napari_her2._qt.score.class_bar import ClassShares, swatch
from napari_her2._qt.score.corrected_row import CorrectedRow
from napari_her2._qt.score.facts import ScoreFacts, class_short
from napari_her2._qt.score.scale_strip import ScaleStrip
from napari_her2._qt.style import TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2.messages import DEMO_MODEL

__all__ = ["ClassToggles", "ScoreResultCard"]


class ClassToggles(QWidget):
    """One box a class: which cells are shown.

    Signals
    -------
    changed(tuple of str)
        Classes ticked.
    """

    changed = Signal(object)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._boxes: dict[str, QCheckBox] = {}
        self._head = line(ui("classes"), bold=True)
        self._rows = QVBoxLayout(self)
        self._rows.setContentsMargins(0, 0, 0, 0)
        self._rows.setSpacing(0)

    def set_classes(self, names: Sequence[str], visible: Collection[str]) -> None:
        """Offer these classes."""
        if tuple(names) != tuple(self._boxes):
            self._rebuild(names)
        for name, box in self._boxes.items():
            with QSignalBlocker(box):
                box.setChecked(name in visible)

    @property
    def ticked(self) -> tuple[str, ...]:
        """Classes shown."""
        return tuple(n for n, b in self._boxes.items() if b.isChecked())

    def _rebuild(self, names: Sequence[str]) -> None:
        for box in self._boxes.values():
            box.hide()
            box.deleteLater()
        self._boxes = {}
        while self._rows.count():
            self._rows.takeAt(0)
        # Grades in the first row, what is no tumour in the second: seven do not fit in one.
        for part in (names[:4], names[4:]):
            row = QHBoxLayout()
            row.setSpacing(3)
            if not self._boxes:
                row.addWidget(self._head)
            for name in part:
                box = QCheckBox(class_short(name))
                box.setIcon(swatch(name, 10))
                box.setIconSize(QSize(10, 10))
                box.setMinimumHeight(TARGET_PX)
                named(box, ui("class_shown", name=name), ui("class_shown_tip", name=name))
                box.toggled.connect(lambda _: self.changed.emit(self.ticked))
                row.addWidget(box)
                self._boxes[name] = box
            row.addStretch()
            self._rows.addLayout(row)


class ScoreResultCard(ResultFrame):
    """All that is said of one case.

    Signals
    -------
    rules_requested(), folder_requested(), report_requested()
    mend_requested(str)
        The button that mends why there is no score.
    class_clicked(str)
        Show only this class.
    map_chosen(str)
        Colour or density that is shown.
    """

    rules_requested = Signal()
    folder_requested = Signal()
    report_requested = Signal()
    mend_requested = Signal(str)
    class_clicked = Signal(str)
    map_chosen = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.title = heading(ui("result"))
        self.origin = paragraph(muted=True)
        self.partial = line("", muted=True)
        self.verdict = heading("")
        self.evidence = paragraph()
        self.notes = paragraph(muted=True)
        self.reason = paragraph()
        self.mend = small_button("")
        self.mend.clicked.connect(lambda: self.mend_requested.emit(self._mend_id))
        self.set_mend(None)
        self.shares = ClassShares()
        self.shares.class_clicked.connect(self.class_clicked)
        self._disagree = QWidget()
        self.disagree = paragraph()
        self.why = small_button(ui("why_button"), ui("rules_why_tip"))
        self.why.clicked.connect(self.rules_requested)
        disagree = QHBoxLayout(self._disagree)
        disagree.setContentsMargins(0, 0, 0, 0)
        disagree.addWidget(self.disagree, 1)
        disagree.addWidget(self.why)
        self.indices = ElidedLine()
        self.rules = small_button(ui("rules_button"), ui("rules_why_tip"))
        self.rules.clicked.connect(self.rules_requested)
        verdict = QHBoxLayout()
        verdict.addWidget(self.verdict, 1)
        verdict.addWidget(self.rules)
        self.warnings = paragraph()
        self.toggles = ClassToggles()
        self.map_box = QComboBox()
        self.map_box.setMinimumHeight(TARGET_PX)
        self.map_box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        named(self.map_box, ui("map"), ui("cell_map_tip"))
        self.map_box.currentIndexChanged.connect(
            lambda _: self.map_chosen.emit(str(self.map_box.currentData()))
        )
        map_row = QGridLayout()
        map_row.setHorizontalSpacing(6)
        map_row.setColumnStretch(1, 1)
        map_row.addWidget(line(ui("map"), bold=True), 0, 0)
        map_row.addWidget(self.map_box, 0, 1)
        self.scale = ScaleStrip()
        self.zoom_hint = line("", muted=True)
        self.zoom_hint.setVisible(False)
        self.look_at = LookAtList([(k, ui(f"sort_{k}")) for k in ("dense", "doubtful")])
        self.cell = CellCard()
        self.corrected = CorrectedRow()
        self._cursor = ElidedLine()
        cursor = QVBoxLayout()
        cursor.setSpacing(0)
        cursor.addWidget(line(ui("under_cursor"), muted=True))
        cursor.addWidget(self._cursor)
        self.report = small_button(ui("report"), ui("report_tip"))
        self.report.clicked.connect(self.report_requested)
        self.folder = small_button(ui("folder"), ui("folder_tip"))
        self.folder.clicked.connect(self.folder_requested)
        foot = QHBoxLayout()
        foot.addWidget(self.report)
        foot.addWidget(self.folder)
        foot.addStretch()

        layout = QVBoxLayout(self)
        layout.setContentsMargins(5, 6, 4, 6)
        layout.setSpacing(4)
        layout.addWidget(self.title)
        layout.addWidget(self.partial)
        layout.addLayout(verdict)
        for widget in (
            self.evidence, self.notes, self.reason, self.mend, self.shares, self._disagree,
            self.indices, self.warnings, rule(),
        ):  # fmt: skip
            layout.addWidget(widget)
        layout.addWidget(self.toggles)
        layout.addLayout(map_row)
        layout.addWidget(self.scale)
        layout.addWidget(self.zoom_hint)
        for widget in (self.look_at, rule(), self.cell, self.corrected):
            layout.addWidget(widget)
        layout.addLayout(cursor)
        layout.addWidget(self.origin)
        layout.addLayout(foot)

    def show_facts(self, facts: ScoreFacts, *, percent: int | None, demo: bool) -> None:
        """Show what is said.

        Parameters
        ----------
        facts : ScoreFacts
            The words.
        percent : int or None
            How much of a run is done; None = all of it.
        demo : bool
            Whether a demo classifier named the classes.
        """
        self.set_dashed(percent is not None)
        self.title.setText(ui("result_of_demo" if demo else "result_of", what=facts.title))
        named(self.title, self.title.text(), DEMO_MODEL if demo else "")
        for label, text in (
            (self.partial, "" if percent is None else ui("result_partial", percent=percent)),
            (self.verdict, facts.verdict),
            (self.evidence, facts.evidence),
            (self.notes, facts.notes),
            (self.reason, facts.reason),
            (self.warnings, "\n".join(f"⚠ {w}" for w in facts.warnings)),
        ):
            label.setText(text)
            label.setVisible(bool(text))
        self.shares.set_shares(facts.classes, so_far=percent is not None)
        self.disagree.setText(f"⚠ {facts.disagree}" if facts.disagree else "")
        self._disagree.setVisible(bool(facts.disagree))
        self.indices.setText(facts.indices)
        self.rules.setVisible(bool(facts.rules) and not facts.disagree)

    def set_mend(self, mend: tuple[str, str] | None) -> None:
        """The button below the reason why there is no score: (id, text)."""
        self._mend_id, text = mend or ("", "")
        self.mend.setText(text)
        named(self.mend, text)
        self.mend.setVisible(mend is not None)

    def set_origin(self, text: str) -> None:
        """What the numbers come from."""
        self.origin.setText(text)
        self.origin.setVisible(bool(text))

    def set_maps(self, names: Sequence[tuple[str, str]], chosen: str) -> None:
        """What can be shown of the cells: (key, text)."""
        with QSignalBlocker(self.map_box):
            there = [self.map_box.itemData(i) for i in range(self.map_box.count())]
            if there != [key for key, _ in names]:
                self.map_box.clear()
                for key, text in names:
                    self.map_box.addItem(text, key)
            self.map_box.setCurrentIndex(max(0, self.map_box.findData(chosen)))
        self.scale.show_colouring(chosen)

    def set_zoom_hint(self, text: str) -> None:
        """Say why no single cell is to be seen."""
        self.zoom_hint.setText(text)
        self.zoom_hint.setVisible(bool(text))

    def set_cursor(self, text: str) -> None:
        """Tell what lies under the cursor."""
        self._cursor.setText(text)

    @property
    def cursor_text(self) -> str:
        """What the line below the result says."""
        return self._cursor.text()
