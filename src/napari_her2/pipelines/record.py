"""What ``run.json`` says of a run besides its scores."""

from __future__ import annotations

from typing import Any

from napari_her2.pipelines.plan import Plan
from napari_her2.pipelines.request import PredictRequest
from napari_her2.slides.base import Slide

__all__ = ["run_facts"]


def run_facts(request: PredictRequest, slide: Slide, quickhash: str, plan: Plan) -> dict[str, Any]:
    """Request, slide identity, models and device of a run.

    The slide is named by its file name, not its path: run folders are handed on.
    """
    mpp = slide.mpp
    return {
        "command": "predict",
        "request": request.science(),
        "slide": {
            "name": slide.path.name,
            "slide_id": slide.slide_id,
            "width": slide.size.width,
            "height": slide.size.height,
            "quickhash": quickhash,
            "mpp": None if mpp is None else {"x": mpp.x, "y": mpp.y, "source": mpp.source},
        },
        "models": [
            {
                "id": m.card.id,
                "version": m.card.version,
                "biomarker": m.card.biomarker,
                "status": m.card.status,
                "sha256": m.card.weights_sha256,
                "digest": plan.digests[m.card.id],
            }
            for m in plan.models
        ],
        "device": plan.device,
        "batch_size": plan.batch_size,
        "stain_override": request.ignore_stain,
    }
