"""What can be done with slides from more than one dock: open, sample, outline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from qtpy.QtWidgets import QFileDialog, QWidget

from napari_her2._qt.layer_order import add_in_order, her2, kind_of
from napari_her2._qt.session import tell
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari.layers import Layer

    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session
    from napari_her2.synthetic.samples import Sample

__all__ = ["choose_file", "open_paths", "samples", "show_sample", "show_tissue", "toggle_tissue"]

_PATTERNS = "*.svs *.ndpi *.mrxs *.scn *.bif *.vms *.svslide *.tif *.tiff *.dcm *.jpg *.jpeg *.png"


def choose_file(session: Session, parent: QWidget) -> None:
    """Let the user choose slide files and open them."""
    names, _ = QFileDialog.getOpenFileNames(
        parent, ui("open_slide"), "", f"{ui('dock_slide')} ({_PATTERNS});;* (*)"
    )
    open_paths(session, [Path(n) for n in names])


def open_paths(session: Session, paths: Sequence[Path]) -> int:
    """Open slides with our reader.

    Returns
    -------
    int
        How many were opened; each of the others has told why not.
    """
    from napari_her2._contrib.reader import read_slide

    viewer = session.viewer
    opened = 0
    if viewer is None:
        return 0
    for path in paths:
        try:
            for layer_data in read_slide(str(path)):
                add_layer_data(session, layer_data, path)
            opened += 1
        except Her2Error as error:
            tell(error)
    return opened


def add_layer_data(session: Session, layer_data: tuple, path: Path | None = None) -> Layer | None:
    """Add what a reader gave, over what belongs below it."""
    from napari.layers import Layer

    viewer = session.viewer
    if viewer is None:
        return None
    layer = Layer.create(*layer_data)
    if path is not None:
        layer.metadata.setdefault("her2", {})["path"] = str(path)
    first = not viewer.layers
    add_in_order(viewer, layer)
    if not first and kind_of(layer) == "slide":
        viewer.layers.selection.active = layer
    return layer


def samples() -> tuple[Sample, ...]:
    """Samples that can be shown."""
    from napari_her2.synthetic.samples import SAMPLES

    return SAMPLES


def show_sample(session: Session, key: str) -> None:
    """Open one of the sample slides."""
    from napari_her2._contrib.samples import sample_layers

    try:
        for layer_data in sample_layers(key):
            add_layer_data(session, layer_data)
    except Her2Error as error:
        tell(error)


def tissue_layers(session: Session, entry: OpenSlide) -> list[Layer]:
    """The outline of tissue and the quality outlines, if they were asked for."""
    viewer = session.viewer
    if viewer is None:
        return []
    return [
        x
        for x in viewer.layers
        if kind_of(x) in ("tissue", "qc") and her2(x).get("slide_id") == entry.slide_id
    ]


def show_tissue(session: Session, _parent: QWidget | None = None) -> None:
    """Show the outline of the tissue on the active slide."""
    entry = session.active
    if entry is not None:
        toggle_tissue(session, entry, True)


def toggle_tissue(session: Session, entry: OpenSlide, shown: bool) -> None:
    """Show or hide the outlines that the first look found."""
    from napari.layers import Layer

    from napari_her2.layers import qc_layer, tissue_layer

    viewer = session.viewer
    if viewer is None:
        return
    there = tissue_layers(session, entry)
    if not there and shown and entry.survey is not None:
        tissue = entry.survey.tissue
        makers = [tissue_layer]
        if any(mask.any() for mask in tissue.qc.values()):
            makers.append(qc_layer)
        for make in makers:
            layer = Layer.create(*make(tissue, entry.slide))
            there.append(add_in_order(viewer, layer))
    for layer in there:
        layer.visible = shown
