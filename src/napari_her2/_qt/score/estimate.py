"""How much tissue a run would look at, and how long that takes here: no pixel is read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import cv2
import numpy as np
import psutil

from napari_her2._qt import numbers
from napari_her2._qt.rates import known_rate
from napari_her2._qt.score.request_form import ScoreForm, to_request
from napari_her2._qt.texts import ui
from napari_her2.errors import Her2Error

if TYPE_CHECKING:
    from napari.components import ViewerModel

    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["RATE", "estimate_text", "tissue_asked", "workers_for"]

RATE = "cells/mm2_per_second"
"""Kind of rate that is remembered from run to run."""


WORTH_PROCESSES_MM2 = 10.0
"""From this area on the start of worker processes (2 to 3 s each) is soon made up for."""

_MEMORY_EACH = 1.5 * 2**30


def workers_for(area_mm2: float | None) -> int:
    """How many processes share the work; 0 = none besides the window's own.

    Parameters
    ----------
    area_mm2 : float or None
        Tissue to look at. The result does not depend on the number of processes.
    """
    if area_mm2 is None or area_mm2 < WORTH_PROCESSES_MM2:
        return 0
    by_memory = int(psutil.virtual_memory().available / _MEMORY_EACH)
    return max(0, min(os.cpu_count() or 1, by_memory, 8))


def tissue_asked(form: ScoreForm, entry: OpenSlide, viewer: ViewerModel) -> float | None:
    """Usable tissue in what the form asks for, mm2; None where it can't be told yet."""
    if entry.survey is None or entry.mpp is None:
        return None
    try:
        request = to_request(form, entry, viewer)
    except Her2Error:
        return None
    tissue = entry.survey.tissue
    usable = tissue.usable
    dx, dy = tissue.downsample
    if request.roi is not None:
        rows, cols = usable.shape
        left, right = (int(np.clip(v / dx, 0, cols)) for v in (request.roi.x, request.roi.right))
        top, bottom = (int(np.clip(v / dy, 0, rows)) for v in (request.roi.y, request.roi.bottom))
        n = int(usable[top : max(bottom, top + 1), left : max(right, left + 1)].sum())
    elif request.roi_polygons:
        inside = np.zeros(usable.shape, np.uint8)
        for ring in request.roi_polygons:
            corners = np.rint(np.asarray(ring) / (dx, dy)).astype(np.int32)
            cv2.fillPoly(inside, [corners], 1)
        n = int((usable & (inside > 0)).sum())
    else:
        n = int(usable.sum())
    return n * dx * dy * entry.mpp.x * entry.mpp.y / 1e6


def estimate_text(form: ScoreForm, entry: OpenSlide, viewer: ViewerModel) -> str:
    """``41 mm2 · about 2 min here (CPU)``; empty where it can't be told yet."""
    area = tissue_asked(form, entry, viewer)
    if area is None:
        return ""
    text = ui("estimate_area", area=numbers.area_mm2(area))
    rate = known_rate(f"{RATE}/{form.stain}/{form.classifier}")
    if not rate or not area:
        return text
    return f"{text} · {numbers.estimate(area / rate, ui('device_cpu'))}"
