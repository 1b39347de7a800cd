"""The notice of the first run: what this program is not, and who is reading."""

from __future__ import annotations

import os

from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QLabel, QLineEdit, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import fit_height, heading, line, named, paragraph
from napari_her2._qt.texts import ui
from napari_her2.messages import FIRST_RUN, NOTICE
from napari_her2.settings import get_settings

__all__ = ["NoticeDialog", "accept_notice", "notice_accepted", "reader_initials"]

_ENV = "NAPARI_HER2_ACCEPT_NOTICE"


def _store() -> QSettings:
    # A file of our own beside the other user data: tests and users can look at it and delete it.
    return QSettings(str(get_settings().data_dir / "reader.ini"), QSettings.Format.IniFormat)


def notice_accepted() -> bool:
    """Whether the notice was read on this computer (or the environment says so)."""
    return os.environ.get(_ENV) == "1" or _store().value("notice/accepted", "") == "1"


def reader_initials() -> str:
    """Who reads here; empty if they did not say."""
    return str(_store().value("reader/initials", "") or "")


def accept_notice(initials: str = "") -> None:
    """Remember that the notice was read, and by whom."""
    store = _store()
    store.setValue("notice/accepted", "1")
    store.setValue("reader/initials", initials.strip())
    store.sync()


class NoticeDialog(QDialog):
    """Shown once, before the first use of the docks."""

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("notice_title"))
        self.initials = named(QLineEdit(), ui("notice_reader"))
        self.initials.setMaxLength(12)
        buddy: QLabel = line(ui("notice_reader"))
        buddy.setBuddy(self.initials)
        box = QDialogButtonBox()
        self.ok = box.addButton(ui("notice_ok"), QDialogButtonBox.ButtonRole.AcceptRole)
        box.accepted.connect(self.accept)
        layout = QVBoxLayout(self)
        layout.setSpacing(10)
        for widget in (heading(NOTICE), paragraph(FIRST_RUN), buddy, self.initials, box):
            layout.addWidget(widget)
        layout.insertStretch(layout.count() - 1)
        fit_height(self, 460)
        self.accepted.connect(lambda: accept_notice(self.initials.text()))
