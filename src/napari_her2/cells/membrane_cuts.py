"""Where the classes of the weight-free classifier begin: a few numbers that can be moved."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

__all__ = ["DEFAULT_CUTS", "GEA_CUTS", "MembraneCuts", "Organ", "default_cuts"]

Organ = Literal["breast", "gea"]


@dataclass(frozen=True, slots=True)
class MembraneCuts:
    """Cuts between the classes of cells. Optical densities are base 10, along the DAB vector.

    Attributes
    ----------
    faint_od, moderate_od, strong_od : float
        Least density of the stained part of the membrane for 1+, 2+ and 3+.
    some : float
        Least share of the membrane stained for 1+.
    shade_contrast, clear_nucleus : float
        Where the whole ring stands out by more than the first density, a faint membrane of the
        cell's own shows only if there is more DAB than the second over its nucleus: without any,
        the stain at its border is that of its neighbours.
    enough : float
        Least share for 2+ and 3+: near-complete for breast; lateral or basolateral staining, so
        part of the perimeter, for gastro-oesophageal carcinoma.
    least_area_um2, most_area_um2 : float
        What is smaller or larger is no single nucleus: artefact.
    least_contrast : float
        Haematoxylin of the nucleus above its cytoplasm; below it nothing was seen that could be
        called a nucleus, unless its membrane is stained.
    brown_nucleus : float
        DAB inside the nucleus, density, above which it is a clump of precipitate unless the
        membrane is browner still.
    debris_slope : float
        Slope of haematoxylin in the nucleus, as a share of its haematoxylin per µm, above which a
        small unstained object may be debris of necrosis; what else that takes is in
        ``membrane_classifier.py``.
    immune_density, immune_darkness, immune_size : float
        Unstained round nuclei with more haematoxylin than this many times that of the slide's
        typical nucleus, standing out from their cytoplasm by more than this share of it, and no
        larger than this many times its area, belong to immune cells.
    immune_area_um2 : float
        So do smaller ones without cytoplasm, however dark.
    least_body : float
        Unstained cells with less stain than this in their cytoplasm, as a share of the
        haematoxylin of the slide's typical nucleus, lie bare in loose stroma,
    bare_area_um2 : float
        unless the nucleus is larger than this.
    stroma_elongation : float
        Unstained nuclei longer than this, for their width, belong to stroma, where neighbours are
        20 µm away; the further away they are the less it takes (square root).

    Raises
    ------
    ValueError
        If cuts do not rise or shares are not between 0 and 1.
    """

    faint_od: float = 0.06
    moderate_od: float = 0.19
    strong_od: float = 0.62
    some: float = 0.13
    shade_contrast: float = 0.115
    clear_nucleus: float = 0.0095
    enough: float = 0.50
    least_area_um2: float = 8.0
    most_area_um2: float = 400.0
    least_contrast: float = 0.0
    brown_nucleus: float = 0.45
    debris_slope: float = 0.5
    immune_density: float = 1.06
    immune_darkness: float = 0.97
    immune_size: float = 1.5
    immune_area_um2: float = 22.0
    least_body: float = 0.11
    bare_area_um2: float = 40.0
    stroma_elongation: float = 1.95

    def __post_init__(self) -> None:
        rising = 0 < self.faint_od < self.moderate_od < self.strong_od < math.inf
        shares = 0 <= self.some <= self.enough <= 1
        areas = 0 <= self.least_area_um2 < self.most_area_um2
        kinds = self.stroma_elongation > 1 and self.immune_darkness > 0 and self.immune_size > 0
        kinds = kinds and self.debris_slope > 0
        if not (rising and shares and areas and kinds):
            msg = f"cuts do not rise: {self}"
            raise ValueError(msg)

    def to_json(self) -> dict[str, float]:
        """For the record of a run."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> MembraneCuts:
        """Read what :meth:`to_json` wrote; names that are missing keep their default.

        Raises
        ------
        TypeError
            If a name is unknown.
        ValueError
            If the values make no sense.
        """
        return cls(**{name: float(value) for name, value in data.items()})


DEFAULT_CUTS: Final = MembraneCuts()
"""Breast."""

GEA_CUTS: Final = MembraneCuts(enough=0.25)
"""Gastro-oesophageal carcinoma: strength decides, part of the perimeter is enough."""


def default_cuts(organ: Organ) -> MembraneCuts:
    """Cuts for an organ."""
    return GEA_CUTS if organ == "gea" else DEFAULT_CUTS
