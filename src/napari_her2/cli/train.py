"""``train``: from a label set to a model that predict and cells take at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import click

from napari_her2.cli.app import CANCELLED
from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["train"]

LATER: Final = {
    "mil": "Attention over bags of tiles (mil)",
    "ihc-tiles": "The tile network on IHC (ihc-tiles)",
    "cancer-detector": "The cancer detector (cancer-detector)",
}
"""What is not there yet, so that whoever asks gets a sentence and not a list of options."""

_CELLS: Final = {"convnet": "cells-convnet", "svm": "cells-svm", "rf": "cells-rf"}


class _Group(click.Group):
    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in LATER:
            from napari_her2.errors import UsageError

            raise UsageError(
                "usage",
                detail=f"{LATER[cmd_name]} can't be trained with this version: "
                "choose cells, stage1 or stage2.",
            )
        return super().get_command(ctx, cmd_name)


@click.group(
    "train",
    cls=_Group,
    epilog="Example: napari-her2 train cells labels/her2-cells --out models/lab-cells",
)
def train() -> None:
    """Train a model from labels: cells, tiles (stage1), or slides (stage2).

    The model is written to a folder and installed, so that predict and cells take it by its id. A
    run that stopped (Ctrl+C, a crash) goes on with the same command.
    """


def _shared(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--out", type=click.Path(path_type=Path), required=True,
                         metavar="MODEL_DIR", help="The model folder to be written."),
            click.option("--name", default="", help="Name of the model; its id is made of it."),
            click.option("--seed", type=int, default=1, show_default=True,
                         help="Of weights, order, augmentation and folds."),
            click.option("--no-resume", is_flag=True,
                         help="Start over; keep nothing of an earlier run into this folder."),
            click.option("--no-install", is_flag=True,
                         help="Only write the folder; do not add it to the installed models."),
            json_option,
        ]
    ):  # fmt: skip
        command = option(command)
    return command


def _network(command: Any) -> Any:
    for option in reversed(
        [
            click.option("--test-by", type=click.Choice(["slide", "tile", "patient"]),
                         help="Split anew by this; by default as the label set is split."),
            click.option("--epochs", type=click.IntRange(1, 10_000), help="At most so many."),
            click.option("--augment", type=click.Choice(["auto", "none", "geometry", "full"]),
                         default="auto", show_default=True,
                         help="Turned and mirrored (geometry); stained differently too (full)."),
            click.option("--balance/--no-balance", default=None,
                         help="Draw the classes equally often; by default as the recipe does."),
            click.option("--start-from", metavar="MODEL",
                         help="Id of an installed model, a safetensors file, or an address."),
            click.option("--start-sha256", default="", metavar="HEX",
                         help="What the file at an address must hash to."),
            click.option("--download", is_flag=True, help="Allow fetching --start-from."),
            click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto",
                         show_default=True, help="auto = every CUDA device there is."),
            click.option("--precision", type=click.Choice(["auto", "32", "bf16", "16"]),
                         default="auto", show_default=True,
                         help="auto = mixed where the hardware is faster by it."),
            click.option("--threads", type=click.IntRange(1, 256),
                         help="Of the processor; by default all cores."),
            click.option("--max-minutes", type=click.FloatRange(min=0, min_open=True),
                         help="End at the end of the epoch after so long."),
        ]
    ):  # fmt: skip
        command = option(command)
    return command


@train.command(
    "cells",
    epilog="Example: napari-her2 train cells labels/her2-cells --out models/lab-cells "
    "--recipe convnet",
)
@click.argument("label_set", type=click.Path(path_type=Path))
@click.option("--recipe", type=click.Choice(sorted(_CELLS)), default="convnet", show_default=True,
              help="Network of 466,283 parameters, linear SVM, or random forest.")  # fmt: skip
@click.option("--mode", type=click.Choice(["quick", "paper"]), default="quick", show_default=True,
              help="paper = 70 epochs at a fixed rate, crops as they are.")  # fmt: skip
@click.option("--membrane", is_flag=True,
              help="Give the network the measured membrane beside the crop.")  # fmt: skip
@_network
@_shared
def cells_command(recipe: str, **given: Any) -> int:
    """Train a classifier of cells in HER2 IHC (Vandenberghe 2017)."""
    return _train(_CELLS[recipe], **given)


@train.command(
    "stage1",
    epilog="Example: napari-her2 train stage1 labels/er-tiles --out models/lab-er --biomarker ER",
)
@click.argument("label_set", type=click.Path(path_type=Path))
@click.option("--biomarker", type=click.Choice(["ER", "PR", "HER2"]),
              help="What the model is for; by default as the classes say.")  # fmt: skip
@click.option("--mode", type=click.Choice(["quick", "paper"]), default="quick", show_default=True,
              help="paper = whole tiles as they come, Adam at a fixed rate.")  # fmt: skip
@click.option("--width", type=click.FloatRange(0.05, 2.0),
              help="Width of Inception-V3, 1 as published; by default 0.25, or that of the "
              "weights it starts from.")  # fmt: skip
@click.option("--stain-normalise", is_flag=True,
              help="Bring the colours of every slide to those of one reference.")  # fmt: skip
@_network
@_shared
def stage1_command(**given: Any) -> int:
    """Train a tile model on H&E (Gamble 2021, stage 1)."""
    return _train("stage1", **given)


@train.command(
    "stage2",
    epilog="Example: napari-her2 train stage2 status.csv --scores results --model lab-er "
    "--biomarker ER --out models/lab-er-slides",
)
@click.argument("label_set", metavar="TABLE", type=click.Path(path_type=Path))
@click.option("--scores", type=click.Path(path_type=Path), required=True,
              help="Runs of predict (their folder), or a table of tile probabilities.")  # fmt: skip
@click.option("--model", required=True, metavar="ID",
              help="The tile model whose slide level is fitted.")  # fmt: skip
@click.option("--biomarker", type=click.Choice(["ER", "PR", "HER2"]),
              help="By default that of the tile model.")  # fmt: skip
@_shared
def stage2_command(**given: Any) -> int:
    """Fit the slide level of a tile model (Gamble 2021, stage 2).

    TABLE has the columns slide and status (positive or negative, 1 or 0), and patient or block
    where slides belong together.
    """
    return _train("stage2", **given)


def _train(
    recipe: Any,
    *,
    no_resume: bool,
    no_install: bool,
    as_json: bool,
    max_minutes: float | None = None,
    **given: Any,
) -> int:
    with clean_stdout():
        from napari_her2.pipelines.train_request import TrainRequest

        seconds = None if max_minutes is None else max_minutes * 60
        request = TrainRequest(
            recipe=recipe, resume=not no_resume, install=not no_install, max_seconds=seconds,
            **given,
        )  # fmt: skip
        document, code = _run(request)
        if document.get("metrics"):
            document["page"] = _page(request, Path(document["folder"]))
    if document["status"] != "failed":
        emit(document, _lines(document), as_json=as_json)
    elif as_json:
        emit(document, (), as_json=True, result=False)
    return code


def _run(request: Any) -> tuple[dict[str, Any], int]:
    from napari_her2.cli.signals import cancel_on_interrupt
    from napari_her2.pipelines.events import Outcome, Progress
    from napari_her2.pipelines.train import EpochDone, train_model

    with cancel_on_interrupt() as token:
        for event in train_model(request, token):
            if isinstance(event, EpochDone):
                click.echo(_epoch_line(event), err=True)
            elif isinstance(event, Progress):
                continue
            elif isinstance(event, Outcome):
                document = dict(event.document)
                if event.error is not None:
                    click.echo(event.error.sentence, err=True)
                    return document, event.error.exit_code
                if document.get("sentence"):
                    click.echo(document["sentence"], err=True)
                return document, 0 if event.status == "completed" else CANCELLED
    raise AssertionError("a training run ended without an outcome")


def _page(request: Any, folder: Path) -> str | None:
    """Write the model's page; a model without its page is a model all the same."""
    from napari_her2.errors import Her2Error
    from napari_her2.reporting.model_page import label_set_pictures, write_model_page
    from napari_her2.training.label_set import LabelSet

    try:
        pictures = None
        if request.recipe != "stage2":
            pictures = label_set_pictures(LabelSet.read(request.label_set, verify=False))
        return str(write_model_page(folder, pictures))
    except Her2Error as error:
        click.echo(error.sentence, err=True)
        return None


