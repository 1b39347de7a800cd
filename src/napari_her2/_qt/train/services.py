"""What the Train dock needs of the rest of the package; tests put fakes here."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from napari_her2._qt.train.model_result import ModelResult, load_result
from napari_her2.models.card import ModelCard
from napari_her2.pipelines.events import CancelToken
from napari_her2.pipelines.train_request import TrainRequest
from napari_her2.settings import get_settings

__all__ = ["SetEntry", "TrainServices", "label_sets_folder"]

_MARKER: Final = "labelset.json"
_LARGEST: Final = 64 << 20


@dataclass(frozen=True, slots=True)
class SetEntry:
    """A label set as the list shows it.

    Attributes
    ----------
    path : Path
        Its folder.
    title : str
        Name and version.
    """

    path: Path
    title: str


def label_sets_folder() -> Path:
    """Where label sets made in the window are kept."""
    return get_settings().data_dir / "label_sets"


def _label_sets() -> list[SetEntry]:
    """Finished label sets of this user, the newest first."""
    found = []
    for marker in label_sets_folder().glob(f"*/{_MARKER}"):
        entry = entry_of(marker.parent)
        if entry is not None:
            found.append((marker.stat().st_mtime, entry))
    return [entry for _, entry in sorted(found, key=lambda f: (-f[0], f[1].title))]


def entry_of(folder: Path) -> SetEntry | None:
    """How a label set is called; None where there is none."""
    try:
        marker = folder / _MARKER
        if marker.stat().st_size > _LARGEST:
            return None
        info = json.loads(marker.read_text(encoding="utf-8"))
        return SetEntry(folder, f"{info['name']} v{int(info['version'])}")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _free_name(wanted: str) -> str:
    """A name that no model and no training of this user has yet: ``her2-lab-1``, ``her2-lab-2``."""
    from napari_her2.models.wsinfer import slug

    data = get_settings().data_dir
    base = slug(wanted)[:52]
    for number in range(1, 10_000):
        name = f"{base}-{number}"
        if not any((data / folder / name).exists() for folder in ("models", "training")):
            return name
    return base


def _read_set(path: Path) -> Any:
    from napari_her2.training.label_set import LabelSet

    # Training compares every file with its checksum; for the summary the sizes will do.
    return LabelSet.read(path, verify=False)


def _train(request: TrainRequest, cancel: CancelToken, pause: CancelToken) -> Iterator[Any]:
    from napari_her2.pipelines.train import train_model

    return train_model(request, cancel, pause)


def _unfinished() -> Sequence[Any]:
    from napari_her2.pipelines.train import unfinished

    return unfinished()


def _cards() -> list[ModelCard]:
    from napari_her2.models.registry import Registry

    return [m.card for m in Registry().list()]


def _record(folder: Path, **given: Any) -> ModelCard:
    from napari_her2.training.validation_record import record_validation

    return record_validation(folder, **given)


def _use(card: ModelCard) -> None:
    """Make a model of tiles the one that its biomarker means."""
    from napari_her2.models.registry import Registry

    if not card.is_cell_model and card.biomarker is not None:
        Registry().set_default(card.biomarker, card.id)


def _page(folder: Path, label_set: Any) -> Path:
    from napari_her2.reporting.model_page import write_model_page

    return write_model_page(folder, None if label_set is None else _pictures(label_set))


def _pictures(label_set: Any) -> Callable[[Any], Sequence[Any]]:
    from napari_her2.reporting.model_page import label_set_pictures

    return label_set_pictures(label_set)


@dataclass(frozen=True, slots=True)
class TrainServices:
    """Label sets, the pipeline and the models, as functions.

    Attributes
    ----------
    label_sets : callable
        The label sets there are.
    read_set : callable
        Folder to label set.
    train : callable
        Request, cancel and pause tokens to the generator of events.
    unfinished : callable
        Trainings that stopped before their end.
    cards : callable
        Cards of the installed models.
    load : callable
        Folder of a model to what the dock shows of it.
    record : callable
        Writes a validation onto a model's card.
    use : callable
        Makes a model the one that its dock takes.
    free_name : callable
        A name that is not taken, made of another.
    page : callable
        Writes the page of a model.
    pictures : callable
        Label set to a function of rows to pictures.
    """

    label_sets: Callable[[], list[SetEntry]] = _label_sets
    read_set: Callable[[Path], Any] = _read_set
    train: Callable[[TrainRequest, CancelToken, CancelToken], Iterator[Any]] = _train
    unfinished: Callable[[], Sequence[Any]] = _unfinished
    cards: Callable[[], list[ModelCard]] = _cards
    load: Callable[[Path], ModelResult] = load_result
    record: Callable[..., ModelCard] = _record
    use: Callable[[ModelCard], None] = _use
    free_name: Callable[[str], str] = _free_name
    page: Callable[[Path, Any], Path] = _page
    pictures: Callable[[Any], Callable[[Any], Sequence[Any]]] = _pictures
