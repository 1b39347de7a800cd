"""What the user asked for, frozen: GUI and CLI build the same request, so numbers are equal."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_her2.geometry import Region

__all__ = ["PredictRequest"]


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """Score one slide with some models.

    Parameters
    ----------
    slide : Path
        The slide file or folder.
    model_ids : tuple of str
        Ids of installed models, or biomarker names (``ER``) for the default model of each.
    out : Path or None
        Folder of results; None keeps nothing on disk.
    mpp : float or (float, float), optional
        Pixel size in µm for slides that do not state it.
    roi : Region, optional
        Rectangle in level-0 pixels; None = whole slide.
    roi_polygons : tuple of tuples of (x, y), optional
        Closed outlines in level-0 pixels: only cells whose centre lies in one are scored.
    stride_um : float, optional
        Side of a heatmap cell; None = half the field of the model (256 px at 2 µm/px).
    threshold : float, optional
        Replaces the models' t.
    ignore_stain : bool
        Run although the stain looks wrong; recorded in the result.
    device : str
        ``auto``, ``cpu``, ``cuda``.
    batch_size : int, optional
        Tiles at once; None = chosen for the device.
    resume : bool
        Go on where the same request stopped; False starts a new run.
    """

    slide: Path
    model_ids: tuple[str, ...]
    out: Path | None = None
    mpp: float | tuple[float, float] | None = None
    roi: Region | None = None
    roi_polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    stride_um: float | None = None
    threshold: float | None = None
    ignore_stain: bool = False
    device: str = "auto"
    batch_size: int | None = None
    resume: bool = True

    def science(self) -> dict[str, Any]:
        """The part of the request that can change a number: neither folders nor resume."""
        roi = self.roi
        return {
            "model_ids": list(self.model_ids),
            "mpp": list(self.mpp) if isinstance(self.mpp, tuple) else self.mpp,
            "roi": None if roi is None else [roi.x, roi.y, roi.width, roi.height],
            "roi_polygons": [[list(p) for p in ring] for ring in self.roi_polygons],
            "stride_um": self.stride_um,
            "threshold": self.threshold,
            "ignore_stain": self.ignore_stain,
            "device": self.device,
            "batch_size": self.batch_size,
        }

    def digest(self, *identity: str) -> str:
        """SHA-256 of the science, the slide's content key and the models' weight hashes.

        Parameters
        ----------
        *identity : str
            Content key of the slide and hashes of the models, in a fixed order.
        """
        text = json.dumps([self.science(), *identity], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
