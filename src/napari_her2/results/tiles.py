"""The table of tiles of a run: one row per tile and model."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_her2.tiles.spec import TileGrid
from napari_her2.types import Probs

__all__ = ["TileScores", "column", "prob_names", "tiles_parquet"]


@dataclass(frozen=True, slots=True)
class TileScores:
    """Scores of one model over its cells.

    Attributes
    ----------
    model_id, biomarker : str
        Which model.
    class_names : tuple of str
        Columns of ``probs``.
    grid : TileGrid
        Where the cells lie.
    cells : ndarray
        Shape (n, 2), row then column, row-major order.
    probs : ndarray of float32
        Shape (n, n_classes); NaN rows where nothing was scored.
    failed : ndarray of bool
        Shape (n,).
    reasons : sequence of str or None
        Length n.
    """

    model_id: str
    biomarker: str
    class_names: tuple[str, ...]
    grid: TileGrid
    cells: NDArray[np.intp]
    probs: Probs
    failed: NDArray[np.bool_]
    reasons: Sequence[str | None]


def column(class_name: str) -> str:
    """The column of a class: ``prob_`` and its name in lower case, words joined by ``_``."""
    return "prob_" + re.sub(r"[^0-9a-z]+", "_", class_name.lower()).strip("_")


def prob_names(class_names: Sequence[str]) -> list[str]:
    """The columns of several classes, no two alike.

    Where :func:`column` gives two classes one name (``ER+`` and ``ER-``), their signs are spelled
    out: ``prob_er_positive``, ``prob_er_negative``; what is alike even so is numbered.
    """
    plain = [column(c) for c in class_names]
    spelled = [
        column(c.replace("+", " positive").replace("-", " negative")) if plain.count(p) > 1 else p
        for c, p in zip(class_names, plain, strict=True)
    ]
    out: list[str] = []
    for name in spelled:
        number, free = 1, name
        while free in out:
            number += 1
            free = f"{name}_{number}"
        out.append(free)
    return out


def tiles_parquet(scores: Iterable[TileScores]) -> bytes:
    """Build ``tiles.parquet``; equal scores give equal bytes.

    Columns: ``model_id, biomarker, row, col, x_px, y_px, width_px, height_px`` (the window the
    model saw, level-0 pixels from the top-left corner), ``prob_<class>``, ``failed``, ``reason``.

    Parameters
    ----------
    scores : iterable of TileScores
        One per model.
    """
    tables = [_table(s) for s in scores]
    table = pa.concat_tables(tables, promote_options="default") if tables else pa.table({})
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _table(s: TileScores) -> pa.Table:
    n = len(s.cells)
    xy = s.grid.coords_xy(s.cells)
    window = s.grid.window(0, 0)
    columns: dict[str, pa.Array] = {
        "model_id": pa.array([s.model_id] * n, pa.string()),
        "biomarker": pa.array([s.biomarker] * n, pa.string()),
        "row": pa.array(s.cells[:, 0], pa.int32()),
        "col": pa.array(s.cells[:, 1], pa.int32()),
        "x_px": pa.array(xy[:, 0], pa.float64()),
        "y_px": pa.array(xy[:, 1], pa.float64()),
        "width_px": pa.array(np.full(n, window.width), pa.float64()),
        "height_px": pa.array(np.full(n, window.height), pa.float64()),
    }
    for i, name in enumerate(prob_names(s.class_names)):
        columns[name] = pa.array(s.probs[:, i], pa.float32())
    columns["failed"] = pa.array(s.failed, pa.bool_())
    columns["reason"] = pa.array(list(s.reasons), pa.string())
    return pa.table(columns)
