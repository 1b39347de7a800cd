"""Writes a picture of a test, or its numbers, to a file."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from qtpy.QtCore import QBuffer, QByteArray, QIODevice
from qtpy.QtGui import QPixmap
from qtpy.QtWidgets import QWidget

from napari_her2._qt.train.model_result import ModelResult
from napari_her2.reporting.model_figures import figure_csv, figure_svg, plain_cell
from napari_her2.results.atomic import write_bytes

__all__ = ["examples_csv", "export_figure", "picture_bytes"]

_SCALE = 2.0


def picture_bytes(widget: QWidget) -> bytes:
    """A widget as a PNG file, at twice its size on the screen."""
    size = widget.size() * _SCALE
    pixmap = QPixmap(size)
    pixmap.setDevicePixelRatio(_SCALE)
    pixmap.fill(widget.palette().window().color())
    widget.render(pixmap)
    data = QByteArray()
    buffer = QBuffer(data)
    buffer.open(QIODevice.OpenModeFlag.WriteOnly)
    pixmap.save(buffer, "PNG")
    return bytes(data.data())


def export_figure(path: Path, result: ModelResult, figure: str, widget: QWidget) -> None:
    """Write a picture (PNG, SVG) or its numbers (CSV), by the ending of the file.

    Parameters
    ----------
    path : Path
        Where to.
    result : ModelResult
        Whose test.
    figure : str
        One of :data:`~napari_her2.reporting.model_figures.FIGURES`, or ``examples``.
    widget : QWidget
        Shows the picture.

    Raises
    ------
    CannotWriteError, DiskFullError
        What was there stays.
    """
    form = path.suffix.lower()
    if form == ".csv" and figure == "examples":
        data = examples_csv(result).encode("utf-8")
    elif result.evaluation is not None and form == ".csv":
        data = figure_csv(result.evaluation, figure).encode("utf-8")
    elif result.evaluation is not None and form == ".svg" and figure != "examples":
        data = figure_svg(result.evaluation, figure).encode("utf-8")
    else:
        data = picture_bytes(widget)
    write_bytes(path, data)


def examples_csv(result: ModelResult, limit: int = 1000) -> str:
    """The surest wrong answers as a table."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["slide", "x_px", "y_px", "row", "true", "called", "probability"])
    p = result.predictions
    if p is not None:
        called = p.called
        for i in p.worst(limit):
            writer.writerow([
                plain_cell(str(p.slide[i])), p.x_px[i], p.y_px[i], p.row[i],
                plain_cell(p.classes[p.truth[i]]), plain_cell(p.classes[called[i]]),
                p.probs[i, called[i]],
            ])  # fmt: skip
    return out.getvalue()
