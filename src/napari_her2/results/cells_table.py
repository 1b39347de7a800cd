"""``cells.parquet``: one row for each cell, in an order that says nothing of how it was found.

Columns: ``x_px, y_px`` (centre, level-0 pixels from the top-left corner), ``class``,
``prob_<class>``, ``area_um2``, ``membrane_od``, ``membrane_completeness``, ``nucleus_*``, and as
lists of 32 numbers, one for each ray, ``nucleus_radii`` and ``membrane_radii`` (level-0 pixels)
and ``membrane_stained``. The facts of the run stand in the schema's metadata under ``her2``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_her2.errors import RunDamagedError
from napari_her2.results.tiles import prob_names

__all__ = ["ROW_GROUP", "cells_writer", "prob_columns", "read_cells"]

ROW_GROUP: Final = 65_536
"""Cells in one row group; neighbours stand together, so that a part of a slide is few groups."""

_KEY: Final = b"her2"


def prob_columns(classes: Sequence[str]) -> list[str]:
    """Names of the probability columns; a table of one class has none."""
    return prob_names(classes) if len(classes) > 1 else []


def cells_writer(
    columns: Mapping[str, NDArray[Any]],
    classes: Sequence[str],
    facts: Mapping[str, Any],
) -> Callable[[BinaryIO], None]:
    """Give the function that writes the table into an open file; equal cells, equal bytes.

    Parameters
    ----------
    columns : mapping of str to ndarray
        First axis = cells. ``class`` holds indices into ``classes``; ``probs`` has one column for
        each of them.
    classes : sequence of str
        Names of the classes.
    facts : mapping
        What is kept in the schema's metadata; plain JSON.
    """
    n = len(columns["x_px"])
    first = _table(columns, classes, slice(0, 0))
    meta = json.dumps(
        {**facts, "classes": list(classes)}, sort_keys=True, separators=(",", ":")
    ).encode()
    schema = first.schema.with_metadata({_KEY: meta})

    def fill(f: BinaryIO) -> None:
        split = [path for name in schema.names for path in _floats(name, schema.field(name).type)]
        with pq.ParquetWriter(
            f,
            schema,
            compression="zstd",
            use_dictionary=["class"],
            # Numbers of one size lie close: their bytes sorted by place shrink by a third.
            use_byte_stream_split=split,
            write_statistics=["x_px", "y_px", "class"],
        ) as writer:
            for at in range(0, max(n, 1), ROW_GROUP):
                part = _table(columns, classes, slice(at, at + ROW_GROUP))
                writer.write_table(part.replace_schema_metadata(schema.metadata), ROW_GROUP)

    return fill


def read_cells(path: Path) -> tuple[dict[str, NDArray[Any]], tuple[str, ...], dict[str, Any]]:
    """Read a table of cells.

    Returns
    -------
    columns : dict of str to ndarray
        As given to :func:`cells_writer`, in the order of the file.
    classes : tuple of str
        Names of the classes.
    facts : dict
        The run's facts.

    Raises
    ------
    RunDamagedError
        If it is no table of cells that this program wrote.
    """
    try:
        table = pq.read_table(path)
        facts = json.loads((table.schema.metadata or {})[_KEY])
        classes = tuple(facts.pop("classes"))
        columns = _columns(table, classes)
    except (OSError, KeyError, ValueError, pa.ArrowException) as e:
        reason = f"{path.name}: {type(e).__name__}"
        raise RunDamagedError("damaged_run", name=path.parent.name, reason=reason) from e
    return columns, classes, facts


def _floats(name: str, kind: pa.DataType) -> list[str]:
    """Where a column holds floating numbers, as Parquet calls the place."""
    if pa.types.is_fixed_size_list(kind):
        return _floats(f"{name}.list.element", kind.value_type)
    return [name] if pa.types.is_floating(kind) else []


def _table(columns: Mapping[str, NDArray[Any]], classes: Sequence[str], rows: slice) -> pa.Table:
    out: dict[str, pa.Array] = {}
    for name, values in columns.items():
        part = values[rows]
        if name == "class":
            names = pa.array(list(classes), pa.string())
            indices = pa.array(part.astype(np.int32))
            out[name] = pa.DictionaryArray.from_arrays(indices, names).cast(pa.string())
        elif name == "probs":
            for i, prob in enumerate(prob_columns(classes)):
                out[prob] = pa.array(np.ascontiguousarray(part[:, i]))
        elif part.ndim == 2:
            flat = pa.array(np.ascontiguousarray(part).reshape(-1))
            out[name] = pa.FixedSizeListArray.from_arrays(flat, part.shape[1])
        else:
            out[name] = pa.array(np.ascontiguousarray(part))
    return pa.table(out)


def _columns(table: pa.Table, classes: tuple[str, ...]) -> dict[str, NDArray[Any]]:
    probs = prob_columns(classes)
    out: dict[str, NDArray[Any]] = {}
    for name in table.column_names:
        values = table[name].combine_chunks()
        if name == "class":
            found = pc.index_in(values, pa.array(list(classes), pa.string()))
            out[name] = found.to_numpy(zero_copy_only=False).astype(np.uint8)
        elif name in probs:
            if "probs" not in out:
                out["probs"] = np.empty((len(table), len(classes)), np.float32)
            out["probs"][:, probs.index(name)] = values.to_numpy(zero_copy_only=False)
        elif pa.types.is_fixed_size_list(values.type):
            flat = values.flatten().to_numpy(zero_copy_only=False)
            out[name] = flat.reshape(len(table), values.type.list_size)
        else:
            out[name] = values.to_numpy(zero_copy_only=False)
    if not probs:
        out["probs"] = np.ones((len(table), len(classes)), np.float32)
    return out
