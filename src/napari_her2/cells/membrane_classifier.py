"""Classes of HER2-stained cells from measurements alone: no weights, nothing trained.

First what kind of cell it is, by the nucleus and by whether the membrane is stained (only
epithelium stains); then the score of a tumour cell, by how strong the stain of its membrane is and
how much of it is stained. The cuts are :class:`~napari_her2.cells.membrane_cuts.MembraneCuts`.

The numbers given are graded scores: 0.5 on a cut, towards 0 and 1 with the distance from it. They
say how near to a cut a cell lies. They are no probabilities of being right.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.membrane_cuts import MembraneCuts, Organ, default_cuts
from napari_her2.cells.protocols import CropChannels, Crops
from napari_her2.cells.table import CellTable
from napari_her2.types import ModelStatus, Probs

__all__ = ["MembraneClassifier"]

Floats = NDArray[np.float32]

_VERSION: Final = "3"
_STROMA, _IMMUNE, _ARTEFACT = (CELL_CLASSES.index(n) for n in ("stroma", "immune", "artefact"))

USUAL_SPACING_UM: Final = 20.0
"""Distance of neighbours at which an elongation counts as it is."""

DEBRIS_DARKNESS: Final = 0.6
"""Objects that stand out by more than this share of the typical nucleus need twice the area."""

DEBRIS_LEAST_OD: Final = 0.12
"""Texture tells debris where the slide's typical nucleus has at least this much haematoxylin: on
paler slides it is noise."""

DEBRIS_BODY: Final = (0.28, 0.8)
DEBRIS_DAB: Final = (0.02, 0.12)
DEBRIS_DENSITY: Final = (0.75, 1.5)
DEBRIS_SIZE: Final = 1.05
DEBRIS_MEMBRANE_OD: Final = 0.12
"""Debris of necrosis lies in cytoplasm stained so much, with a little brown over it; it has about
the haematoxylin of the slide's typical nucleus, is no larger, and has no membrane to speak of."""

# How far from a cut a score goes from 0.5 to 0.73.
_SHARE_WIDTH: Final = 0.03
_RELATIVE_WIDTH: Final = 0.08
_SHAPE_WIDTH: Final = 0.12
_BODY_WIDTH: Final = 0.02
_DENSITY_WIDTH: Final = 0.02
_SHADE_WIDTH: Final = 0.015
_CLEAR_WIDTH: Final = 0.003
_TYPICAL_WIDTH: Final = 0.01


