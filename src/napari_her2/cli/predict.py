"""``predict``: select tiles, score them, aggregate to the slide."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_her2.cli.options import SLIDE, json_option, mpp_option, roi_option
from napari_her2.cli.output import clean_stdout, emit
from napari_her2.types import BIOMARKERS

if TYPE_CHECKING:
    from napari_her2.geometry import Region

__all__ = ["predict_command"]


@click.command(
    "predict",
    epilog="Example: napari-her2 predict slide.svs --model ER --model PR --model HER2 "
    "--out results",
)
@click.argument("slides", nargs=-1, required=True, type=SLIDE)
@click.option(
    "--model", "models", multiple=True, default=BIOMARKERS, show_default="ER, PR and HER2",
    help="Id of an installed model, or a biomarker. May be given several times.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the results."
)
@mpp_option
@roi_option
@click.option("--stride-um", type=click.FloatRange(min=0, min_open=True),
              help="Side of a heatmap cell in µm.")  # fmt: skip
@click.option("--threshold", type=click.FloatRange(0, 1), help="Replaces the models' threshold t.")
@click.option("--device", default="auto", show_default=True, help="auto, cpu or cuda.")
@click.option(
    "--ignore-stain", is_flag=True,
    help="Run although the stain looks wrong for the model; recorded in the result.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(0, 256), default=0, show_default=True,
              help="Local processes for several slides; opens no port.")  # fmt: skip
@click.option("--scheduler", help="Address of a dask scheduler, tls://HOST:PORT.")
@click.option("--insecure-scheduler", is_flag=True,
              help="Allow a scheduler without TLS, on a network you trust.")  # fmt: skip
@click.option("--no-resume", is_flag=True, help="Start a new run; keep nothing of an earlier one.")
@json_option
def predict_command(
    slides: tuple[Path, ...],
    models: tuple[str, ...],
    out: Path,
    mpp: float | tuple[float, float] | None,
    roi: Region | None,
    stride_um: float | None,
    threshold: float | None,
    device: str,
    ignore_stain: bool,
    workers: int,
    scheduler: str | None,
    insecure_scheduler: bool,
    no_resume: bool,
    as_json: bool,
) -> int:
    """Predict ER, PR and HER2 from H&E slides: heatmaps and a probability per slide.

    A stopped run (Ctrl+C) keeps what is done; the same command goes on from there.
    """
    with clean_stdout():
        from napari_her2.pipelines.request import PredictRequest

        requests = [
            PredictRequest(
                slide=slide,
                model_ids=tuple(models),
                out=out,
                mpp=mpp,
                roi=roi,
                stride_um=stride_um,
                threshold=threshold,
                ignore_stain=ignore_stain,
                device=device,
                resume=not no_resume,
            )
            for slide in slides
        ]
        from napari_her2.cli.running import run_requests

        documents, code = run_requests(
            requests,
            workers=workers,
            scheduler=scheduler or os.environ.get("NAPARI_HER2_SCHEDULER"),
            insecure=insecure_scheduler,
        )
    any_result = any(d["status"] != "failed" for d in documents)
    emit(_document(documents), _lines(documents), as_json=as_json, result=any_result)
    return code


def _document(documents: list[dict[str, Any]]) -> dict[str, Any]:
    """One slide: its keys at the top. Always: every slide under ``slides``."""
    top = documents[0] if len(documents) == 1 else {}
    return {**top, "slides": documents}


def _lines(documents: list[dict[str, Any]]) -> list[str]:
    from napari_her2.reporting.words import slide_lines

    return [line for document in documents for line in slide_lines(document)]
