"""Truth beside a slide: what the slide is, its regions and its cells."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_her2.messages import NOTICE
from napari_her2.provenance import software
from napari_her2.synthetic.morphology import Statuses

__all__ = [
    "SPECK_UM2",
    "RegionTruth",
    "Truth",
    "specks",
    "truth_paths",
    "write_cells",
    "write_json",
    "write_regions",
]

SPECK_UM2 = 8.0
"""Debris and precipitate smaller than this are specks: too small to be taken for a nucleus. No
nucleus drawn is as small (the smallest of 27,000 has 9.3 µm²); a disc of this area is 3.2 µm wide,
half as wide as the nucleus of a small lymphocyte."""

_COLOURS = {
    "tumour": (200, 30, 30), "stroma": (150, 200, 150), "immune": (160, 90, 160),
    "artefact": (120, 120, 120), "core": (60, 60, 200),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Truth:
    """A written slide and the files with its truth.

    Attributes
    ----------
    slide : Path
        The slide.
    truth : Path
        JSON document of the slide.
    regions : Path
        QuPath GeoJSON in level-0 pixels.
    cells : Path
        Parquet table in level-0 pixels.
    statuses : dict
        Slide-level status per biomarker (H&E).
    partner : Truth or None
        The serial section of a pair.
    document : dict
        What the JSON holds.
    """

    slide: Path
    truth: Path
    regions: Path
    cells: Path
    statuses: Statuses
    partner: Truth | None = None
    document: dict[str, Any] = field(default_factory=dict)

    def __fspath__(self) -> str:
        """The JSON document's path, so that this stands wherever a path may."""
        return str(self.truth)

    def __str__(self) -> str:
        return str(self.truth)


@dataclass(frozen=True, slots=True)
class RegionTruth:
    """One region: outlines in level-0 pixels, class name, further properties."""

    name: str
    kind: str
    outlines: tuple[NDArray[np.float64], ...]
    properties: Mapping[str, Any]


def truth_paths(slide: Path) -> tuple[Path, Path, Path]:
    """Paths of the JSON, regions and cells that lie beside a slide."""
    return (
        slide.with_name(f"{slide.name}.truth.json"),
        slide.with_name(f"{slide.name}.regions.geojson"),
        slide.with_name(f"{slide.name}.cells.parquet"),
    )


def _put(path: Path, text: str) -> None:
    partial = path.with_name(f".{path.name}.part")
    with partial.open("w", encoding="utf-8") as f:
        f.write(text)
        f.flush()
        os.fsync(f.fileno())
    partial.replace(path)


def write_json(path: Path, document: Mapping[str, Any]) -> dict[str, Any]:
    """Write the truth of a slide; adds notice and versions and gives the whole document back."""
    whole = {"schema": "napari-her2/synthetic-truth/1", "notice": NOTICE, **document}
    whole["software"] = software()
    text = json.dumps(whole, indent=1, ensure_ascii=False)
    _put(path, text + "\n")
    return dict(json.loads(text))


def _ring(outline: NDArray[np.float64]) -> list[list[float]]:
    points = [[round(float(x), 2), round(float(y), 2)] for x, y in outline]
    return [*points, points[0]]


def write_regions(path: Path, regions: Iterable[RegionTruth]) -> int:
    """Write regions in QuPath's dialect of GeoJSON; gives their number."""
    features = []
    for i, region in enumerate(regions):
        rings = [[_ring(o)] for o in region.outlines if len(o) >= 3]
        if not rings:
            continue
        geometry: dict[str, Any] = (
            {"type": "Polygon", "coordinates": rings[0]}
            if len(rings) == 1
            else {"type": "MultiPolygon", "coordinates": rings}
        )
        features.append(
            {
                "type": "Feature",
                "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{path.name}/{i}")),
                "geometry": geometry,
                "properties": {
                    "objectType": "annotation",
                    "name": f"{region.kind} {i + 1}",
                    "classification": {
                        "name": region.name,
                        "color": list(_COLOURS.get(region.kind, (128, 128, 128))),
                    },
                    **region.properties,
                },
            }
        )
    _put(path, json.dumps({"type": "FeatureCollection", "features": features}) + "\n")
    return len(features)


def specks(columns: Mapping[str, NDArray[Any] | list[str]]) -> NDArray[np.bool_]:
    """Which objects are specks: whoever finds one is not wrong, whoever misses it neither.

    Parameters
    ----------
    columns : mapping
        ``class`` and ``nucleus_area_um2``, equally long.

    Returns
    -------
    ndarray of bool
        True for artefacts of less than :data:`SPECK_UM2`.
    """
    debris = np.asarray(columns["class"]) == "artefact"
    return np.asarray(debris & (np.asarray(columns["nucleus_area_um2"]) < SPECK_UM2))


def write_cells(path: Path, parts: Iterable[Mapping[str, NDArray[Any] | list[str]]]) -> int:
    """Write cells part by part (one row group each); gives their number.

    Parameters
    ----------
    parts : iterable of mapping
        Columns of equal length; the first part names them. A column ``speck`` is added, from
        :func:`specks`.
    """
    partial = path.with_name(f".{path.name}.part")
    count = 0
    writer: pq.ParquetWriter | None = None
    try:
        for part in parts:
            table = pa.table({k: _column(v) for k, v in part.items()} | {"speck": specks(part)})
            if writer is None:
                writer = pq.ParquetWriter(partial, table.schema, compression="zstd")
            writer.write_table(table)
            count += table.num_rows
    finally:
        if writer is not None:
            writer.close()
    partial.replace(path)
    return count


def _column(values: NDArray[Any] | list[str]) -> pa.Array:
    if isinstance(values, np.ndarray) and values.dtype == np.float64:
        return pa.array(values.astype(np.float32))
    if isinstance(values, np.ndarray) and values.dtype.kind in "UO":
        return pa.array(values.tolist(), pa.string())
    return pa.array(values)
