"""The label set in the form: which one, how much of each class, how even."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qtpy.QtCore import QRectF, QSignalBlocker, Qt, Signal
from qtpy.QtGui import QPainter, QPaintEvent, QPen
from qtpy.QtWidgets import QHBoxLayout, QVBoxLayout, QWidget

from napari_her2._qt import numbers
from napari_her2._qt.components.elided_combo import ElidedCombo
from napari_her2._qt.components.labels import ElidedLine, line, named, small_button
from napari_her2._qt.style import TARGET_PX, theme_colours
from napari_her2._qt.texts import ui
from napari_her2._qt.train.painting import Painted, class_ink
from napari_her2._qt.train.services import SetEntry

__all__ = ["BalanceBar", "ClassCount", "LabelSummary", "class_counts"]

_BARS_PX = 22


@dataclass(frozen=True, slots=True)
class ClassCount:
    """Labels of one class in each part."""

    name: str
    n: int
    train: int
    tune: int
    test: int


def class_counts(labels: Any) -> tuple[ClassCount, ...]:
    """Labels of each class, as the set's record says."""
    counts = labels.info.get("counts") or {}
    found = []
    for name in labels.classes:
        c = counts.get(name)
        if c is None:
            n = int((labels.column("class") == name).sum())
            c = {"n": n, "train": 0, "tune": 0, "test": 0}
        found.append(ClassCount(name, int(c["n"]), *(int(c[s]) for s in ("train", "tune", "test"))))
    return tuple(found)


class BalanceBar(Painted):
    """One column for each class, as high as it has labels; name and number below."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(_BARS_PX + 34, parent)
        self._counts: tuple[ClassCount, ...] = ()
        named(self, ui("train_balance"))

    def wanted_height(self) -> int:
        """Columns and two lines."""
        return int(_BARS_PX + 2 * self.fontMetrics().height() + 4)

    def set_counts(self, counts: Sequence[ClassCount]) -> None:
        """Show these."""
        self._counts = tuple(counts)
        self.fit()
        said = ", ".join(f"{c.name} {c.n}" for c in counts)
        self.setAccessibleDescription(said)
        self.update()

    def _wide(self) -> float:
        return self.width() / max(len(self._counts), 1)

    def paintEvent(self, _event: QPaintEvent) -> None:
        """Draw the columns."""
        painter = QPainter(self)
        c = theme_colours()
        metrics = painter.fontMetrics()
        most = max((count.n for count in self._counts), default=1) or 1
        wide = self._wide()
        for i, count in enumerate(self._counts):
            tall = max(1.0, _BARS_PX * count.n / most) if count.n else 0.0
            bar = QRectF(i * wide + 3, _BARS_PX - tall, min(wide - 6, 60), tall)
            painter.fillRect(bar, class_ink(count.name, i))
            painter.setPen(QPen(c.muted, 1))
            painter.drawRect(bar)
            short = count.name.removeprefix("tumour ")
            for row, (text, ink) in enumerate(((short, c.text), (numbers.count(count.n), c.muted))):
                painter.setPen(ink)
                box = QRectF(i * wide + 3, _BARS_PX + 1 + row * metrics.height(), wide - 4,
                             metrics.height())  # fmt: skip
                shown = metrics.elidedText(text, Qt.TextElideMode.ElideRight, int(box.width()))
                painter.drawText(box, Qt.AlignmentFlag.AlignLeft, shown)

    def tip_at(self, x: float, y: float) -> str:
        """How the labels of a class are shared out."""
        del y
        i = int(x // self._wide())
        if not 0 <= i < len(self._counts):
            return ""
        count = self._counts[i]
        return ui(
            "train_column_tip", name=count.name, n=numbers.count(count.n),
            train=numbers.count(count.train), tune=numbers.count(count.tune),
            test=numbers.count(count.test),
        )  # fmt: skip


class _Notes(ElidedLine):
    """The first of some sentences; the tooltip has them all, whether or not the line fits."""

    notes: Sequence[str] = ()

    def _update_tip(self) -> None:
        self.setToolTip("\n".join(self.notes))


class LabelSummary(QWidget):
    """Choice of a label set and what is in it.

    Signals
    -------
    set_chosen(Path)
        Another set is wanted.
    odd_requested()
        Show the labels that look out of place.
    browse_requested()
        Choose a set that lies elsewhere.
    """

    set_chosen = Signal(object)
    odd_requested = Signal()
    browse_requested = Signal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.combo = named(ElidedCombo(), ui("train_set"), ui("train_set_tip"))
        self.combo.setMinimumHeight(TARGET_PX)
        self.combo.activated.connect(self._on_activated)
        self._line = ElidedLine(muted=True)
        self.bar = BalanceBar()
        self.odd = small_button(ui("train_odd"), ui("train_odd_tip"))
        self.odd.clicked.connect(self.odd_requested)
        self.warning = _Notes(muted=True)
        head = QHBoxLayout()
        head.setSpacing(6)
        head.addWidget(line(ui("train_set"), bold=True))
        head.addWidget(self.combo, 1)
        row = QHBoxLayout()
        row.setSpacing(4)
        row.addWidget(self._line, 1)
        row.addWidget(self.odd)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(3)
        layout.addLayout(head)
        layout.addLayout(row)
        layout.addWidget(self.bar)
        layout.addWidget(self.warning)
        self.set_labels(None)

    def set_sets(self, sets: Sequence[SetEntry], chosen: Any) -> None:
        """The label sets there are."""
        with QSignalBlocker(self.combo):
            self.combo.clear()
            for entry in sets:
                self.combo.addItem(entry.title, entry.path)
            self.combo.addItem(ui("train_browse"), None)
            at = next((i for i, e in enumerate(sets) if e.path == chosen), -1)
            self.combo.setCurrentIndex(at if sets else -1)
        self.combo.setItemData(len(sets), ui("train_browse_tip"), Qt.ItemDataRole.ToolTipRole)

    def set_labels(self, labels: Any) -> None:
        """Show what is in a set; None where there is none."""
        there = labels is not None
        for widget in (self._line, self.bar, self.odd):
            widget.setVisible(there)
        warnings = (labels.info.get("warnings") or []) if there else []
        said = [str(w.get("sentence", "")) for w in warnings]
        self.warning.setVisible(bool(said))
        if said:
            text = "train_note" if len(said) == 1 else "train_notes"
            self.warning.notes = said
            self.warning.setText(ui(text, n=len(said), first=said[0]))
        if not there:
            return
        slides = int(labels.info.get("slides") or len(labels.info.get("sources") or ()))
        of_slides = (
            ui("train_one_slide") if slides == 1
            else ui("train_slides", n=numbers.count(slides))
        )  # fmt: skip
        kind = ui(f"train_{labels.kind}")
        self._line.setText(
            ui("train_set_line", n=numbers.count(len(labels)), kind=kind, slides=of_slides)
        )
        self.bar.set_counts(class_counts(labels))
        odd = int(labels.info.get("odd") or len(labels.odd_rows()))
        self.odd.setEnabled(bool(odd))
        self.odd.setToolTip(ui("train_odd_tip") if odd else ui("train_no_odd"))

    def _on_activated(self, index: int) -> None:
        path = self.combo.itemData(index)
        if path is None:
            self.browse_requested.emit()
        else:
            self.set_chosen.emit(path)
