"""Which pipeline a request is for, so that slides can be run without knowing what is asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from napari_her2.errors import Her2Error
from napari_her2.pipelines.cells_document import blank_cells_document
from napari_her2.pipelines.cells_events import CellsEvent
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.document import blank_document
from napari_her2.pipelines.events import CancelToken, Event
from napari_her2.pipelines.plan import ModelSource
from napari_her2.pipelines.request import PredictRequest
from napari_her2.types import RunStatus

__all__ = ["AnyEvent", "Request", "blank_of", "events_of"]

Request = PredictRequest | CellsRequest
AnyEvent = Event | CellsEvent


def events_of(
    request: Request, cancel: CancelToken, registry: ModelSource | None, *, probe: bool
) -> Iterator[AnyEvent]:
    """Run the pipeline of a request.

    Of cells only progress and outcome are told: whoever runs several slides wants their documents.
    """
    if isinstance(request, CellsRequest):
        from napari_her2.pipelines.cells import score_cells

        yield from score_cells(request, cancel, probe=probe, partials=False)
    else:
        from napari_her2.pipelines.predict import predict

        yield from predict(request, cancel, registry, probe=probe)


def blank_of(request: Request, status: RunStatus, error: Her2Error | None = None) -> dict[str, Any]:
    """The document of a slide before anything is known of it."""
    if isinstance(request, CellsRequest):
        return blank_cells_document(request, status, error)
    return blank_document(request.slide, status, error)
