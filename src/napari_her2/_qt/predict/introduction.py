"""Before its first answer a model shows its card, once."""

from __future__ import annotations

import os
from collections.abc import Sequence

from qtpy.QtCore import QSettings
from qtpy.QtWidgets import QDialog, QDialogButtonBox, QVBoxLayout, QWidget

from napari_her2._qt.components.labels import fit_height, heading, paragraph
from napari_her2._qt.components.model_card import CardLines, names_of
from napari_her2._qt.texts import ui
from napari_her2.messages import DEMO_MODEL
from napari_her2.models.card import ModelCard
from napari_her2.settings import get_settings

__all__ = ["introduce"]


def _store() -> QSettings:
    return QSettings(str(get_settings().data_dir / "reader.ini"), QSettings.Format.IniFormat)


def _key(card: ModelCard) -> str:
    # A new version is a new colleague.
    return f"introduced/{card.id}@{card.version}"


def introduce(cards: Sequence[ModelCard], parent: QWidget) -> bool:
    """Show the cards of models that were never used here.

    Parameters
    ----------
    cards : sequence of ModelCard
        Models about to run.
    parent : QWidget
        Over which the dialog stands.

    Returns
    -------
    bool
        False if the user closed the cards without going on.
    """
    store = _store()
    new = [c for c in cards if store.value(_key(c), "") != "1"]
    if not new or os.environ.get("NAPARI_HER2_ACCEPT_NOTICE") == "1":
        return True
    if IntroductionDialog(new, parent).exec() != QDialog.DialogCode.Accepted:
        return False
    for card in new:
        store.setValue(_key(card), "1")
    store.sync()
    return True


class IntroductionDialog(QDialog):
    """Six lines a model, and one button to go on."""

    def __init__(self, cards: Sequence[ModelCard], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle(ui("card_first"))
        layout = QVBoxLayout(self)
        layout.setSpacing(8)
        layout.addWidget(heading(names_of(cards)))
        layout.addWidget(CardLines(*cards))
        if any(c.is_demo for c in cards):
            layout.addWidget(paragraph(DEMO_MODEL))
        layout.addStretch()
        box = QDialogButtonBox()
        box.addButton(ui("card_go"), QDialogButtonBox.ButtonRole.AcceptRole)
        box.addButton(ui("cancel"), QDialogButtonBox.ButtonRole.RejectRole)
        box.accepted.connect(self.accept)
        box.rejected.connect(self.reject)
        layout.addWidget(box)
        fit_height(self, 520)
