"""An indexed mask and the table of its classes: PNG, tiled OME-TIFF or OME-Zarr labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.class_index import ClassIndex
from napari_her2.annotations.formats.mask_plan import MaskPlan
from napari_her2.annotations.formats.mask_png import write_mask_png
from napari_her2.annotations.formats.mask_tiff import write_mask_tiff
from napari_her2.annotations.formats.mask_zarr import write_mask_zarr
from napari_her2.errors import UsageError
from napari_her2.results.atomic import (
    discard,
    replace_tree,
    temporary_beside,
    write_json,
    write_stream,
    writing,
)

__all__ = ["MaskKind", "mask_kind", "mask_step", "table_path", "write_mask"]

MaskKind = Literal["png", "tiff", "zarr"]

_KINDS: Final[dict[str, MaskKind]] = {
    ".png": "png", ".tif": "tiff", ".tiff": "tiff", ".btf": "tiff", ".zarr": "zarr",
}  # fmt: skip
_SMALLEST_LEVEL: Final = 1024
_PNG_SIDE: Final = 8192


def mask_kind(path: Path) -> MaskKind:
    """Which kind of mask a file name asks for.

    Raises
    ------
    UsageError
        If it is none.
    """
    kind = _KINDS.get(path.suffix.lower())
    if kind is None:
        raise UsageError("mask_name", name=path.name)
    return kind


def mask_step(
    kind: MaskKind,
    size: tuple[int, int],
    *,
    downsample: float | None = None,
    mask_mpp: float | None = None,
    mpp: tuple[float, float] | None = None,
) -> tuple[float, float]:
    """Level-0 pixels in a pixel of the mask, in x and y.

    By default a TIFF or Zarr has every pixel of the slide; a PNG, which has no levels, is shrunk by
    a power of two until its longer side is 8192 px or less.

    Raises
    ------
    UsageError
        If both or an impossible one is given, or micrometres without a pixel size.
    """
    if downsample is not None and mask_mpp is not None:
        raise UsageError("usage", detail="Give --mpp or --downsample, not both.")
    if mask_mpp is not None:
        if mpp is None:
            raise UsageError("mask_mpp")
        step = mask_mpp / mpp[0], mask_mpp / mpp[1]
    elif downsample is not None:
        step = downsample, downsample
    else:
        power = 1
        while kind == "png" and max(size) > _PNG_SIDE * power:
            power *= 2
        step = float(power), float(power)
    if not all(1 <= s <= min(size) for s in step):
        raise UsageError("mask_step", value=f"{step[0]:.3g}")
    return step


def table_path(path: Path) -> Path:
    """Where the table of classes of a mask lies: ``mask.png`` has ``mask.classes.json``."""
    stem = path.name
    for ending in (path.suffix, ".ome"):
        stem = stem.removesuffix(ending)
    return path.with_name(f"{stem}.classes.json")


def write_mask(
    path: Path,
    annotations: Sequence[Annotation],
    index: ClassIndex,
    size: tuple[int, int],
    step: tuple[float, float],
    mpp: tuple[float, float] | None = None,
) -> tuple[int, Counter[str]]:
    """Write a mask, and the table of its classes beside it.

    Parameters
    ----------
    path : Path
        Its ending chooses the kind.
    annotations : sequence of Annotation
        See :mod:`~napari_her2.annotations.formats.mask_plan` for what is drawn, and what on top.
    index : ClassIndex
        Numbers of the classes.
    size : (int, int)
        Width and height of level 0.
    step : (float, float)
        See :func:`mask_step`.
    mpp : (float, float), optional
        Micrometres per level-0 pixel.

    Returns
    -------
    int
        Objects that are seen in the mask.
    Counter
        Those that are not, by reason.

    Raises
    ------
    CannotWriteError, DiskFullError
        What was there stays.
    """
    kind = mask_kind(path)
    plan = MaskPlan(annotations, index, size, step)
    pixel = (mpp[0] * step[0], mpp[1] * step[1]) if mpp is not None else None
    if kind == "png":
        write_stream(path, lambda f: write_mask_png(f, plan, pixel))
    else:
        plans = [plan]
        while max(plans[-1].width, plans[-1].height) > _SMALLEST_LEVEL:
            x, y = plans[-1].step
            plans.append(MaskPlan(annotations, index, size, (2 * x, 2 * y)))
        if kind == "tiff":
            write_stream(path, lambda f: write_mask_tiff(f, plans, pixel))
        else:
            _write_folder(path, plans, mpp)
    table = {
        "schema": 1, "mask": path.name, "width": plan.width, "height": plan.height,
        "downsample": list(step), "mpp": None if pixel is None else list(pixel),
        "overlap": "the smaller area is on top", "classes": index.rows(),
    }  # fmt: skip
    write_json(table_path(path), table)
    return plan.drawn, plan.left_out()


def _write_folder(path: Path, plans: Sequence[MaskPlan], mpp: tuple[float, float] | None) -> None:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = temporary_beside(path)
        try:
            write_mask_zarr(tmp, plans, mpp)
            replace_tree(tmp, path)
        finally:
            discard(tmp)
