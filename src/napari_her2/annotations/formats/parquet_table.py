"""Parquet, read and written: the table of CSV with shapes as well-known binary (GeoParquet 1.1)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import pyarrow as pa
import pyarrow.parquet as pq
import shapely

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.drafts import annotations_of
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.limits import MAX_OBJECTS, no_collection
from napari_her2.annotations.formats.table_rows import MEASUREMENT, columns_of, drafts_of
from napari_her2.errors import BadAnnotationsError

__all__ = ["read_parquet", "write_parquet"]

_GEO: Final = {
    "version": "1.1.0",
    "primary_column": "geometry",
    "columns": {
        "geometry": {"encoding": "WKB", "geometry_types": [], "crs": None},
        "nucleus": {"encoding": "WKB", "geometry_types": [], "crs": None},
    },
}
"""Tells geopandas and others which columns are shapes; pixels are no place on earth."""


def read_parquet(data: bytes, intake: Intake) -> list[Annotation]:
    """Read a Parquet file with a column ``geometry`` (binary or text), or ``x_px`` and ``y_px``.

    Raises
    ------
    BadAnnotationsError
        If it is damaged, or no column says where the objects lie.
    """
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        if file.metadata.num_rows > MAX_OBJECTS:
            raise BadAnnotationsError(
                "annotations_too_large", name=intake.path.name, limit=f"{MAX_OBJECTS:,} objects"
            )
        table = file.read()
        with no_collection():
            columns = {str(name): _cells(table[i]) for i, name in enumerate(table.column_names)}
            columns = {n: c for n, c in columns.items() if not (c and isinstance(c[0], list))}
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as e:
        if isinstance(e, BadAnnotationsError):
            raise
        raise intake.refuse("it is damaged") from None
    return annotations_of(drafts_of(columns, intake), intake)


def _cells(column: Any) -> list[Any]:
    if pa.types.is_dictionary(column.type):
        column = column.cast(column.type.value_type)
    return list(column.to_pylist())


def write_parquet(f: BinaryIO, annotations: Sequence[Annotation]) -> None:
    """Write a table into an open file."""
    columns = columns_of(annotations, shapely.to_wkb)
    kinds = {
        **dict.fromkeys(("geometry", "nucleus"), pa.binary()),
        **dict.fromkeys(("centroid_x_px", "centroid_y_px", "area_px"), pa.float64()),
        "locked": pa.bool_(),
    }
    arrays = {
        h: pa.array(v, pa.float64() if h.startswith(MEASUREMENT) else kinds.get(h, pa.string()))
        for h, v in columns.items()
    }
    table = pa.table(arrays).replace_schema_metadata({"geo": json.dumps(_GEO)})
    pq.write_table(table, f, compression="zstd")
