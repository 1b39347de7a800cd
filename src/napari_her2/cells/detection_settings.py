"""What detection is set to in each mode: constants, the same for all slides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from napari_her2.cells.classes import CellMode

__all__ = ["SETTINGS", "DetectionSettings"]


@dataclass(frozen=True, slots=True)
class DetectionSettings:
    """Constants of one mode.

    Attributes
    ----------
    weights : (float, float, float)
        The combined image is this sum of the optical densities in R, G and B.
    spared_od : float
        A channel is taken off only as far as its share exceeds this: a tinge of the ground does
        not hide pale nuclei. The sum is clipped at 0.
    largest_od : float
        Densities count up to this in each channel, so that very dark objects do not decide what
        the threshold sees of pale ones.
    grey_per_od : int
        Grey levels of the combined image per optical density.
    smooth_um : float
        Standard deviation of the Gaussian for the mask, µm.
    marker_um : float
        The same for markers.
    local_um : float
        Side of the square whose mean is the local background, µm.
    local_share : float
        Share of that mean that is taken off. A multiple of 1/4, so that products are exact.
    threshold_share : float
        Where the threshold lies between the median of the tissue (0) and Otsu's threshold (1).
    intensity_um : float
        Weight of intensity against distance where markers are chosen: µm of distance that the
        contrast of an average nucleus is worth.
    apart_um : float
        Markers lie at least this far apart.
    dip_um : float
        Two markers that see each other over a dip of less than this are one nucleus.
    reach_um : float
        Farthest distance over which that is asked.
    least_um2 : float
        Smaller objects are left out.
    core_share, core_um : float
        Markers keep clear of pixels that do not come up to this share of the strongest contrast
        within this distance, where that is strong; 0 = all of the mask counts. A multiple of 1/8.
    interiors : bool
        Whether cells are also found by what encloses them; see ``interiors.py``.
    """

    weights: tuple[float, float, float]
    spared_od: float
    largest_od: float
    grey_per_od: int
    smooth_um: float
    marker_um: float
    local_um: float
    local_share: float
    threshold_share: float
    intensity_um: float
    apart_um: float = 1.6
    dip_um: float = 0.4
    reach_um: float = 8.0
    least_um2: float = 5.0
    core_share: float = 0.0
    core_um: float = 3.0
    interiors: bool = False


SETTINGS: Final[Mapping[CellMode, DetectionSettings]] = {
    # Haematoxylin takes twice as much red as blue, DAB a third: red minus half the blue is nucleus
    # minus membrane (Vandenberghe 2017), and keeps its sign where strong DAB leaves no blue light.
    "her2-ihc": DetectionSettings(
        weights=(1.0, 0.0, -0.6),
        spared_od=0.03,
        largest_od=1.5,
        grey_per_od=800,
        smooth_um=1.2,
        marker_um=1.3,
        local_um=14.0,
        local_share=0.75,
        threshold_share=0.9,
        intensity_um=0.5,
        dip_um=0.3,
        core_share=0.625,
        interiors=True,
    ),
    # Brown nuclei and blue ones both take red light; beyond 0.25 OD they count alike. Blue light,
    # a little of it taken off, quiets brown haze between nuclei; so limited, brown nuclei stay.
    "nuclear-ihc": DetectionSettings(
        weights=(1.0, 0.0, -0.4),
        spared_od=0.0,
        largest_od=0.25,
        grey_per_od=700,
        smooth_um=1.0,
        marker_um=1.3,
        local_um=16.0,
        local_share=0.5,
        threshold_share=0.5,
        intensity_um=1.0,
        dip_um=0.3,
        least_um2=10.0,
    ),
    # Eosin takes hardly any red.
    "he": DetectionSettings(
        weights=(1.0, 0.0, 0.0),
        spared_od=0.0,
        largest_od=1.0,
        grey_per_od=250,
        smooth_um=0.8,
        marker_um=1.0,
        local_um=24.0,
        local_share=0.0,
        threshold_share=1.0,
        intensity_um=2.0,
        dip_um=0.35,
        least_um2=4.0,
    ),
}