class MembraneClassifier:
    """Weight-free classifier; see :class:`~napari_her2.cells.protocols.CellClassifier`.

    Parameters
    ----------
    cuts : MembraneCuts, optional
        Where classes begin; by default those of the organ.
    organ : {"breast", "gea"}
        Breast asks for staining round the cell (ASCO/CAP 2018); in gastro-oesophageal carcinoma
        lateral and basolateral staining counts in full (Hofmann 2008; CAP/ASCP/ASCO 2016).
    """

    id: ClassVar[str] = "membrane"
    name: ClassVar[str] = "Membrane measurement"
    version: ClassVar[str] = _VERSION
    status: ClassVar[ModelStatus | None] = None
    classes: ClassVar[tuple[str, ...]] = CELL_CLASSES
    needs_crops: ClassVar[bool] = False
    channels: ClassVar[CropChannels | None] = None
    crop_px: ClassVar[int | None] = None
    crop_mpp: ClassVar[float | None] = None

    def __init__(self, cuts: MembraneCuts | None = None, organ: Organ = "breast") -> None:
        self.organ: Organ = organ
        self.cuts = default_cuts(organ) if cuts is None else cuts

    @property
    def digest(self) -> str:
        """SHA-256 of what decides the numbers."""
        text = json.dumps(
            {"membrane": _VERSION, "organ": self.organ, **self.cuts.to_json()}, sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def classify(self, table: CellTable, crops: Crops | None = None) -> Probs:
        """Grade cells.

        Parameters
        ----------
        table : CellTable
            Cells with the columns of :func:`napari_her2.cells.membrane.measure_cells`.
        crops : ndarray, optional
            Not looked at.

        Returns
        -------
        ndarray of float32
            Shape (n, 7), columns in the order of :data:`~napari_her2.cells.classes.CELL_CLASSES`,
            rows sum to 1. Graded scores, not probabilities.
        """
        del crops
        out = np.zeros((len(table), len(CELL_CLASSES)), np.float32)
        if not len(table):
            return out
        artefact, immune, stroma = self._kinds(table)
        out[:, _ARTEFACT] = artefact
        out[:, _IMMUNE] = (1 - artefact) * immune
        out[:, _STROMA] = (1 - artefact) * (1 - immune) * stroma
        tumour = (1 - artefact) * (1 - immune) * (1 - stroma)
        out[:, :4] = tumour[:, None] * self._scores(table)
        return np.asarray(out / out.sum(1, keepdims=True), np.float32)

    def _kinds(self, table: CellTable) -> tuple[Floats, Floats, Floats]:
        """Scores for artefact, for immune where it is none, for stroma where it is neither."""
        c = self.cuts
        area, od = table["area_um2"], table["membrane_od"]
        stained = _above(table["membrane_completeness"], c.enough * 0.6, _SHARE_WIDTH)
        stained = stained * _times_above(od, c.moderate_od * 0.8)
        darkness = np.maximum(table["nucleus_darkness"], 0)
        # Pale small ones may be parts of a pale nucleus; dark small ones are debris.
        least = np.float32(c.least_area_um2) * (1 + _times_above(darkness, DEBRIS_DARKNESS))
        small = _times_above(least / np.maximum(area, np.float32(0.1)), 1.0)
        # A small pale disc walled in by a stained membrane is a cell whose nucleus is not seen.
        small = (1 - stained) * small
        large = _times_above(area, c.most_area_um2)
        pale = (1 - stained) * _above(-table["nucleus_contrast"], -c.least_contrast, 0.01)
        brown = _times_above(table["nucleus_dab"], c.brown_nucleus)
        brown = brown * _above(table["nucleus_dab"] - od, 0.0, 0.03)
        artefact = 1 - (1 - small) * (1 - large) * (1 - pale) * (1 - brown)
        artefact = 1 - (1 - artefact) * (1 - self._debris(table))
        apart = np.sqrt(table["cell_spacing_um"] / np.float32(USUAL_SPACING_UM))
        long = _above(table["nucleus_elongation"] * apart, c.stroma_elongation, _SHAPE_WIDTH)
        bare = _above(-table["cell_body"], -c.least_body, _BODY_WIDTH)
        bare = bare * _times_above(np.float32(c.bare_area_um2) / np.maximum(area, 0.1), 1.0)
        compact = np.float32(c.immune_size) / np.maximum(table["nucleus_relative_area"], 0.01)
        dark = _times_above(darkness, c.immune_darkness) * _times_above(compact, 1.0)
        dark = dark * _above(table["nucleus_density"], c.immune_density, _DENSITY_WIDTH)
        little = _times_above(np.float32(c.immune_area_um2) / np.maximum(area, 0.1), 1.0) * bare
        immune = (1 - long) * (1 - (1 - dark) * (1 - little))
        stroma = 1 - (1 - long) * (1 - bare)
        return artefact, (1 - stained) * immune, (1 - stained) * stroma

    def _debris(self, table: CellTable) -> Floats:
        """Score for a piece of a dead nucleus: no larger or darker than others, but uneven."""
        blue, density = table["nucleus_haematoxylin"], table["nucleus_density"]
        slope = table["nucleus_gradient"] / np.maximum(blue, np.float32(0.03))
        out = _times_above(slope, self.cuts.debris_slope)
        typical = blue / np.maximum(density, np.float32(0.01))
        out = out * _above(typical, DEBRIS_LEAST_OD, _TYPICAL_WIDTH)
        out = out * _times_within(table["cell_body"], DEBRIS_BODY)
        out = out * _times_within(table["nucleus_dab"], DEBRIS_DAB)
        out = out * _times_within(density, DEBRIS_DENSITY)
        out = out * (1 - _times_above(table["nucleus_relative_area"], DEBRIS_SIZE))
        out = out * (1 - _times_above(table["membrane_od"], DEBRIS_MEMBRANE_OD))
        return np.asarray(out, np.float32)

    def _scores(self, table: CellTable) -> Floats:
        """Scores 0, 1+, 2+ and 3+ of a cell if it is a tumour cell, shape (n, 4)."""
        c = self.cuts
        od, share = table["membrane_od"], table["membrane_completeness"]
        enough = _above(share, c.enough, _SHARE_WIDTH)
        three = _times_above(od, c.strong_od) * enough
        two = _times_above(od, c.moderate_od) * enough
        one = _times_above(od, c.faint_od) * _above(share, c.some, _SHARE_WIDTH)
        shade = _above(table["membrane_contrast"], c.shade_contrast, _SHADE_WIDTH)
        shade = shade * _above(-table["nucleus_dab"], -c.clear_nucleus, _CLEAR_WIDTH)
        one = np.maximum(one * (1 - shade), two)
        return np.stack([1 - one, one - two, two - three, three], axis=1)


def _above(value: Floats, cut: float, width: float) -> Floats:
    """0.5 at the cut, rising; a difference of ``width`` makes 0.73."""
    return _logistic((value - np.float32(cut)) / np.float32(width))


def _times_above(value: Floats, cut: float) -> Floats:
    """As :func:`_above`, but by ratio: 8 % above the cut makes 0.73."""
    ratio = np.log(np.maximum(value, np.float32(1e-4)) / np.float32(cut))
    return _logistic(ratio / np.float32(_RELATIVE_WIDTH))


def _times_within(value: Floats, cuts: tuple[float, float]) -> Floats:
    """Above the first cut and below the second, by ratio."""
    low, high = cuts
    return np.asarray(_times_above(value, low) * (1 - _times_above(value, high)), np.float32)


def _logistic(x: NDArray[np.floating[Any]]) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))), np.float32)