def _epoch_line(event: Any) -> str:
    from napari_her2.reporting.words import duration_text

    figures = ", ".join(f"{k.replace('_', ' ')} {v:.3f}" for k, v in event.tune_metrics.items())
    text = f"epoch {event.epoch} of {event.epochs}: loss {event.loss:.3f}"
    if figures:
        text += f"; tuning {figures}"
    if event.seconds_left is not None and event.seconds_left >= 1:
        text += f"; about {duration_text(round(event.seconds_left))} left"
    return text


def _lines(document: dict[str, Any]) -> Iterator[str]:
    """What a person reads: figures with intervals and n, where the model is, what is doubtful."""
    if not document["metrics"]:
        yield f"{document['model_id']}: no model yet"
        return
    yield f"{document['model_id']}: {document['folder']}"
    if document.get("page"):
        yield f"its page: {document['page']}"
    part = document.get("measured_on", "test")
    n = document["splits"].get(part, {}).get("n")
    where = "kept apart for the test" if part == "test" else "it was trained on"
    for key, title in (("f1_macro", "macro F1"), ("auc_macro", "macro AUC"), ("auc", "slide AUC"),
                       ("accuracy", "accuracy")):  # fmt: skip
        figure = document["metrics"].get(key)
        if figure and figure["value"] is not None:
            low, high = figure["ci95"] or (None, None)
            text = f"{title} {figure['value']:.2f}"
            if low is not None:
                text += f" ({low:.2f}-{high:.2f})"
            yield f"{text}, {n} {document.get('unit', 'items')} {where}"
    yield from document["warnings"]
