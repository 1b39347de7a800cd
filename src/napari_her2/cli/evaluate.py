"""``evaluate``: the figures of a model, each under its own name and with its interval."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["evaluate_command"]

_RECIPES = ("cells-svm", "cells-rf")


@click.command(
    "evaluate",
    epilog=(
        "Example: napari-her2 evaluate her2-lab-1 --data labels/her2-cells-v3 "
        "(or: napari-her2 evaluate --data labels/her2-cells-v3 --cv slide)"
    ),
)
@click.argument("model", required=False)
@click.option(
    "--data",
    type=click.Path(path_type=Path),
    help="Label set, or predictions.parquet; the model's own predictions where left out.",
)
@click.option(
    "--part",
    type=click.Choice(["test", "tune", "train", "all"]),
    help="Which part of the labels; the test part where there is one.",
)
@click.option(
    "--cv",
    type=click.Choice(["slide", "tile", "patient"]),
    help="Cross-validate recipes on the labels instead, never parting these.",
)
@click.option(
    "--recipe",
    "recipes",
    type=click.Choice(_RECIPES),
    multiple=True,
    help="What is cross-validated; several are compared by paired t-test. Both where left out.",
)
@click.option("--folds", type=click.IntRange(2, 100), default=10, show_default=True)
@click.option("--temperature", is_flag=True, help="Fit a temperature on the tuning part first.")
@click.option("--n-boot", type=click.IntRange(10, 100_000), default=1000, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for evaluation.json, predictions.parquet and the page model.html.",
)
@json_option
def evaluate_command(
    model: str | None,
    data: Path | None,
    part: str | None,
    cv: str | None,
    recipes: tuple[str, ...],
    folds: int,
    temperature: bool,
    n_boot: int,
    seed: int,
    out: Path | None,
    as_json: bool,
) -> int:
    """Test MODEL on labels it has not learned from.

    Each figure stands under its own name with its 95 % interval: AUC, average precision,
    precision, recall and F1 of each class; macro F1, balanced accuracy, accuracy, calibration error
    and Brier score of all. Slides are drawn with replacement wherever there are five or more.
    """
    with clean_stdout():
        from napari_her2.cli.app import CANCELLED
        from napari_her2.cli.progress import ProgressLine
        from napari_her2.cli.signals import cancel_on_interrupt
        from napari_her2.errors import UsageError
        from napari_her2.pipelines.evaluate import EvaluateRequest, evaluate_model
        from napari_her2.pipelines.events import Outcome

        if model is None and data is None:
            raise UsageError("usage", detail="Name a model, or give labels with --data.")
        request = EvaluateRequest(
            model, data, part, cv, recipes or _RECIPES,  # type: ignore[arg-type]
            folds, temperature, n_boot, seed, out,
        )  # fmt: skip
        outcome = None
        with cancel_on_interrupt() as token, ProgressLine() as line:
            for event in evaluate_model(request, token):
                line.show(event)
                if isinstance(event, Outcome):
                    outcome = event
        assert outcome is not None
        if outcome.error is not None:
            raise outcome.error
        if outcome.status == "cancelled":
            click.echo("Cancelled: nothing was written.", err=True)
            return CANCELLED
        document = dict(outcome.document)
        if out is not None:
            document["page"] = _write_page(document, data, out)
    emit(document, _lines(document), as_json=as_json)
    return 0


def _write_page(document: Mapping[str, Any], data: Path | None, out: Path) -> Path:
    """Write ``model.html``; with pictures of the worst examples where the labels hold them."""
    from napari_her2.reporting.model_page import label_set_pictures, write_page_of
    from napari_her2.training.label_set import LabelSet

    pictures = None
    if data is not None and data.is_dir():
        pictures = label_set_pictures(LabelSet.read(data, verify=False))
    return write_page_of(document, out, pictures)


def _lines(document: Mapping[str, Any]) -> list[str]:
    from napari_her2.reporting.model_figures import estimate_text

    shown = document["metrics"]
    drawn = "slides" if document["resampled"] == "group" else "single examples"
    who = document.get("recipe") or document.get("model_id") or "predictions"
    lines = [
        (
            f"{who}: n = {document['n']}, {document['n_groups']} slides, part: {document['part']}; "
            f"intervals over {drawn} ({document['n_boot']} resamples)"
        )
    ]
    for name in (
        "f1_macro", "balanced_accuracy", "accuracy", "auc_macro", "ece", "brier",
    ):  # fmt: skip
        figure = shown[name]
        lines.append(f"  {name:<20} {estimate_text(figure['value'], figure['ci95'])}")
    width = max(len(c["name"]) for c in document["classes"])
    lines.append(f"  {'':<{width}}  {'n':>6}  F1                 AUC                AP")
    for c in document["classes"]:
        cells = [shown[f"{figure} {c['name']}"] for figure in ("f1", "auc", "average_precision")]
        texts = [f"{estimate_text(v['value'], v['ci95']):<18}" for v in cells]
        lines.append(f"  {c['name']:<{width}}  {c['support']:>6}  {' '.join(texts)}".rstrip())
    for test in document.get("comparisons", ()):
        p = "undefined" if test["p"] is None else _p_text(test["p"])
        corrected = "" if test["p_holm"] is None else f", Holm {_p_text(test['p_holm'])}"
        difference = test["difference"]
        lines.append(
            f"  {test['metric']}: {test['a']} - {test['b']} = {difference:+.3f}, paired t-test "
            f"p {p}{corrected} ({test['folds']} folds)"
        )
    return [*lines, *(f"  Note: {w}" for w in document["warnings"])]


def _p_text(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.2g}"
