"""``model.html``: all that is known of a model on one page that stands alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray
from PIL import Image

from napari_her2 import __version__
from napari_her2.errors import Her2Error
from napari_her2.layers.colours import STATUS
from napari_her2.messages import DEMO_MODEL, FIRST_RUN, NOTICE
from napari_her2.models.card import ModelCard
from napari_her2.models.installed import card_of
from napari_her2.reporting.model_figures import (
    FIGURES,
    estimate_text,
    figure_svg,
    history_svg,
)
from napari_her2.reporting.views import encode
from napari_her2.results.atomic import write_bytes
from napari_her2.stains.deconvolution import STAIN_VECTORS
from napari_her2.training.evaluation import Evaluation
from napari_her2.training.label_set import LabelSet
from napari_her2.training.predictions import PREDICTIONS, Predictions, read_predictions
from napari_her2.training.validation_record import read_audit
from napari_her2.types import RgbImage

__all__ = [
    "PAGE",
    "crop_picture",
    "label_set_pictures",
    "read_evaluation",
    "write_model_page",
    "write_page_of",
]

PAGE: Final = "model.html"

Pictures = Callable[[NDArray[np.int64]], Sequence[RgbImage | None]]
"""Rows of the label set to pictures of them; None where there is none."""

POOLED_NAMES: Final = {
    "f1_macro": "Macro F1",
    "balanced_accuracy": "Balanced accuracy",
    "accuracy": "Accuracy (common classes decide it)",
    "auc_macro": "Macro AUC",
    "ece": "Calibration error (15 bins)",
    "brier": "Brier score (0 to 2)",
    "log_loss": "Log loss (nats)",
}
"""How the figures of all classes together are called on the page and in the dock."""

FIGURE_TITLES: Final = {
    "matrix": "Confusion matrix: rows the truth, columns the class called",
    "roc": "ROC, each class against the rest",
    "pr": "Precision and recall",
    "mcc_f1": "MCC and F1 over all cuts",
    "calibration": "Calibration: bars count the predictions of each bin",
}
"""Captions of :data:`~napari_her2.reporting.model_figures.FIGURES`."""

_WORST: Final = 24
_MAX_BYTES: Final = 64 << 20


def write_model_page(model_folder: Path, pictures: Pictures | None = None) -> Path:
    """Write the page of a model into its folder.

    Parameters
    ----------
    model_folder : Path
        Holds ``card.json`` and, where the model was trained or tested here, ``evaluation.json``,
        ``predictions.parquet`` and ``training.json``.
    pictures : callable, optional
        Gives the pictures of the worst examples.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    BadModelError
        If there is no card.
    CannotWriteError, DiskFullError
        If it can't be written.
    """
    card = card_of(model_folder)
    training = _read(model_folder / "training.json")
    page = _render(
        title=f"Model {card.id}",
        card=card,
        document=_read(model_folder / "evaluation.json"),
        predictions=_predictions(model_folder / PREDICTIONS),
        pictures=pictures,
        history=training.get("history") or training.get("document", {}).get("history") or [],
        audit=read_audit(model_folder),
    )
    path = model_folder / PAGE
    write_bytes(path, page.encode("utf-8"))
    return path


def write_page_of(
    document: Mapping[str, Any], out: Path, pictures: Pictures | None = None
) -> Path:  # fmt: skip
    """Write the page of one evaluation beside its files.

    Parameters
    ----------
    document : mapping
        What ``evaluate`` gave.
    out : Path
        Folder that it was written to.
    pictures : callable, optional
        Gives the pictures of the worst examples.

    Returns
    -------
    Path
        The page.
    """
    name = document.get("model_id") or document.get("recipe") or "predictions"
    page = _render(
        title=f"Test of {name}", card=None, document=dict(document),
        predictions=_predictions(out / PREDICTIONS), pictures=pictures, history=[], audit=(),
        demo=document.get("model_status") == "synthetic-demo",
    )  # fmt: skip
    path = out / PAGE
    write_bytes(path, page.encode("utf-8"))
    return path


def read_evaluation(model_folder: Path) -> tuple[Evaluation, dict[str, Any]] | None:
    """The figures kept with a model, and the document they are in; None where there are none."""
    document = _read(model_folder / "evaluation.json")
    try:
        return Evaluation.from_json(document), document
    except (KeyError, TypeError, ValueError):
        return None


def crop_picture(crop: NDArray[np.uint8], levels: float = 100.0) -> RgbImage:
    """Colours of a crop of haematoxylin and DAB, in the published colours of both stains.

    Parameters
    ----------
    crop : ndarray of uint8, shape (h, w, 2) or (h, w, 3)
        Optical densities in steps of 1 / ``levels``; a crop with three channels is returned as it
        is.
    levels : float
        Grey levels per unit of optical density; see :mod:`napari_her2.cells.crops`.
    """
    if crop.shape[-1] == 3:
        return crop
    vectors = np.array([STAIN_VECTORS["haematoxylin"], STAIN_VECTORS["dab"]])
    density = crop.astype(np.float64) / levels @ vectors
    return np.asarray(np.rint(255 * 10**-density).clip(0, 255), np.uint8)


def label_set_pictures(labels: LabelSet) -> Pictures:
    """Pictures of the rows of a label set: crops in the colours of their stains, or tiles.

    Parameters
    ----------
    labels : LabelSet
        Its pixels are read only where they are asked for.
    """

    def pictures(rows: NDArray[np.int64]) -> list[RgbImage | None]:
        pixels = labels.crops() if labels.kind == "cells" else labels.tiles()
        return [crop_picture(np.asarray(pixels[r])) if 0 <= r < len(pixels) else None
                for r in rows]  # fmt: skip

    return pictures


def _render(
    *,
    title: str,
    card: ModelCard | None,
    document: dict[str, Any],
    predictions: Predictions | None,
    pictures: Pictures | None,
    history: Sequence[Mapping[str, Any]],
    audit: Sequence[Any],
    demo: bool = False,
) -> str:
    try:
        evaluation: Evaluation | None = Evaluation.from_json(document)
    except (KeyError, TypeError, ValueError):
        evaluation = None
    environment = Environment(
        loader=PackageLoader("napari_her2.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    figures = [] if evaluation is None else [
        {"uri": _svg_uri(figure_svg(evaluation, f)), "title": FIGURE_TITLES[f]} for f in FIGURES
    ]  # fmt: skip
    return environment.get_template("model_page.html.j2").render(
        title=title,
        notice=NOTICE,
        how_to_read=FIRST_RUN,
        demo=DEMO_MODEL if demo or (card is not None and card.is_demo) else None,
        card=card,
        standing=_standing(card),
        evaluation=evaluation,
        warnings=document.get("warnings", []),
        unit=document.get("unit", "examples"),
        part=document.get("part"),
        pooled=[] if evaluation is None else [
            (text, getattr(evaluation, name)) for name, text in POOLED_NAMES.items()
        ],
        figures=figures,
        worst=[] if predictions is None else _worst(predictions, pictures),
        history=_history(history),
        audit=audit,
        estimate=estimate_text,
        version=__version__,
    )  # fmt: skip


def _standing(card: ModelCard | None) -> str:
    if card is None:
        return ""
    if card.status == "user-validated-locally":
        return "A validation of this model has been recorded here; it stands below."
    return "Not validated here: no record says how often it is right on the slides of this site."


def _worst(predictions: Predictions, pictures: Pictures | None) -> list[dict[str, Any]]:
    chosen = predictions.worst(_WORST)
    shown: Sequence[RgbImage | None] = [None] * len(chosen)
    if pictures is not None and len(chosen):
        shown = pictures(predictions.row[chosen])
    names, called = predictions.classes, predictions.called
    found = []
    for i, picture in zip(chosen, shown, strict=True):
        where = str(predictions.slide[i])
        if np.isfinite(predictions.x_px[i]):
            where += f" {predictions.x_px[i]:.0f}, {predictions.y_px[i]:.0f} px"
        found.append({
            "truth": names[predictions.truth[i]],
            "called": names[called[i]],
            "probability": float(predictions.probs[i, called[i]]),
            "where": where.strip(),
            "uri": None if picture is None else _picture_uri(picture),
        })  # fmt: skip
    return found


def _picture_uri(rgb: RgbImage) -> str:
    image = Image.fromarray(np.ascontiguousarray(rgb))
    image.thumbnail((192, 192))
    return "data:image/jpeg;base64," + base64.b64encode(encode(image, "JPEG")).decode()


def _history(rows: Sequence[Mapping[str, Any]]) -> str | None:
    try:
        flat = [{**r, **(r.get("tune_metrics") or {}), **(r.get("tune") or {})} for r in rows]
        keys = {k for r in flat for k, v in r.items() if isinstance(v, int | float)}
        series = {"loss": "#F06000"} if "loss" in keys else {}
        for key in ("f1_macro", "macro_f1"):
            if key in keys:
                series[key] = STATUS["negative"]
        if len(flat) < 2 or not series:
            return None
        return _svg_uri(history_svg(flat, series))
    except (KeyError, TypeError, ValueError):
        return None


def _svg_uri(svg: str) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode("utf-8")).decode()


def _predictions(path: Path) -> Predictions | None:
    try:
        return read_predictions(path)
    except Her2Error:
        return None


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _MAX_BYTES:
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
