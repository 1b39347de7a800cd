"""What is measured once on a slide so that the same cell is found whatever part is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import CellMode
from napari_her2.cells.combined import combined_image
from napari_her2.cells.detection import find_nuclei
from napari_her2.cells.detection_settings import SETTINGS
from napari_her2.cells.stain_planes import StainPlanes, read_planes
from napari_her2.cells.working_pixels import WorkingPixels, working_pixels
from napari_her2.slides.base import Slide
from napari_her2.stains.deconvolution import stain_matrix
from napari_her2.stains.estimate import estimate_stains
from napari_her2.stains.sampling import sample_tissue
from napari_her2.tiles.tissue import TissueMask

__all__ = ["Calibration", "calibrate"]

SAMPLES: Final = 32
SAMPLE_PX: Final = 384
"""Number and side (working pixels) of the fields that the thresholds are measured on."""

SEED: Final = 20010223
"""Where the sampled fields lie; the same for each slide."""

LEAST_CONTRAST: Final = 0.0075
"""Lowest threshold, optical density above the median of the tissue: what the noise of a scanner and
of JPEG makes of a field without cells stays below it."""

TYPICAL_UM2: Final = 15.0
FEWEST_NUCLEI: Final = 20
"""Nuclei of at least this area, and at least so many of them, say what is typical of a slide."""

StainVectors = Mapping[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Calibration:
    """Constants of one slide: resolution, colours and thresholds. Pickles and compares by value.

    Attributes
    ----------
    mode : {"her2-ihc", "nuclear-ihc", "he"}
        What is looked for.
    level : int
        Level of the pyramid that is read.
    factor_x, factor_y : int
        Pixels of that level per working pixel.
    scale_x, scale_y : float
        Level-0 pixels per working pixel.
    mpp_x, mpp_y : float
        Micrometres per working pixel.
    width, height : int
        Extent of the slide in working pixels.
    background : (float, float, float)
        Colour of bare glass.
    matrix : tuple of tuple of float
        Rows: absorbance in R, G, B of one unit of haematoxylin, of the second stain, of the rest.
    vectors : {"published", "measured", "given"}
        Where the stain vectors came from.
    threshold : int
        Above it a pixel of the contrast image belongs to a nucleus.
    nuclear_contrast : int
        Grey levels between Otsu's threshold of the intensity image and the median of what lies
        below it: the unit that intensity is weighed in.
    sampled_px : int
        Number of working pixels of tissue the threshold was measured on.
    typical_nucleus : (float, float, float) or None
        Of the nuclei of 15 µm² and more in the sampled fields: median area in µm², and median and
        upper quartile of their mean haematoxylin, optical density. None where there are fewer than
        :data:`FEWEST_NUCLEI`. A yardstick of the slide: scanners and stains differ more than cells.
    """

    mode: CellMode
    level: int
    factor_x: int
    factor_y: int
    scale_x: float
    scale_y: float
    mpp_x: float
    mpp_y: float
    width: int
    height: int
    background: tuple[float, float, float]
    matrix: tuple[tuple[float, float, float], ...]
    vectors: str
    threshold: int
    nuclear_contrast: int
    sampled_px: int
    typical_nucleus: tuple[float, float, float] | None = None

    @property
    def pixels(self) -> WorkingPixels:
        """Where the working pixels lie."""
        return WorkingPixels(
            self.level, self.factor_x, self.factor_y, self.scale_x, self.scale_y,
            self.mpp_x, self.mpp_y, self.width, self.height,
        )  # fmt: skip

    @property
    def mpp(self) -> float:
        """Micrometres per working pixel, geometric mean of both directions."""
        return float((self.mpp_x * self.mpp_y) ** 0.5)

    @property
    def stain_rows(self) -> NDArray[np.float64]:
        """The stain matrix, shape (3, 3)."""
        return np.array(self.matrix, np.float64)

    def to_json(self) -> dict[str, Any]:
        """Numbers and lists only, for the record of a run."""
        document: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return document

    @staticmethod
    def from_json(document: Mapping[str, Any] | str) -> Calibration:
        """Read back what :meth:`to_json` gave, or its text.

        Raises
        ------
        KeyError
            If a value is missing.
        """
        d = dict(json.loads(document) if isinstance(document, str) else document)
        d["background"] = tuple(float(v) for v in d["background"])
        d["matrix"] = tuple(tuple(float(v) for v in row) for row in d["matrix"])
        typical = d.get("typical_nucleus")
        d["typical_nucleus"] = None if typical is None else tuple(float(v) for v in typical)
        return Calibration(**{f.name: d[f.name] for f in fields(Calibration)})


def calibrate(
    slide: Slide, tissue: TissueMask, mode: CellMode, *, stain_vectors: StainVectors | None = None
) -> Calibration:
    """Measure the constants of a slide on fields spread over all its tissue.

    The fields are drawn with a fixed seed from the tissue alone: neither the tile size nor the
    region of interest has any influence, so that each cell is found the same way in each run.

    Parameters
    ----------
    slide : Slide
        The slide.
    tissue : TissueMask
        Its tissue.
    mode : {"her2-ihc", "nuclear-ihc", "he"}
        What is looked for.
    stain_vectors : mapping, optional
        Absorbance in R, G, B of ``haematoxylin`` and ``second``. Where not given: the published
        vectors; for nuclear IHC those measured on the slide, where blue and brown are plainly
        there, so that a nucleus without DAB has an amount of 0.

    Returns
    -------
    Calibration
        Also for a slide without tissue: nothing is then found on it.

    Raises
    ------
    UnknownMppError
        If the slide states no pixel size.
    WrongMppError
        If it is too coarse to show cells.
    """
    pixels = working_pixels(slide)
    second = "eosin" if mode == "he" else "dab"
    source, matrix = "published", stain_matrix("haematoxylin", second)
    if stain_vectors is not None:
        source, matrix = "given", _given(stain_vectors)
    elif mode == "nuclear-ihc":
        source, matrix = _measured(slide, tissue)
    draft = Calibration(
        mode, pixels.level, pixels.factor_x, pixels.factor_y, pixels.scale_x, pixels.scale_y,
        pixels.mpp_x, pixels.mpp_y, pixels.width, pixels.height, tissue.background,
        tuple((float(r[0]), float(r[1]), float(r[2])) for r in matrix), source, 255, 1, 0,
    )  # fmt: skip
    settings = SETTINGS[mode]
    intensity, contrast = np.zeros(256, np.int64), np.zeros(256, np.int64)
    sample = _fields(slide, tissue, draft)
    for planes, on in sample:
        image = combined_image(planes, draft.background, settings)
        intensity += np.bincount(image.intensity[on], minlength=256)
        contrast += np.bincount(image.contrast[on], minlength=256)
    total = int(contrast.sum())
    if not total:
        return draft
    cut, ground = _otsu(contrast), _otsu(intensity)
    middle = min(cut, _median(contrast))
    rise = max(settings.threshold_share * (cut - middle), LEAST_CONTRAST * settings.grey_per_od)
    done = replace(
        draft,
        threshold=min(254, round(middle + rise)),
        nuclear_contrast=max(5, ground - _median(intensity[: ground + 1])),
        sampled_px=total,
    )
    return replace(done, typical_nucleus=_typical(sample, done))


def _typical(
    sample: list[tuple[StainPlanes, NDArray[np.bool_]]], calibration: Calibration
) -> tuple[float, float, float] | None:
    um2 = calibration.mpp_x * calibration.mpp_y
    areas, densities = [np.empty(0)], [np.empty(0)]
    for planes, on in sample:
        nuclei = find_nuclei(planes, calibration)
        inside = np.flatnonzero(nuclei.labels)
        total = np.bincount(
            nuclei.labels.ravel()[inside], planes.haematoxylin.ravel()[inside], len(nuclei) + 1
        )[1:]
        area = nuclei.area_px * um2
        y, x = nuclei.markers_yx.T
        chosen = (area >= TYPICAL_UM2) & on[y, x]
        areas.append(area[chosen])
        densities.append(total[chosen] / nuclei.area_px[chosen])
    area, density = np.concatenate(areas), np.concatenate(densities)
    if len(area) < FEWEST_NUCLEI:
        return None
    values = np.median(area), np.median(density), np.percentile(density, 75)
    return float(values[0]), float(values[1]), float(values[2])


def _measured(slide: Slide, tissue: TissueMask) -> tuple[str, NDArray[np.float64]]:
    found = estimate_stains(sample_tissue(slide, tissue), tissue.background, "H-DAB")
    return "published" if found.method == "ruifrok" else "measured", found.matrix


def _given(vectors: StainVectors) -> NDArray[np.float64]:
    rows = [np.asarray(vectors[k], np.float64) for k in ("haematoxylin", "second")]
    rows = [r / np.linalg.norm(r) for r in rows]
    rest = np.cross(rows[0], rows[1])
    return np.stack([*rows, rest / np.linalg.norm(rest)])


def _fields(
    slide: Slide, tissue: TissueMask, draft: Calibration
) -> list[tuple[StainPlanes, NDArray[np.bool_]]]:
    """Fields of working pixels with a mask of their usable tissue."""
    usable = tissue.usable
    if not usable.any():
        return []
    side = SAMPLE_PX
    sx, sy = draft.scale_x / tissue.downsample[0], draft.scale_y / tissue.downsample[1]
    columns, rows = max(1, -(-draft.width // side)), max(1, -(-draft.height // side))
    x = np.arange(columns + 1, dtype=np.float64) * (side * draft.scale_x)
    y = np.arange(rows + 1, dtype=np.float64) * (side * draft.scale_y)
    share = tissue.coverage.fractions(x, y).ravel()
    full = np.flatnonzero(share >= 0.3)
    if not len(full):
        full = np.flatnonzero(share > 0)
    if len(full) > SAMPLES:
        rng = np.random.default_rng(SEED)
        full = np.sort(rng.choice(full, SAMPLES, replace=False))
    out = []
    for k in full:
        row, column = divmod(int(k), columns)
        x0, y0 = column * side, row * side
        w, h = min(side, draft.width - x0), min(side, draft.height - y0)
        planes = read_planes(slide, draft, x0, y0, w, h)
        i = np.minimum(((np.arange(h) + y0 + 0.5) * sy).astype(np.intp), usable.shape[0] - 1)
        j = np.minimum(((np.arange(w) + x0 + 0.5) * sx).astype(np.intp), usable.shape[1] - 1)
        on = usable[np.ix_(i, j)]
        if planes.missing is not None:
            wide = cv2.dilate(planes.missing.astype(np.uint8), np.ones((15, 15), np.uint8))
            on = on & (wide == 0)
        out.append((planes, on))
    return out


def _median(histogram: NDArray[np.int64]) -> int:
    """Lower median of what a histogram counts."""
    return int(np.searchsorted(np.cumsum(histogram), (histogram.sum() + 1) // 2))


def _otsu(histogram: NDArray[np.int64]) -> int:
    """Otsu's threshold: pixels above it are the brighter class."""
    p = histogram / histogram.sum()
    w = np.cumsum(p)
    m = np.cumsum(p * np.arange(256))
    inside = (w > 0) & (w < 1 - 1e-12)
    between = np.zeros(256)
    between[inside] = (m[-1] * w[inside] - m[inside]) ** 2 / (w[inside] * (1 - w[inside]))
    return int(between.argmax())
