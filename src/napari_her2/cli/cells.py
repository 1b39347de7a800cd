"""``cells``: detect cells, classify each, score the case."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_her2.cli.options import SLIDE, json_option, mpp_option, roi_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from napari_her2.geometry import Region

__all__ = ["cells_command"]


@click.command(
    "cells",
    epilog="Example: napari-her2 cells core.jpg --stain her2-ihc --organ gea --mpp 0.23 "
    "--out results",
)
@click.argument("slides", nargs=-1, required=True, type=SLIDE)
@click.option(
    "--stain", type=click.Choice(["her2-ihc", "nuclear-ihc", "he"]), default="her2-ihc",
    show_default=True,
    help="What is looked for: HER2 membranes, brown nuclei (ER, PR, Ki67), or nuclei in H&E.",
)  # fmt: skip
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, help="Folder for the results."
)
@click.option(
    "--classifier", default="membrane", show_default=True, metavar="ID",
    help="membrane (measurement, no weights) or the id of an installed cell model; HER2 only.",
)  # fmt: skip
@click.option("--organ", type=click.Choice(["breast", "gea"]), default="breast",
              show_default=True, help="gea = gastro-oesophageal adenocarcinoma.")  # fmt: skip
@click.option("--specimen", type=click.Choice(["resection", "biopsy"]), default="resection",
              show_default=True, help="Counts for gea.")  # fmt: skip
@click.option("--rule", metavar="R",
              help="Rule whose score stands first; by default the usual one.")  # fmt: skip
@click.option("--marker", type=click.Choice(["ER", "PR", "Ki67"]),
              help="What nuclear-ihc shows; ER and PR then get a status.")  # fmt: skip
@mpp_option
@roi_option
@click.option("--runtime", default="auto", show_default=True,
              help="What runs a network: auto, torch, openvino, or a bf16 variant.")  # fmt: skip
@click.option("--geojson/--no-geojson", default=None,
              help="Write cells.geojson for QuPath; by default up to 20000 cells.")  # fmt: skip
@click.option(
    "--ignore-stain", is_flag=True,
    help="Run although the stain looks wrong; recorded in the result.",
)  # fmt: skip
@click.option("--workers", type=click.IntRange(0, 256), default=0, show_default=True,
              help="Local processes that share tiles or slides; opens no port.")  # fmt: skip
@click.option("--tile-px", type=click.IntRange(256, 16384), default=2000, show_default=True,
              help="Side of the tiles that work is shared out in, level-0 pixels: finds the "
              "same cells whatever it is.")  # fmt: skip
@click.option("--no-resume", is_flag=True, help="Start a new run; keep nothing of an earlier one.")
@json_option
def cells_command(
    slides: tuple[Path, ...],
    stain: Any,
    out: Path,
    classifier: str,
    organ: Any,
    specimen: Any,
    rule: str | None,
    marker: Any,
    mpp: float | tuple[float, float] | None,
    roi: Region | None,
    runtime: str,
    geojson: bool | None,
    ignore_stain: bool,
    workers: int,
    tile_px: int,
    no_resume: bool,
    as_json: bool,
) -> int:
    """Find and classify the cells of IHC (or H&E) slides, and score HER2 by versioned rules.

    A stopped run (Ctrl+C) keeps what is done; the same command goes on from there.
    """
    with clean_stdout():
        from napari_her2.cli.running import run_cells
        from napari_her2.pipelines.cells_request import CellsRequest
        from napari_her2.scoring.rules import find_rule

        # Before any slide is opened: a rule that does not fit is a slip in the command.
        if stain == "her2-ihc":
            find_rule(rule, organ, specimen)
        requests = [
            CellsRequest(
                slide=slide,
                stain=stain,
                out=out,
                classifier=classifier,
                organ=organ,
                specimen=specimen,
                rule=rule,
                mpp=mpp,
                roi=roi,
                ignore_stain=ignore_stain,
                runtime=runtime,
                geojson=geojson,
                tile_px=tile_px,
                resume=not no_resume,
                marker=marker,
            )
            for slide in slides
        ]
        documents, code = run_cells(requests, workers=workers)
    any_result = any(d["status"] != "failed" for d in documents)
    top = documents[0] if len(documents) == 1 else {}
    emit({**top, "slides": documents}, _lines(documents), as_json=as_json, result=any_result)
    return code


def _lines(documents: list[dict[str, Any]]) -> list[str]:
    from napari_her2.reporting.cells_words import cells_lines

    return [line for document in documents for line in cells_lines(document)]
