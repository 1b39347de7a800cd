"""Nuclear immunohistochemistry (ER, PR, Ki67): how brown each nucleus is, and what that adds up to.

No weights: a nucleus is called by the mean amount of DAB inside its outline, against fixed cuts
that can be moved. Amounts are optical densities (base 10) relative to measured glass, of a stain
vector of length 1, which is also the unit of QuPath's "Nucleus: DAB OD mean".
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from napari_her2.cells.classes import NUCLEAR_CLASSES
from napari_her2.cells.protocols import CropChannels, Crops
from napari_her2.cells.table import CellTable
from napari_her2.types import ModelStatus, Probs

__all__ = [
    "DEFAULT_NUCLEAR_CUTS",
    "NUCLEAR_OD",
    "NuclearClassifier",
    "NuclearCuts",
    "measure_nuclear",
    "nuclear_classes",
    "nucleus_means",
]

NUCLEAR_OD: Final = "nucleus_dab_od"
"""Column with the mean amount of DAB inside each nucleus, optical density."""

_NEGATIVE, _ARTEFACT = 0, len(NUCLEAR_CLASSES) - 1


@dataclass(frozen=True, slots=True)
class NuclearCuts:
    """Where the classes of a nucleus begin.

    Attributes
    ----------
    weak, moderate, strong : float
        Least mean amount of DAB in the nucleus, optical density; rising.
    min_area_um2, max_area_um2 : float
        What is smaller or larger is no single nucleus: artefact.

    Notes
    -----
    ``weak`` was chosen on three Ki67 tiles of lung and bladder whose nuclei are outlined (n = 297,
    42 of them positive), with stain vectors measured on each: the means of positive nuclei lie
    above it but for two, those of negative ones below but for two. ``moderate`` and ``strong``
    split what is brown by eye; guidelines give no densities, so they are a convention and have to
    be set for a laboratory's own staining.

    Raises
    ------
    ValueError
        If they do not rise, or are not above 0.
    """

    weak: float = 0.15
    moderate: float = 0.35
    strong: float = 0.70
    min_area_um2: float = 6.0
    max_area_um2: float = 600.0

    def __post_init__(self) -> None:
        rising = 0 < self.weak < self.moderate < self.strong < math.inf
        if not rising or not 0 <= self.min_area_um2 < self.max_area_um2:
            msg = f"cuts must rise and lie above 0: {self}"
            raise ValueError(msg)

    def to_json(self) -> dict[str, float]:
        """For the record of a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, float]) -> NuclearCuts:
        """Read what :meth:`to_json` wrote."""
        return cls(**data)


DEFAULT_NUCLEAR_CUTS: Final = NuclearCuts()


def nucleus_means(
    plane: ArrayLike, labels: NDArray[np.integer[Any]], n: int
) -> NDArray[np.float32]:
    """Mean of a plane inside each nucleus.

    Parameters
    ----------
    plane : array_like
        Shape (height, width), for instance the amount of DAB.
    labels : ndarray of int
        Shape (height, width); 0 is outside, nuclei are 1 to ``n``.
    n : int
        Number of nuclei.

    Returns
    -------
    ndarray of float32
        Shape (n,); 0 for a label without pixels.
    """
    if not n:
        return np.zeros(0, np.float32)
    flat = np.asarray(labels).ravel()
    inside = np.flatnonzero(flat)
    which = flat[inside]
    values = np.asarray(plane, np.float32).ravel()[inside]
    pixels = np.bincount(which, minlength=n + 1)[1 : n + 1]
    sums = np.bincount(which, weights=values, minlength=n + 1)[1 : n + 1]
    return np.asarray(sums / np.maximum(pixels, 1), np.float32)


