"""What is asked of the cells of a slide, frozen: dock and command line build the same request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from napari_her2.cells.classes import CellMode
from napari_her2.geometry import Region
from napari_her2.scoring.receptors import NuclearMarker
from napari_her2.scoring.rules import Organ, Specimen

__all__ = ["CellsRequest", "Organ", "Specimen"]


@dataclass(frozen=True, slots=True)
class CellsRequest:
    """Find, measure, classify and score the cells of one slide.

    Parameters
    ----------
    slide : Path
        The slide file or folder.
    stain : CellMode
        ``her2-ihc``, ``nuclear-ihc`` or ``he``.
    out : Path or None
        Folder of results; None keeps nothing on disk.
    classifier : str
        ``membrane`` (measurement, no weights) or the id of an installed classifier; HER2 only.
    organ : str
        ``breast`` or ``gea`` (gastro-oesophageal adenocarcinoma): chooses rules and cuts.
    specimen : str
        ``resection`` or ``biopsy``; counts for ``gea``.
    rule : str, optional
        Id of the rule whose score stands first; None = the usual one of organ and specimen.
    marker : {"ER", "PR", "Ki67"}, optional
        What nuclear IHC shows: ER and PR then get a status (ASCO/CAP 2020).
    mpp : float or (float, float), optional
        Pixel size in µm for slides that do not state it.
    roi : Region, optional
        Rectangle in level-0 pixels; None = whole slide.
    roi_polygons : tuple of tuples of (x, y), optional
        Closed outlines in level-0 pixels: only cells whose centre lies in one are kept.
    ignore_stain : bool
        Run although the stain looks wrong; recorded in the result.
    workers : int
        Local processes that share the tiles; 0 = in this one. Changes no number.
    tile_px : int
        Side of a tile in level-0 pixels. Changes no cell.
    runtime : str
        What runs a network: ``auto``, ``torch``, ``openvino``.
    geojson : bool or None
        Whether to write ``cells.geojson``; None = while the cells are few enough.
    resume : bool
        Go on where the same request stopped; False starts a new run.
    """

    slide: Path
    stain: CellMode = "her2-ihc"
    out: Path | None = None
    classifier: str = "membrane"
    organ: Organ = "breast"
    specimen: Specimen = "resection"
    rule: str | None = None
    mpp: float | tuple[float, float] | None = None
    roi: Region | None = None
    roi_polygons: tuple[tuple[tuple[float, float], ...], ...] = ()
    ignore_stain: bool = False
    workers: int = 0
    tile_px: int = 2000
    runtime: str = "auto"
    geojson: bool | None = None
    resume: bool = True
    marker: NuclearMarker | None = None

    def science(self) -> dict[str, Any]:
        """The part of the request that can change a file: neither folders, processes nor resume."""
        roi = self.roi
        nuclear = {"marker": self.marker} if self.stain == "nuclear-ihc" else {}
        return {
            **nuclear,
            "stain": self.stain,
            "classifier": self.classifier if self.stain == "her2-ihc" else None,
            "organ": self.organ,
            "specimen": self.specimen,
            "rule": self.rule,
            "mpp": list(self.mpp) if isinstance(self.mpp, tuple) else self.mpp,
            "roi": None if roi is None else [roi.x, roi.y, roi.width, roi.height],
            "roi_polygons": [[list(p) for p in ring] for ring in self.roi_polygons],
            "ignore_stain": self.ignore_stain,
            "tile_px": self.tile_px,
            "geojson": self.geojson,
        }

    def digest(self, *identity: str) -> str:
        """SHA-256 of the science, the slide's content key and the classifier's digest.

        Parameters
        ----------
        *identity : str
            What besides the request decides the bytes, in a fixed order.
        """
        text = json.dumps([self.science(), *identity], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
