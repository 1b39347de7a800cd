"""Asks an installed model about the cells or tiles of a label set."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.protocols import CellClassifier
from napari_her2.errors import BadLabelSetError, CannotTrainError
from napari_her2.models.architectures import TABLE_ARCHITECTURES
from napari_her2.models.installed import InstalledModel
from napari_her2.models.protocols import TileModel
from napari_her2.models.registry import Registry
from napari_her2.training.label_set import LabelSet
from napari_her2.training.predictions import PREDICTIONS, Predictions, read_predictions

__all__ = ["AT_ONCE", "AskedRows", "asker", "rows_to_test", "truth_in"]

Rows = NDArray[np.intp]

AT_ONCE: Final = {"cells": 2048, "tiles": 32}
"""Rows in one go: often enough to stop, seldom enough to be quick."""

_RECORD: Final = "training.json"
_MPP_SLACK: Final = 0.05


@dataclass(frozen=True, slots=True)
class AskedRows:
    """Which rows of a label set are asked.

    Attributes
    ----------
    rows : ndarray of intp
        Row numbers.
    part : str
        ``test``, ``tune``, ``train`` or ``all``.
    own : bool
        Whether the model was made with this label set: then only the rows that it was tested on
        at its making were never learned from.
    """

    rows: Rows
    part: str
    own: bool = False


def rows_to_test(model: InstalledModel, labels: LabelSet, part: str | None = None) -> AskedRows:
    """Choose the rows of a test.

    Parameters
    ----------
    model : InstalledModel
        The model to be tested.
    labels : LabelSet
        What it is tested on.
    part : str, optional
        ``test``, ``tune``, ``train`` or ``all``. By default the test part; where the set has none,
        all that was not carried over from another section.

    Raises
    ------
    CannotTrainError
        If there is no such row.
    """
    drawn = ~labels.column("propagated").astype(np.bool_)
    own = _made_with(model, labels)
    if part in {None, "test"} and own is not None:
        return AskedRows(own, "test", own=True)
    if part is None:
        held = labels.rows("test")
        part, rows = ("test", held) if len(held) else ("all", np.flatnonzero(drawn))
    elif part == "all":
        rows = np.flatnonzero(drawn)
    else:
        rows = labels.rows(part)
    # Carried-over labels are as good as the registration was: nothing is tested on them.
    rows = rows[drawn[rows]]
    if not len(rows):
        raise CannotTrainError("nothing_to_test")
    return AskedRows(np.asarray(rows, np.intp), part, own=own is not None)


def _made_with(model: InstalledModel, labels: LabelSet) -> Rows | None:
    """Rows that the model was tested on at its making, if it was made with this very set."""
    try:
        record = json.loads((model.folder / _RECORD).read_text(encoding="utf-8"))
        if labels.digest not in json.dumps(record):
            return None
        rows = read_predictions(model.folder / PREDICTIONS).row
    except (OSError, ValueError):
        return None
    known = rows[(rows >= 0) & (rows < len(labels))]
    return np.asarray(known, np.intp) if len(known) else None


def truth_in(model: InstalledModel, labels: LabelSet, rows: Rows) -> NDArray[np.intp]:
    """Index of the true class of each row in the model's own classes.

    Raises
    ------
    CannotTrainError
        If a label has a class that the model does not know.
    """
    names = model.card.class_names
    present = np.unique(labels.labels[rows])
    unknown = [labels.classes[i] for i in present if labels.classes[i] not in names]
    if unknown:
        raise CannotTrainError(
            "class_not_known", model=model.card.id, name=unknown[0], available=", ".join(names)
        )
    place = np.array([names.index(c) if c in names else -1 for c in labels.classes], np.intp)
    return np.asarray(place[labels.labels[rows]], np.intp)


def asker(
    model: InstalledModel, labels: LabelSet, registry: Registry | None = None
) -> Callable[[Rows], Predictions]:
    """Load the model and make ready to ask it about rows of a label set.

    Parameters
    ----------
    model : InstalledModel
        Cells need a model of cells, tiles one of tiles of the same size.
    labels : LabelSet
        Where the pixels and measurements come from.
    registry : Registry, optional
        Where the model is installed.

    Returns
    -------
    callable
        Row numbers to predictions; best asked for :data:`AT_ONCE` rows at a time.

    Raises
    ------
    CannotTrainError, BadLabelSetError
        If the model can't be asked about these labels.
    """
    load = _of_cells if labels.kind == "cells" else _of_tiles
    ask = load(model, labels, registry or Registry())
    slide, split = (labels.column(name).astype(str) for name in ("slide", "split"))
    x, y = (labels.column(name).astype(np.float64) for name in ("x_px", "y_px"))

    def answer(rows: Rows) -> Predictions:
        truth = truth_in(model, labels, rows)
        probs = np.asarray(ask(rows), np.float64)
        return Predictions(
            model.card.class_names, truth, probs, slide[rows], split[rows], x[rows], y[rows],
            rows.astype(np.int64),
        )  # fmt: skip

    return answer


def _of_cells(
    model: InstalledModel, labels: LabelSet, registry: Registry
) -> Callable[[Rows], NDArray[Any]]:
    del registry
    if not model.card.is_cell_model:
        raise CannotTrainError("other_kind", model=model.card.id, made_for="tiles", given="cells")
    from napari_her2.cells.table import CellTable

    classifier = _classifier(model)
    features = dict(zip(labels.feature_names, labels.features().T, strict=True))
    x, y = labels.column("x_px"), labels.column("y_px")
    crops = labels.crops(classifier.channels or "stains") if classifier.needs_crops else None

    def ask(rows: Rows) -> NDArray[Any]:
        columns = {"x_px": x[rows], "y_px": y[rows]}
        table = CellTable(columns | {name: column[rows] for name, column in features.items()})
        return classifier.classify(table, None if crops is None else np.asarray(crops[rows]))

    return ask


def _classifier(model: InstalledModel) -> CellClassifier:
    """Loaded from its folder, so that a model can be tested before it is installed."""
    if model.card.architecture in TABLE_ARCHITECTURES:
        from napari_her2.cells.handmade import load_feature_classifier

        return load_feature_classifier(model)
    from napari_her2.cells.convnet import load_network_classifier

    return load_network_classifier(model)


def _of_tiles(
    model: InstalledModel, labels: LabelSet, registry: Registry
) -> Callable[[Rows], NDArray[Any]]:
    card = model.card
    if card.is_cell_model:
        raise CannotTrainError("other_kind", model=card.id, made_for="cells", given="tiles")
    same_mpp = abs(labels.tile_mpp / card.spacing_um_px - 1) <= _MPP_SLACK
    if labels.tile_px != card.patch_size_pixels or not same_mpp:
        raise CannotTrainError(
            "other_tiles", model=card.id,
            needed=f"{card.patch_size_pixels} px of {card.spacing_um_px:g} µm",
            given=f"{labels.tile_px} px of {labels.tile_mpp:g} µm",
        )  # fmt: skip
    if labels.stain != card.stain:
        raise BadLabelSetError(
            "other_stain", name=labels.name, stain=labels.stain, model=card.id, needed=card.stain
        )
    if model.is_torchscript:
        # Program code runs only through the registry, which asks for trust.
        tile_model: TileModel = registry.load(card.id).tile_model
    else:
        from napari_her2.models.tile_models import load_tile_model

        tile_model = load_tile_model(card, model.folder)
    return lambda rows: tile_model.predict(np.ascontiguousarray(labels.tiles(rows)))
