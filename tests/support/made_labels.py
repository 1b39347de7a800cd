"""Labels in a window without a screen: drawn by calls of the tools, as the mouse makes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from made_windows import open_slide_in, run_to_end, trio, wait_for, window

from napari_her2._qt.annotate.tools import At
from napari_her2._qt.annotate.widget import AnnotateWidget
from napari_her2._qt.predict.widget import PredictWidget


class LabelDesk:
    """A window with one slide and the Annotate dock alone."""

    def __init__(self, qtbot: Any, path: Any) -> None:
        self.qtbot = qtbot
        self.viewer, self.session = window(trio())
        self.open(path)
        self.dock = AnnotateWidget(self.viewer)
        qtbot.addWidget(self.dock)
        self.dock.resize(360, 900)
        self.dock.show()
        wait_for(lambda: self.controller.labels is not None)

    def open(self, path: Any) -> None:
        open_slide_in(self.session, path)

    def close(self) -> None:
        self.session.close()

    def predict(self) -> None:
        """Have a map on the slide."""
        dock = PredictWidget(self.viewer)
        self.qtbot.addWidget(dock)
        run_to_end(self.session, dock)

    @property
    def controller(self) -> Any:
        return self.session.annotate

    @property
    def easel(self) -> Any:
        return self.controller.easel

    @property
    def labels(self) -> Any:
        return self.controller.labels

    @property
    def store(self) -> Any:
        return self.labels.store

    def key(self, name: str) -> None:
        """Press a key of the Labels layer."""
        from napari.utils.key_bindings import coerce_keybinding

        layer = self.labels.layer
        layer.keymap[coerce_keybinding(name)](layer)

    def stroke(self, *places: tuple[float, float], shift: bool = False, alt: bool = False) -> None:
        """Press, drag along, release."""
        at = [At(x, y, 1.0, shift, alt) for x, y in places]
        if self.easel.press(at[0]):
            for place in at[1:]:
                self.easel.drag(place)
            self.easel.release(at[-1])

    def clicks(self, *places: tuple[float, float], double: bool = False) -> None:
        """Click here and there."""
        for x, y in places:
            at = At(x, y)
            self.easel.press(at)
            self.easel.release(at)
        if double:
            self.easel.double(At(*places[-1]))

    def polygon(self, *corners: tuple[float, float], name: str | None = None) -> Any:
        """Draw a polygon and give the region."""
        if name is not None:
            self.easel.choose_class(name)
        self.controller.take_tool("polygon")
        self.clicks(*corners)
        self.key("Enter")
        return self.labels.selected[0]

    def shapes(self) -> Sequence[Any]:
        """What the layer draws."""
        return self.labels.layer.data


def square(x: float, y: float, side: float) -> list[tuple[float, float]]:
    """Corners of a square."""
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def blob_edits(n: int, size: Any) -> Any:
    """Many small outlines over a slide, as one edit."""
    import numpy as np
    from shapely.geometry import Point

    from napari_her2.annotations.annotation import Annotation
    from napari_her2.annotations.edits import add

    rng = np.random.default_rng(0)
    places = rng.uniform(10, (size.width - 10, size.height - 10), (n, 2))
    names = ("tumour 0", "tumour 3+", "stroma")
    return add(
        [
            Annotation(geometry=Point(x, y).buffer(6, quad_segs=3), class_name=names[i % 3])
            for i, (x, y) in enumerate(places)
        ]
    )
