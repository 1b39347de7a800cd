"""Whether annotations lie on the slide they are imported for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import shapely

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.intake import Intake
from napari_her2.errors import BadAnnotationsError

__all__ = ["check_place"]

_MARGIN: Final = 0.02
_SHARE_OUTSIDE: Final = 0.25
_MPP_TOLERANCE: Final = 0.05


def check_place(
    annotations: Sequence[Annotation], intake: Intake, *, any_slide: bool = False
) -> None:
    """Refuse annotations of another slide.

    They are another slide's if the file states another size, or if more than a quarter of the
    objects lie wholly outside the slide and 2 % around it.

    Raises
    ------
    BadAnnotationsError
        With ``foreign_ann``; not if ``any_slide``.
    """
    if intake.stated_mpp is not None and intake.mpp is not None:
        theirs, ours = intake.stated_mpp[0], intake.mpp[0]
        if abs(theirs - ours) > _MPP_TOLERANCE * ours:
            intake.note("note_mpp", theirs=f"{theirs:.3g}", ours=f"{ours:.3g}")
    if intake.slide_size is None:
        return
    width, height = intake.slide_size
    if intake.stated_size is not None and intake.stated_size != (width, height) and not any_slide:
        raise _foreign(intake.stated_size, intake.slide_size)
    if not annotations:
        return
    x0, y0, x1, y1 = shapely.bounds(np.array([a.geometry for a in annotations], dtype=object)).T
    dx, dy = _MARGIN * width, _MARGIN * height
    outside = (x1 < -dx) | (y1 < -dy) | (x0 > width + dx) | (y0 > height + dy)
    n = int(outside.sum())
    if n and n > _SHARE_OUTSIDE * len(annotations) and not any_slide:
        raise _foreign(
            (max(int(x1.max()), 0), max(int(y1.max()), 0)), intake.slide_size, about=True
        )
    if n:
        intake.note("note_outside", n=n)


def _foreign(
    theirs: tuple[int, int], ours: tuple[int, int], *, about: bool = False
) -> BadAnnotationsError:
    return BadAnnotationsError(
        "foreign_ann",
        theirs=f"{'at least ' if about else ''}{theirs[0]:,} x {theirs[1]:,}",
        ours=f"{ours[0]:,} x {ours[1]:,}",
    )
