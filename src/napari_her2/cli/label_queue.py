"""``labels next``: which cells or tiles of a scored slide to label next."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from napari_her2.pipelines.label_queue import LabelQueue

__all__ = ["next_command"]


@click.command(
    "next",
    epilog="Example: napari-her2 labels next results/slide/1a2b3c --label-set labels/her2 -n 20",
)
@click.argument("run", metavar="RUN_DIR", type=click.Path(path_type=Path))
@click.option("-n", "number", type=click.IntRange(1, 10_000), default=20, show_default=True)
@click.option("--label-set", type=click.Path(path_type=Path), help="What is labelled already.")
@click.option("--model", metavar="NAME", help="Which map of a run of several models, such as ER.")
@click.option("--measure", type=click.Choice(["margin", "entropy", "least"]), default="margin",
              show_default=True, help="What unsure means.")  # fmt: skip
@click.option("--spread", type=click.Choice(["k-means++", "k-centre", "none"]),
              default="k-means++", show_default=True,
              help="How a batch is spread out.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True)
@click.option("--geojson", type=click.Path(path_type=Path),
              help="Also write the places for QuPath, without a class.")  # fmt: skip
@json_option
def next_command(run: Path, number: int, geojson: Path | None, as_json: bool, **given: Any) -> int:
    """Propose the cells or tiles to label next: those the model is unsure of, unlike each other.

    RUN_DIR is the folder of a finished run of cells or predict.
    """
    with clean_stdout():
        from napari_her2.pipelines.label_queue import label_queue

        queue = label_queue(run, number, **given)
        if geojson is not None:
            _write(geojson, queue)
    places = [asdict(p) for p in queue.places]
    document = {
        "slide_id": queue.slide_id, "kind": queue.kind, "classes": list(queue.classes),
        "labelled": queue.labelled, "total": queue.total, "places": places,
    }  # fmt: skip
    lines = [f"{p.x_px:,.0f}, {p.y_px:,.0f} px  {p.why}" for p in queue.places]
    emit(document, lines, as_json=as_json)
    return 0


def _write(path: Path, queue: LabelQueue) -> None:
    import shapely

    from napari_her2.annotations.annotation import Annotation
    from napari_her2.annotations.interchange import write_annotations

    drawn = []
    for i, p in enumerate(queue.places):
        half = p.width_px / 2, p.height_px / 2
        box = shapely.box(p.x_px - half[0], p.y_px - half[1], p.x_px + half[0], p.y_px + half[1])
        shape = box if queue.kind == "tiles" else shapely.Point(p.x_px, p.y_px)
        drawn.append(Annotation(geometry=shape, id=f"next-{i + 1}", name=f"{i + 1}", note=p.why))
    write_annotations(path, drawn, to="geojson")
