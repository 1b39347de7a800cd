"""What the Predict dock needs of the rest of the package; tests put fakes here."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from napari_her2.models.card import ModelCard
from napari_her2.models.protocols import SlideAggregator
from napari_her2.pipelines.events import CancelToken, Event
from napari_her2.pipelines.request import PredictRequest
from napari_her2.results.stored import StoredRun, find_runs, load_run

__all__ = ["PredictServices"]


def _predict(request: PredictRequest, cancel: CancelToken) -> Iterator[Event]:
    from napari_her2.pipelines.predict import predict

    return predict(request, cancel)


def _replay(run: StoredRun, slide: Path) -> Iterator[Event]:
    from napari_her2.pipelines.cached import replay_stored

    # Files are compared with their manifest before a number of them is shown.
    return replay_stored(load_run(run.folder), slide)


def _registry() -> Any:
    from napari_her2.models.registry import Registry

    return Registry()


def _aggregator(registry: Any, name: str) -> tuple[ModelCard, SlideAggregator | None]:
    from napari_her2.models.installed import aggregator_of

    installed = registry.resolve(name)
    return installed.card, aggregator_of(installed)


@dataclass(slots=True)
class PredictServices:
    """The pipeline, the models and the store, as functions.

    Attributes
    ----------
    predict : callable
        Request and cancel token to the generator of events.
    replay : callable
        Stored run and slide to the same events.
    registry : callable
        Makes the registry of models.
    aggregator : callable
        Registry and model name to card and slide-level part, without loading weights.
    find_runs : callable
        Results folder and slide id to the stored runs.
    """

    predict: Callable[[PredictRequest, CancelToken], Iterator[Event]] = field(default=_predict)
    replay: Callable[[StoredRun, Path], Iterator[Event]] = field(default=_replay)
    registry: Callable[[], Any] = field(default=_registry)
    aggregator: Callable[[Any, str], tuple[ModelCard, SlideAggregator | None]] = field(
        default=_aggregator
    )
    find_runs: Callable[[Path, str], list[StoredRun]] = field(default=find_runs)
