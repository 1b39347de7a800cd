"""``write_slide``: any kind of synthetic slide and its truth, from a seed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal, get_args

from napari_her2.errors import CannotWriteError, UsageError
from napari_her2.synthetic.drawn import draw_regions
from napari_her2.synthetic.he_slide import he_slide
from napari_her2.synthetic.ihc_slide import ihc_slide
from napari_her2.synthetic.morphology import Statuses
from napari_her2.synthetic.pair import pair_slides
from napari_her2.synthetic.pyramid import SlideSpec
from napari_her2.synthetic.tma import tma_slide
from napari_her2.synthetic.truth import Truth
from napari_her2.types import BIOMARKERS, Biomarker, IhcScore

__all__ = ["KINDS", "Kind", "write_slide"]

Kind = Literal["he", "her2-ihc", "pair", "tma"]

KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be drawn."""

_SMALLEST_PX, _LARGEST_PX = 64, 200_000


def _check(
    kind: str, size: tuple[int, int], mpp: float, mpp_y: float, downsamples: Sequence[int]
) -> None:
    problem = ""
    if kind not in KINDS:
        problem = f"There is no synthetic slide of kind “{kind}”: choose one of {', '.join(KINDS)}."
    elif not all(_SMALLEST_PX <= s <= _LARGEST_PX for s in size):
        problem = (
            f"A slide may be {_SMALLEST_PX} to {_LARGEST_PX} px wide, not {size[0]} x {size[1]}."
        )
    elif not all(math.isfinite(m) and 0.05 <= m <= 4 for m in (mpp, mpp_y)):
        problem = f"{mpp} µm/px is not a pixel size to draw at: give 0.05 to 4."
    elif downsamples[0] != 1 or any(b <= a or b % a for a, b in pairwise(downsamples)):
        problem = "Downsamples have to begin with 1, each a multiple of the one before."
    elif mpp != mpp_y and kind in ("pair", "tma"):
        problem = f"A slide of kind “{kind}” has square pixels: leave out mpp_y."
    if problem:
        raise UsageError("usage", detail=problem)


def write_slide(
    kind: str,
    size_px: int | tuple[int, int],
    seed: int,
    out: Path | str,
    *,
    mpp: float = 0.5,
    mpp_y: float | None = None,
    objective: bool = True,
    state_mpp: bool = True,
    downsamples: Sequence[int] = (1, 4, 16),
    statuses: Mapping[Biomarker, bool] | None = None,
    heterogeneous: bool | None = None,
    score: IhcScore | None = None,
    tumour_share: float = 0.55,
    quality: int = 80,
    label: bool = True,
) -> Truth:
    """Draw a synthetic slide and write it, with its truth beside it.

    The slide is a pyramidal tiled JPEG TIFF in the Aperio layout. Beside ``out`` lie
    ``<out>.truth.json``, ``<out>.regions.geojson`` (QuPath dialect) and ``<out>.cells.parquet``,
    all in level-0 pixels from the top-left corner; beside slides of up to 16,384 px also
    ``<out>.drawn.geojson``, regions of one class each to learn from. Equal arguments give equal
    pixels.

    Parameters
    ----------
    kind : {"he", "her2-ihc", "pair", "tma"}
        What to draw. ``pair`` also writes the HER2 section as ``<stem>_her2<suffix>``.
    size_px : int or (int, int)
        Side, or width and height, of level 0 in pixels; 64 to 200,000. Above about 16,000 px
        (10,000 for HER2) a few scenes are repeated in eight orientations.
    seed : int
        Same seed, same slide.
    out : Path
        Where to write, e.g. ``slide.svs``. Files that stand there are replaced.
    mpp, mpp_y : float
        Micrometres per pixel in x and in y (same as in x where not given). Pixels that are not
        square make a plain tiled TIFF, for Aperio files can't state them.
    objective : bool
        Whether to state the objective power that fits ``mpp``.
    state_mpp : bool
        Whether the file tells its pixel size; without, neither is stated.
    downsamples : sequence of int
        Levels of the pyramid; a level has ``size // downsample`` pixels.
    statuses : mapping, optional
        Status of the main tumour per biomarker; drawn where not given.
    heterogeneous : bool, optional
        Whether part of the tumour has another status; by default one slide in six (H&E).
    score : {"0", "1+", "2+", "3+"}, optional
        Leading score of a HER2 slide; by default a patchwork of all four.
    tumour_share : float
        Share of the tissue that is tumour.
    quality : int
        JPEG quality.
    label : bool
        Whether to add label and macro images (which hold no patient's data).

    Returns
    -------
    Truth
        Paths of what was written, and the slide's status.

    Raises
    ------
    UsageError
        If an argument makes no sense.
    CannotWriteError
        If the files can't be written.
    """
    width, height = (size_px, size_px) if isinstance(size_px, int) else size_px
    y = mpp if mpp_y is None else mpp_y
    levels = tuple(int(d) for d in downsamples)
    _check(kind, (width, height), mpp, y, levels)
    # A level without a single pixel is no level.
    levels = tuple(d for d in levels if min(width, height) // d >= 1)
    path = Path(out)
    spec = SlideSpec(
        width=width,
        height=height,
        downsamples=levels,
        mpp=mpp if state_mpp else None,
        mpp_y=y if state_mpp else None,
        power=10 / mpp if objective and state_mpp else None,
        quality=quality,
        label=label,
        title=f"{kind} seed {seed}",
    )
    wanted: Statuses | None = None
    if statuses is not None:
        wanted = {b: bool(statuses[b]) for b in BIOMARKERS}
    return _draw(kind, seed, spec, mpp, y, path, wanted, heterogeneous, score, tumour_share)


def _draw(
    kind: str,
    seed: int,
    spec: SlideSpec,
    mpp: float,
    mpp_y: float,
    out: Path,
    statuses: Statuses | None,
    heterogeneous: bool | None,
    score: IhcScore | None,
    tumour_share: float,
) -> Truth:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if kind in ("he", "her2-ihc"):
            truth = (
                he_slide(seed, spec, mpp, mpp_y, out, statuses, heterogeneous, tumour_share)
                if kind == "he"
                else ihc_slide(seed, spec, mpp, mpp_y, out, score, statuses, tumour_share)
            )
            draw_regions(out, kind, (spec.width, spec.height), (mpp, mpp_y))
            return truth
        if kind == "pair":
            return pair_slides(seed, spec, mpp, out, statuses, heterogeneous, tumour_share)
        return tma_slide(seed, spec, mpp, out)
    except OSError as e:
        raise CannotWriteError(
            "cannot_write", path=str(out), reason=e.strerror or type(e).__name__
        ) from e
