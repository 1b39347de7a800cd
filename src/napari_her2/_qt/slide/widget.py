"""The Slide dock: what the slide is, how large a pixel is and who said so, what was found on it."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import (
    QHBoxLayout,
    QMenu,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from napari_her2._qt import numbers
from napari_her2._qt.components.dock_body import MIN_WIDTH
from napari_her2._qt.components.elided_combo import ElidedCombo
from napari_her2._qt.components.labels import (
    ElidedLine,
    line,
    link_button,
    link_style,
    named,
    small_button,
)
from napari_her2._qt.open_slide import OpenSlide
from napari_her2._qt.session import Session, session_of, tell
from napari_her2._qt.slide import actions
from napari_her2._qt.slide.mpp_dialog import ask_mpp
from napari_her2._qt.style import AMBER, TARGET_PX
from napari_her2._qt.texts import ui
from napari_her2._qt.theming import follow_theme
from napari_her2._qt.window import adopt_window
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari_her2._qt.run_controller import RunController
    from napari_her2.results.stored import StoredRun

__all__ = ["SlideWidget"]

_STAINS = ("H&E", "H-DAB")


class SlideWidget(QWidget):
    """Facts of the active slide, and the way to open another.

    Parameters
    ----------
    napari_viewer : napari.Viewer
        The window it is docked in.
    """

    def __init__(self, napari_viewer: Any, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("her2-slide")
        self.setMinimumWidth(MIN_WIDTH)
        self.session: Session = session_of(napari_viewer)
        self._marked_unknown = False
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 8, 4)
        layout.setSpacing(3)
        layout.addLayout(self._head_row())
        self.size_line = ElidedLine()
        layout.addWidget(self.size_line)
        layout.addLayout(self._facts_row())
        layout.addLayout(self._tissue_row())
        layout.addLayout(self._results_row())
        layout.addStretch()
        self.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
        self.session.slides_changed.connect(self._refill)
        self.session.active_changed.connect(self._refill)
        self.session.facts_changed.connect(self._show_facts)
        for controller in self._controllers:
            controller.runs_changed.connect(self._show_results)
        self._refill()
        adopt_window(self.session, self)

    # building -----------------------------------------------------------------------------

    def _head_row(self) -> QHBoxLayout:
        self.empty = line(ui("no_slide_open"))
        self.picker = ElidedCombo()
        self.picker.setMinimumHeight(TARGET_PX)
        self.picker.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        named(self.picker, ui("dock_slide"), ui("slide_pick"))
        self.picker.activated.connect(self._on_picked)
        self.open_button = small_button(ui("open_slide"), ui("open_slide_tip"))
        self.open_button.clicked.connect(lambda: actions.choose_file(self.session, self))
        self.samples = small_button(ui("samples"))
        self.samples.setMenu(self._samples_menu())
        self.more = QToolButton()
        self.more.setText(ui("more"))
        self.more.setFixedSize(TARGET_PX + 4, TARGET_PX)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.more.setStyleSheet("QToolButton::menu-indicator { image: none; }")
        named(self.more, ui("more_tip"), ui("more_tip"))
        self._more_menu = QMenu(self)
        self._more_menu.aboutToShow.connect(self._fill_more)
        self.more.setMenu(self._more_menu)
        row = QHBoxLayout()
        row.setSpacing(5)
        row.addWidget(self.empty, 1)
        row.addWidget(self.picker, 1)
        for widget in (self.open_button, self.samples, self.more):
            row.addWidget(widget)
        return row

    def _samples_menu(self) -> QMenu:
        menu = QMenu(self)
        menu.setToolTipsVisible(True)
        # Filled when it is opened: the table of samples comes with the generator behind it.
        menu.aboutToShow.connect(lambda: self._fill_samples(menu))
        return menu

    def _fill_samples(self, menu: QMenu) -> None:
        menu.clear()
        for sample in actions.samples():
            action = menu.addAction(sample.title)
            action.setToolTip(sample.description)
            action.triggered.connect(
                lambda _=False, name=sample.name: actions.show_sample(self.session, name)
            )

    def _facts_row(self) -> QHBoxLayout:
        self.mpp_line = ElidedLine()
        self.mpp_button = link_button(ui("change"))
        self.mpp_button.clicked.connect(self._ask_mpp)
        self.stain_line = ElidedLine()
        self.stain_button = link_button(ui("change"))
        menu = QMenu(self)
        for stain in _STAINS:
            menu.addAction(stain, lambda stain=stain: self._set_stain(stain))
        self.stain_button.setMenu(menu)
        row = QHBoxLayout()
        row.setSpacing(5)
        row.addWidget(self.mpp_line)
        row.addWidget(self.mpp_button)
        row.addStretch(1)
        row.addWidget(self.stain_line)
        row.addWidget(self.stain_button)
        return row

    def _tissue_row(self) -> QHBoxLayout:
        self.tissue_line = ElidedLine()
        self.tissue_button = small_button(ui("show"))
        self.tissue_button.setCheckable(True)
        self.tissue_button.toggled.connect(self._on_tissue_toggled)
        row = QHBoxLayout()
        row.addWidget(self.tissue_line, 1)
        row.addWidget(self.tissue_button)
        return row

    def _results_row(self) -> QHBoxLayout:
        self.results_button = QPushButton(ui("results"))
        self.results_button.setMinimumHeight(TARGET_PX)
        self.results_button.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        named(self.results_button, ui("results"))
        self._results_menu = QMenu(self)
        self._results_menu.aboutToShow.connect(self._fill_results)
        self.results_button.setMenu(self._results_menu)
        self.results_line = ElidedLine(muted=True)
        row = QHBoxLayout()
        row.addWidget(self.results_button)
        row.addWidget(self.results_line, 1)
        return row

    # showing ------------------------------------------------------------------------------

    def _refill(self) -> None:
        slides, active = self.session.slides, self.session.active
        with QSignalBlocker(self.picker):
            self.picker.clear()
            for entry in slides:
                self.picker.addItem(entry.slide_id)
                index = self.picker.count() - 1
                self.picker.setItemData(index, str(entry.path), Qt.ItemDataRole.ToolTipRole)
            if active in slides:
                self.picker.setCurrentIndex(slides.index(active))
        there = active is not None
        self.empty.setVisible(not there)
        self.picker.setVisible(there)
        self.samples.setText(ui("samples" if there else "try_sample"))
        self.more.setVisible(there)
        for widget in (
            self.size_line, self.mpp_line, self.mpp_button, self.stain_line, self.stain_button,
            self.tissue_line, self.tissue_button, self.results_button, self.results_line,
        ):  # fmt: skip
            widget.setVisible(there)
        if there:
            self._show_facts()
            self._show_results()

    def _show_facts(self) -> None:
        entry = self.session.active
        if entry is None:
            return
        self.size_line.setText(_size_text(entry))
        mpp = entry.mpp
        if mpp is None:
            self.mpp_line.setText(ui("slide_mpp_missing"))
            self.mpp_button.setText(ui("enter"))
        else:
            source = ui(f"source_{mpp.source}")
            self.mpp_line.setText(ui("slide_mpp", mpp=numbers.mpp(mpp.mean), source=source))
            self.mpp_button.setText(ui("change"))
        self._mark_unknown(mpp is None)
        named(self.mpp_button, f"{self.mpp_line.text()}: {self.mpp_button.text()}")
        warnings = entry.slide.info.warnings
        self.size_line.setToolTip("\n".join((entry.slide_id, *warnings)))
        self._show_stain(entry)
        self._show_tissue(entry)

    def _mark_unknown(self, unknown: bool) -> None:
        """An amber button while the pixel size is unknown, a link when it is known."""
        if unknown == self._marked_unknown:
            return
        self._marked_unknown = unknown
        follow_theme(self.mpp_button, _amber_style if unknown else link_style)

    def _show_stain(self, entry: OpenSlide) -> None:
        survey = entry.survey
        if entry.stain is not None:
            text = ui("stain_set", stain=entry.stain)
        elif survey is None:
            text = ui("stain_unknown" if entry.survey_error is not None else "stain_wait")
        elif survey.stain.stain == "unknown":
            text = ui("stain_unknown")
        else:
            confidence = numbers.probability(survey.stain.confidence)
            text = ui("stain_guess", stain=survey.stain.stain, confidence=confidence)
        self.stain_line.setText(text)
        named(self.stain_button, f"{text}: {ui('change')}")

    def _show_tissue(self, entry: OpenSlide) -> None:
        survey = entry.survey
        self.tissue_button.setEnabled(survey is not None)
        if survey is None:
            done = entry.survey_error is not None
            self.tissue_line.setText(ui("tissue_none" if done else "tissue_wait"))
            return
        tissue = survey.tissue
        if tissue.area_mm2 is not None:
            text = ui("tissue_area", area=numbers.area_mm2(tissue.area_mm2))
        else:
            text = ui("tissue_share", percent=round(100 * tissue.fraction))
        if not tissue.mask.any():
            text = ui("tissue_none")
        items = []
        for name, area in tissue.qc_area_mm2.items():
            if area:
                items.append(ui("qc_item", name=name, area=numbers.area_mm2(area)))
            elif area is None and tissue.qc[name].any():
                items.append(ui("qc_item_bare", name=name))
        qc = ui("qc", items=", ".join(items)) if items else ui("qc_clear")
        self.tissue_line.setText(f"{text} · {qc}")

    def _show_results(self) -> None:
        entry = self.session.active
        if entry is None:
            return
        runs = self._stored_runs(entry)
        self.results_button.setEnabled(bool(runs))
        if not runs:
            self.results_line.setText(ui("results_none"))
            return
        self.results_line.setText(" · ".join(_run_text(r) for r in runs[:2]))

    def _fill_results(self) -> None:
        self._results_menu.clear()
        entry = self.session.active
        if entry is None:
            return
        for run in self._stored_runs(entry)[:20]:
            self._results_menu.addAction(_run_text(run), lambda run=run: self._reopen(run))

    @property
    def _controllers(self) -> tuple[RunController, ...]:
        return (self.session.predict, self.session.score)

    def _stored_runs(self, entry: OpenSlide) -> list[StoredRun]:
        """Complete runs of all docks, newest first."""
        runs = [r for c in self._controllers for r in c.stored_runs(entry)]
        return sorted(runs, key=lambda r: str(r.record.get("started")), reverse=True)

    def _reopen(self, run: StoredRun) -> None:
        """Show a stored run in the dock it belongs to."""
        cells = run.record.get("kind") == "cells"
        if self.session.keeper is not None:
            self.session.keeper.raise_dock("her2-score" if cells else "her2-predict")
        (self.session.score if cells else self.session.predict).show_stored(run)

    def _fill_more(self) -> None:
        self._more_menu.clear()
        entry = self.session.active
        if entry is None:
            return
        held = {n.lower(): n for n in entry.slide.info.associated_images}
        for kind in ("label", "macro"):
            if kind in held:
                self._more_menu.addAction(
                    ui(f"show_{kind}"), lambda kind=kind: self._show_associated(kind)
                )
        self._more_menu.addAction(ui("close_slide"), lambda: self.session.close_slide(entry))

    # doing --------------------------------------------------------------------------------

    def _on_picked(self, index: int) -> None:
        entry = self.session.slides[index]
        viewer = self.session.viewer
        if viewer is not None:
            viewer.layers.selection.active = entry.layer
        self.session.show_only(entry)

    def _ask_mpp(self) -> None:
        if self.session.active is not None:
            ask_mpp(self.session, self.session.active, self)

    def _set_stain(self, stain: str) -> None:
        if self.session.active is not None:
            self.session.set_stain(self.session.active, stain)

    def _on_tissue_toggled(self, on: bool) -> None:
        self.tissue_button.setText(ui("hide" if on else "show"))
        if self.session.active is not None:
            actions.toggle_tissue(self.session, self.session.active, on)

    def _show_associated(self, kind: str) -> None:
        if self.session.active is None:
            return
        try:
            self.session.show_associated(self.session.active, kind)
        except Her2Error as error:
            tell(error)


def _amber_style() -> str:
    return (
        f"QPushButton {{ background: {AMBER}; color: black; border-radius: 3px;"
        " padding: 2px 8px; }"
    )


def _size_text(entry: OpenSlide) -> str:
    size, mpp = entry.slide.size, entry.mpp
    slots = {
        "width": numbers.count(size.width),
        "height": numbers.count(size.height),
        "n": len(entry.slide.levels),
    }
    if mpp is None:
        return ui("slide_size_px", **slots)
    return ui(
        "slide_size_um",
        mm_w=numbers.millimetres(size.width * mpp.x),
        mm_h=numbers.millimetres(size.height * mpp.y),
        **slots,
    )


def _run_text(run: StoredRun) -> str:
    models = run.record.get("models") or []
    what = "/".join(str(m.get("biomarker") or m.get("id")) for m in models) or run.folder.name
    if run.record.get("kind") == "cells":
        what = ui("results_cells")
    started = run.record.get("started")
    if not started:
        return what
    return f"{what} {numbers.when(dt.datetime.fromisoformat(str(started)))}"
