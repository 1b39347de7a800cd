"""Painted slides with regions drawn on them: what label sets are made of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import shapely
from made_slides import write_generic
from painted_ihc import ihc_field

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import AnnotationClass, ClassSchema

MPP = 0.5
WIDTH, HEIGHT = 960, 480
TWO = ClassSchema(
    id="two",
    name="Two",
    kind="cells",
    classes=(
        AnnotationClass(name="ring", colour="#AA0000", qupath_name="Ring: yes"),
        AnnotationClass(name="bare", colour="#0000AA"),
    ),
)


def two_halves(path: Path, seed: int = 0) -> Path:
    """A slide whose cells have brown rings on its left half and none on its right half."""
    half = WIDTH // 2
    left, _ = ihc_field(HEIGHT, half, ring=0.9, seed=seed)
    right, _ = ihc_field(HEIGHT, half, seed=seed + 1000)
    image = np.concatenate([left, right], axis=1)
    return write_generic(path, image, factors=(1, 4), mpp=(MPP, MPP), compression="deflate")


def box(name: str | None, x0: float, y0: float, x1: float, y1: float, **more) -> Annotation:
    """A rectangle of a class."""
    return Annotation(geometry=shapely.box(x0, y0, x1, y1), class_name=name, **more)


def halves(prefix: str = "", **more) -> tuple[Annotation, ...]:
    """One region for each half."""
    half = WIDTH / 2
    return (
        box("ring", 10, 10, half - 10, HEIGHT - 10, id=f"{prefix}left", author="R1", **more),
        box("bare", half + 10, 10, WIDTH - 10, HEIGHT - 10, id=f"{prefix}right", **more),
    )
