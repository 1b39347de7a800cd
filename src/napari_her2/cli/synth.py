"""``synth``: a synthetic slide with its truth."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from napari_her2.synthetic import Truth

__all__ = ["synth"]


@click.command(epilog="Example: napari-her2 synth he --size 4096 --seed 7 --out slide.tif")
@click.argument("kind", type=click.Choice(["he", "her2-ihc", "pair", "tma"]))
@click.option(
    "--size", type=click.IntRange(256, 100_000), default=4096, show_default=True,
    help="Width and height in pixels.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True,
              help="Same seed, same slide.")  # fmt: skip
@click.option("--mpp", type=click.FloatRange(0.05, 4), default=0.5, show_default=True,
              help="Pixel size in µm.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The slide to write.")
@json_option
def synth(kind: str, size: int, seed: int, mpp: float, out: Path, as_json: bool) -> None:
    """Write a synthetic pyramidal slide and, beside it, the truth about it."""
    with clean_stdout():
        from napari_her2.synthetic import write_slide

        written = write_slide(kind, size, seed, out, mpp=mpp)
        document = _files(written)
        if written.partner is not None:
            document["partner"] = _files(written.partner)
    emit(document, _lines(document), as_json=as_json)


def _files(written: Truth) -> dict[str, Any]:
    from napari_her2.synthetic.drawn import drawn_path

    files = {
        "slide": written.slide,
        "truth": written.truth,
        "regions": written.regions,
        "cells": written.cells,
    }
    drawn = drawn_path(written.slide)
    return {**files, "drawn": drawn} if drawn.exists() else files


def _lines(document: dict[str, Any]) -> list[str]:
    lines = [str(document["slide"])]
    names = [n for n in ("truth", "regions", "cells", "drawn") if n in document]
    lines += [f"  {name}: {document[name]}" for name in names]
    return lines + (_lines(document["partner"]) if "partner" in document else [])
