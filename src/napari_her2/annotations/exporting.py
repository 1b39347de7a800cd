"""Annotations written for other tools; :mod:`~napari_her2.annotations.interchange` is the front."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats import spatial_data
from napari_her2.annotations.formats.class_index import class_index
from napari_her2.annotations.formats.coco_writing import write_coco
from napari_her2.annotations.formats.csv_table import write_csv
from napari_her2.annotations.formats.imagescope_writing import KEEPS as IMAGESCOPE_KEEPS
from napari_her2.annotations.formats.imagescope_writing import write_imagescope
from napari_her2.annotations.formats.losses import losses
from napari_her2.annotations.formats.mask import mask_kind, mask_step, table_path, write_mask
from napari_her2.annotations.formats.outcome import Exported, count_classes
from napari_her2.annotations.formats.parquet_table import write_parquet
from napari_her2.annotations.formats.qupath import KEPT
from napari_her2.annotations.formats.qupath_writing import Dialect, write_qupath
from napari_her2.annotations.formats.reasons import skipped_of
from napari_her2.annotations.formats.tile_cutting import TileCutter, TileRule
from napari_her2.annotations.formats.tile_folders import MANIFEST, write_tile_folders
from napari_her2.annotations.formats.webdataset import write_webdataset
from napari_her2.annotations.schema import ClassSchema
from napari_her2.errors import UsageError
from napari_her2.results.atomic import (
    discard,
    replace_tree,
    temporary_beside,
    write_stream,
    writing,
)
from napari_her2.slides.base import Slide

__all__ = ["TARGETS", "Target", "write_annotations"]

Target = Literal[
    "geojson", "csv", "parquet", "coco", "imagescope", "mask", "tiles", "webdataset", "spatialdata"
]
"""Formats that are written."""

TARGETS: Final[tuple[Target, ...]] = get_args(Target)


@dataclass(frozen=True, slots=True)
class _Job:
    path: Path
    annotations: Sequence[Annotation]
    slide: Slide | None
    given_size: tuple[int, int] | None
    schema: ClassSchema | None
    dialect: Dialect
    downsample: float | None
    mask_mpp: float | None
    tiles: TileRule

    @property
    def mpp(self) -> tuple[float, float] | None:
        found = self.slide.mpp if self.slide is not None else None
        return (found.x, found.y) if found is not None else None

    @property
    def size(self) -> tuple[int, int]:
        if self.slide is not None:
            return self.slide.size.width, self.slide.size.height
        if self.given_size is None:
            raise UsageError("export_needs_slide")
        return self.given_size


def write_annotations(
    path: Path,
    annotations: Sequence[Annotation],
    *,
    to: Target = "geojson",
    slide: Slide | None = None,
    schema: ClassSchema | None = None,
    size: tuple[int, int] | None = None,
    dialect: Dialect = "current",
    downsample: float | None = None,
    mask_mpp: float | None = None,
    tiles: TileRule | None = None,
) -> Exported:
    """Write annotations for another tool.

    Parameters
    ----------
    path : Path
        The file or folder; it is there in full or not at all.
    annotations : sequence of Annotation
        In level-0 pixels.
    to : str
        One of :data:`TARGETS`.
    slide : Slide, optional
        The slide they lie on: ``tiles`` and ``webdataset`` read its pixels, ``coco`` and ``mask``
        need its size, others state its pixel size.
    schema : ClassSchema, optional
        Order, numbers, colours and QuPath's names of the classes.
    size : (int, int), optional
        Width and height of level 0 where there is no slide at hand.
    dialect : {"current", "old"}
        Of QuPath's GeoJSON.
    downsample, mask_mpp : float, optional
        Level-0 pixels, or micrometres, in a pixel of a mask; see
        :func:`~napari_her2.annotations.formats.mask.mask_step`.
    tiles : TileRule, optional
        How tiles are cut; 256 px at the slide's own pixel size by default.

    Returns
    -------
    Exported
        How much was written, and what the format has no place for.

    Raises
    ------
    UsageError
        For an unknown format, or if something is missing that it needs.
    MissingExtraError
        If an optional package is missing.
    CannotWriteError, DiskFullError
        What was there stays.
    """
    if to not in TARGETS:
        detail = f"There is no format “{to}”: choose one of {', '.join(TARGETS)}."
        raise UsageError("usage", detail=detail)
    rule = tiles or TileRule(
        tile_mpp=slide.mpp.x if slide is not None and slide.mpp is not None else 0.5
    )
    job = _Job(Path(path), annotations, slide, size, schema, dialect, downsample, mask_mpp, rule)
    return _WRITERS[to](job)


def _file(job: _Job, fill: Callable[..., object], lost: Counter[str]) -> Exported:
    write_stream(job.path, fill)
    n = count_classes(list(job.annotations))
    return Exported(len(job.annotations), n, skipped_of(lost), (job.path,))


def _geojson(job: _Job) -> Exported:
    lost: Counter[str] = Counter()
    if job.dialect == "old":
        lost["no_place_id"] = len(job.annotations)
    else:
        lost["no_place_twice"] = sum(
            "measurement_list" in kept
            for a in job.annotations
            if isinstance(kept := a.properties.get(KEPT), dict)
        )
    return _file(
        job,
        lambda f: write_qupath(f, job.annotations, schema=job.schema, dialect=job.dialect),
        lost,
    )


def _csv(job: _Job) -> Exported:
    return _file(job, lambda f: write_csv(f, job.annotations), Counter())


def _parquet(job: _Job) -> Exported:
    return _file(job, lambda f: write_parquet(f, job.annotations), Counter())


def _imagescope(job: _Job) -> Exported:
    def fill(f: object) -> None:
        write_imagescope(f, job.annotations, mpp=job.mpp, schema=job.schema)  # type: ignore[arg-type]

    return _file(job, fill, losses(job.annotations, IMAGESCOPE_KEEPS))


def _coco(job: _Job) -> Exported:
    areas = [a for a in job.annotations if a.is_area]
    name = job.slide.path.name if job.slide is not None else ""
    size = job.size
    write_stream(job.path, lambda f: write_coco(f, areas, size=size, name=name, schema=job.schema))
    lost = losses(areas, {"class", "name", "note", "measurements", "properties", "id"})
    lost["points_and_lines"] = len(job.annotations) - len(areas)
    return Exported(len(areas), count_classes(areas), skipped_of(lost), (job.path,))


def _mask(job: _Job) -> Exported:
    kind = mask_kind(job.path)
    step = mask_step(kind, job.size, downsample=job.downsample, mask_mpp=job.mask_mpp, mpp=job.mpp)
    if kind == "zarr":
        _check_replaceable(job.path, "labels")
    index = class_index(job.annotations, job.schema)
    drawn, lost = write_mask(job.path, job.annotations, index, job.size, step, job.mpp)
    classed = [a for a in job.annotations if a.is_area and a.class_name is not None]
    lost += losses(classed, {"class", "id"})
    return Exported(
        drawn, count_classes(classed), skipped_of(lost), (job.path, table_path(job.path))
    )


def _tiles(job: _Job) -> Exported:
    return _cut(job, write_tile_folders)


def _webdataset(job: _Job) -> Exported:
    return _cut(job, write_webdataset)


def _cut(job: _Job, write: Callable[[Path, TileCutter, tuple[str, ...]], Counter[str]]) -> Exported:
    if job.slide is None:
        raise UsageError("export_needs_slide")
    index = class_index(job.annotations, job.schema)
    cutter = TileCutter(job.slide, job.annotations, job.tiles)
    counts: Counter[str] = Counter()

    def fill(folder: Path) -> None:
        folder.mkdir()
        counts.update(write(folder, cutter, index.names))

    _folder(job.path, MANIFEST, fill)
    classed = [a for a in job.annotations if a.is_area and a.class_name is not None]
    lost = cutter.skipped + losses(classed, {"class", "id"})
    return Exported(cutter.used, dict(counts.most_common()), skipped_of(lost), (job.path,))


def _spatialdata(job: _Job) -> Exported:
    _folder(
        job.path,
        "shapes",
        lambda folder: spatial_data.write_spatialdata(folder, job.annotations, job.mpp),
    )
    placed = [a for a in job.annotations if "Line" not in a.geometry.geom_type]
    lost = losses(placed, spatial_data.KEEPS)
    lost["lines"] = len(job.annotations) - len(placed)
    return Exported(len(placed), count_classes(placed), skipped_of(lost), (job.path,))


def _folder(path: Path, marker: str, fill: Callable[[Path], None]) -> None:
    """Write a folder beside its place and put it there; only one of ours is replaced."""
    _check_replaceable(path, marker)
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = temporary_beside(path)
        try:
            fill(tmp)
            replace_tree(tmp, path)
        finally:
            discard(tmp)


def _check_replaceable(path: Path, marker: str) -> None:
    if path.is_file() or (path.is_dir() and any(path.iterdir()) and not (path / marker).exists()):
        raise UsageError("export_in_the_way", path=path)


_WRITERS: Final[dict[Target, Callable[[_Job], Exported]]] = {
    "geojson": _geojson, "csv": _csv, "parquet": _parquet, "coco": _coco,
    "imagescope": _imagescope, "mask": _mask, "tiles": _tiles, "webdataset": _webdataset,
    "spatialdata": _spatialdata,
}  # fmt: skip
