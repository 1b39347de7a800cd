"""The gallery of examples: click flies to one on its slide, the key of a class labels it anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from qtpy.QtCore import Qt, Signal
from qtpy.QtGui import QKeyEvent
from qtpy.QtWidgets import QVBoxLayout, QWidget

from napari_her2._qt.components.labels import heading, paragraph
from napari_her2._qt.components.tile_gallery import TileGallery
from napari_her2._qt.texts import ui
from napari_her2._qt.train.example_list import LIMIT, ExampleList

__all__ = ["ExamplesPanel"]

_COLUMNS = 6


class ExamplesPanel(QWidget):
    """Shows a list; emits, decides nothing.

    Signals
    -------
    example_requested(int)
        An example was clicked; its number in the list.
    class_requested(str)
        The key of a class was pressed; the name of that class.
    """

    example_requested = Signal(int)
    class_requested = Signal(str)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._keys: dict[str, str] = {}
        self.examples: ExampleList | None = None
        self.current = -1
        self._title = heading("")
        self.gallery = TileGallery(_COLUMNS, LIMIT // _COLUMNS)
        self._now = paragraph(ui("example_help"), muted=True)
        self._legend = paragraph(muted=True)
        self.said = paragraph()
        self.said.setVisible(False)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(4)
        for widget in (self._title, self.gallery, self._now, self._legend, self.said):
            layout.addWidget(widget)
        self.gallery.tile_requested.connect(self._on_requested)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)

    def set_examples(self, shown: ExampleList | None) -> None:
        """Show a list; its pictures follow."""
        self.examples, self.current = shown, -1
        self._title.setText("" if shown is None else shown.title)
        self.gallery.set_tips([] if shown is None else [e.tip() for e in shown.examples])
        some = shown is not None and bool(shown.examples)
        self._now.setText(ui("example_help" if some else "examples_none"))
        self._legend.setVisible(bool(self._keys) and some)
        self.say("")

    def set_pictures(self, pictures: Sequence[Any]) -> None:
        """Give the examples their pictures; None where there is none."""
        for i, picture in enumerate(pictures):
            if picture is not None:
                self.gallery.set_picture(i, picture)

    def set_keys(self, keys: dict[str, str]) -> None:
        """The class that each key gives."""
        self._keys = dict(keys)
        shown = " · ".join(ui("example_key", key=k, name=n) for k, n in keys.items())
        self._legend.setText(ui("example_keys", keys=shown) if keys else "")
        self._legend.setVisible(bool(keys) and self.examples is not None)

    def set_current(self, index: int) -> None:
        """The view went to this example."""
        self.current = index
        self.gallery.set_current(index)
        if self.examples is not None and 0 <= index < len(self.examples.examples):
            n = len(self.examples.examples)
            self._now.setText(self.examples.examples[index].told(index, n))

    def say(self, sentence: str) -> None:
        """Tell what became of the last wish."""
        self.said.setText(sentence)
        self.said.setVisible(bool(sentence))

    def _on_requested(self, index: int) -> None:
        self.set_current(index)
        self.example_requested.emit(index)

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Take the keys of classes, and left and right."""
        name = self._keys.get(event.text())
        if name is not None and not event.modifiers() & Qt.KeyboardModifier.ControlModifier:
            self.class_requested.emit(name)
            return
        n = 0 if self.examples is None else len(self.examples.examples)
        step = {Qt.Key.Key_Right: 1, Qt.Key.Key_Left: -1}.get(Qt.Key(event.key()), 0)
        if step and n:
            self._on_requested(min(max(self.current + step, 0), n - 1))
            return
        super().keyPressEvent(event)
