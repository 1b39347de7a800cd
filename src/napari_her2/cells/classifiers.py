"""Classifiers by name: the weight-free one, and the trained ones that are installed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from napari_her2.errors import ModelNotFoundError, UsageError
from napari_her2.models.architectures import TABLE_ARCHITECTURES
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS

if TYPE_CHECKING:
    from napari_her2.cells.membrane_cuts import Organ
    from napari_her2.cells.protocols import CellClassifier
    from napari_her2.models.card import ModelCard
    from napari_her2.models.registry import Registry

__all__ = ["DEFAULT_CLASSIFIER", "list_classifiers", "load_classifier"]

DEFAULT_CLASSIFIER: Final = "membrane"
"""Measures the membrane and needs no trained weights."""


def list_classifiers(registry: Registry | None = None) -> list[tuple[str, ModelCard | None]]:
    """What cells can be classified with.

    Returns
    -------
    list of (str, ModelCard or None)
        Names for :func:`load_classifier`, the default first; the weight-free one has no card.
    """
    found: list[tuple[str, ModelCard | None]] = [(DEFAULT_CLASSIFIER, None)]
    found += [(m.card.id, m.card) for m in _registry(registry).list() if m.card.is_cell_model]
    return found


def load_classifier(
    name: str = DEFAULT_CLASSIFIER,
    *,
    runtime: str = "auto",
    organ: Organ = "breast",
    threads: int | None = None,
    registry: Registry | None = None,
) -> CellClassifier:
    """Load a classifier of cells.

    Parameters
    ----------
    name : str
        ``membrane``, or the id of an installed cell model.
    runtime : str
        Where a network runs: ``auto`` (OpenVINO if installed, else torch), ``torch``,
        ``openvino``, ``torch-bf16`` or ``openvino-bf16``.
    organ : {"breast", "gea"}
        Whose guideline the weight-free classifier follows.
    threads : int, optional
        Threads that OpenVINO takes.
    registry : Registry, optional
        Where models come from.

    Raises
    ------
    ModelNotFoundError
        If there is no such classifier.
    UsageError, MissingExtraError
        If the model is none for cells, or the runtime is unknown or not installed.
    ModelIntegrityError, BadModelError
        If a file does not match the card or can't be used.
    """
    if name == DEFAULT_CLASSIFIER:
        from napari_her2.cells.membrane_classifier import MembraneClassifier

        return MembraneClassifier(organ=organ)
    models = _registry(registry)
    by_id = {m.card.id: m for m in models.list()}
    if name not in by_id:
        available = ", ".join(n for n, _ in list_classifiers(models))
        raise ModelNotFoundError("unknown_classifier", name=name[:80], available=available)
    model = by_id[name]
    if not model.card.is_cell_model:
        raise UsageError("no_cell_model", model=name)
    if model.card.architecture in CELL_NETWORKS:
        from napari_her2.cells.convnet import load_network_classifier

        return load_network_classifier(model, runtime, threads)
    if model.card.architecture in TABLE_ARCHITECTURES:
        from napari_her2.cells.handmade import load_feature_classifier

        return load_feature_classifier(model)
    raise UsageError("no_cell_model", model=name)


def _registry(registry: Registry | None) -> Registry:
    if registry is not None:
        return registry
    from napari_her2.models.registry import Registry

    return Registry()