def nuclear_classes(
    density: ArrayLike,
    area_um2: ArrayLike | None = None,
    cuts: NuclearCuts = DEFAULT_NUCLEAR_CUTS,
) -> Probs:
    """Grade nuclei by their amount of DAB.

    A nucleus on a cut belongs half to the classes on both sides; halfway to the next cut it
    belongs to one alone. The largest share is always the class that the cuts name.

    Parameters
    ----------
    density : array_like
        Shape (n,): mean amount of DAB in the nucleus, optical density. What is not a number was
        not measured: artefact.
    area_um2 : array_like or None
        Shape (n,), square micrometres.
    cuts : NuclearCuts
        Where classes begin.

    Returns
    -------
    ndarray of float32
        Shape (n, 5) over :data:`~napari_her2.cells.classes.NUCLEAR_CLASSES`; rows sum to 1. A
        graded membership, not a calibrated probability.
    """
    od = np.asarray(density, np.float64)
    edges = np.array([cuts.weak, cuts.moderate, cuts.strong])
    gaps = np.diff(edges, prepend=0.0)
    half = np.minimum(gaps, np.append(gaps[1:], gaps[-1])) / 2
    known = np.isfinite(od)
    above = np.clip((np.where(known, od, 0)[:, None] - edges) / (2 * half) + 0.5, 0, 1)
    above = np.concatenate([np.ones((len(od), 1)), above, np.zeros((len(od), 1))], axis=1)
    probs = np.zeros((len(od), len(NUCLEAR_CLASSES)), np.float32)
    probs[:, :_ARTEFACT] = above[:, :-1] - above[:, 1:]
    odd = ~known
    if area_um2 is not None:
        area = np.asarray(area_um2, np.float64)
        odd |= ~((area >= cuts.min_area_um2) & (area <= cuts.max_area_um2))
    probs[odd] = 0
    probs[odd, _ARTEFACT] = 1
    return probs


class _Planes(Protocol):
    @property
    def haematoxylin(self) -> NDArray[Any]: ...
    @property
    def second(self) -> NDArray[Any]: ...


class _Nuclei(Protocol):
    @property
    def labels(self) -> NDArray[np.int32]: ...
    @property
    def area_px(self) -> NDArray[Any]: ...


def measure_nuclear(
    planes: _Planes, nuclei: _Nuclei, kept: ArrayLike
) -> dict[str, NDArray[np.float32]]:
    """Columns of nuclear IHC for one window.

    Parameters
    ----------
    planes : StainPlanes
        Amounts of haematoxylin and DAB.
    nuclei : FoundNuclei
        Outlines in the same window.
    kept : array_like
        Index or mask of the nuclei that belong to the tile.

    Returns
    -------
    dict of str to ndarray of float32
        ``nucleus_dab_od`` and ``nucleus_haematoxylin_od``, shape (kept,).
    """
    n = len(nuclei.area_px)
    i = np.asarray(kept)
    return {
        NUCLEAR_OD: nucleus_means(planes.second, nuclei.labels, n)[i],
        "nucleus_haematoxylin_od": nucleus_means(planes.haematoxylin, nuclei.labels, n)[i],
    }


@dataclass(frozen=True, slots=True)
class NuclearClassifier:
    """Grades nuclei as the pipeline asks for it.

    Attributes
    ----------
    cuts : NuclearCuts
        Where classes begin.
    """

    cuts: NuclearCuts = DEFAULT_NUCLEAR_CUTS

    id: ClassVar[str] = "nuclear"
    name: ClassVar[str] = "Nuclear staining"
    version: ClassVar[str] = "1"
    status: ClassVar[ModelStatus | None] = None
    classes: ClassVar[tuple[str, ...]] = NUCLEAR_CLASSES
    needs_crops: ClassVar[bool] = False
    channels: ClassVar[CropChannels | None] = None
    crop_px: ClassVar[int | None] = None
    crop_mpp: ClassVar[float | None] = None

    @property
    def digest(self) -> str:
        """Hash of all that decides its numbers."""
        told = json.dumps([self.id, self.version, self.cuts.to_json()], sort_keys=True)
        return hashlib.sha256(told.encode()).hexdigest()

    def classify(self, table: CellTable, crops: Crops | None = None) -> Probs:
        """Grade every cell of a table that has :data:`NUCLEAR_OD`; crops are not looked at."""
        del crops
        return nuclear_classes(table[NUCLEAR_OD], table.columns.get("area_um2"), self.cuts)
