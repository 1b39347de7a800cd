"""``labels``: annotations from and to other tools."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from napari_her2.cli.label_queue import next_command
from napari_her2.cli.label_sets import make_command
from napari_her2.cli.options import SLIDE, json_option, mpp_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from napari_her2.annotations.formats.outcome import Imported, Skipped
    from napari_her2.annotations.schema import ClassSchema
    from napari_her2.slides.base import Slide

__all__ = ["labels"]

TARGETS: Final = (
    "geojson", "csv", "parquet", "coco", "imagescope", "mask", "tiles", "webdataset", "spatialdata",
)  # fmt: skip
"""As in :data:`napari_her2.annotations.exporting.TARGETS`, told without importing it."""

_SCHEMA_HELP: Final = (
    "Class schema: her2-cells, biomarker-regions, concepts, tissue-qc, free or a JSON file."
)


@click.group(epilog="Example: napari-her2 labels import drawn.geojson --slide slide.svs")
def labels() -> None:
    """Annotations from and to other tools; label sets made of them."""


labels.add_command(make_command)
labels.add_command(next_command)


@labels.command(
    "export", epilog="Example: napari-her2 labels export drawn.geojson --to csv --out drawn.csv"
)
@click.argument("source", metavar="IN", type=click.Path(path_type=Path))
@click.option("--to", type=click.Choice(TARGETS), required=True, help="Format; mask: see --out.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    required=True,
    help="File or folder; the ending of a mask chooses its kind: .png, .ome.tif, .ome.zarr.",
)
@click.option(
    "--slide", type=SLIDE, help="The slide they lie on: needed for coco, mask, tiles, webdataset."
)
@click.option("--schema", help=_SCHEMA_HELP)
@click.option(
    "--mpp", "target_mpp", type=click.FloatRange(min=0, min_open=True),
    help="µm per pixel of the mask or the tiles.",
)  # fmt: skip
@click.option(
    "--downsample", type=click.FloatRange(min=1), help="Slide pixels in a pixel of the mask."
)
@click.option(
    "--tile-px", type=click.IntRange(16, 4096), default=256, show_default=True,
    help="Side of a tile in pixels.",
)  # fmt: skip
@click.option(
    "--inside", type=click.FloatRange(0.5, 1, min_open=True), default=0.75, show_default=True,
    help="Share of a tile that its class covers at least.",
)  # fmt: skip
@click.option(
    "--dialect", type=click.Choice(["current", "old"]), default="current", show_default=True,
    help="Of GeoJSON: old for QuPath 0.2 and 0.3.",
)  # fmt: skip
@json_option
def export_command(
    source: Path,
    to: str,
    out: Path,
    slide: Path | None,
    schema: str | None,
    target_mpp: float | None,
    downsample: float | None,
    tile_px: int,
    inside: float,
    dialect: str,
    as_json: bool,
) -> None:
    """Write annotations for another tool.

    IN is a folder of annotations of this program, or a file of QuPath (GeoJSON), ImageScope, ASAP,
    HALO, Cytomine, Sectra, COCO, CSV or Parquet. What the format has no place for is listed.
    """
    with clean_stdout(), ExitStack() as stack:
        from napari_her2.annotations.interchange import (
            TileRule,
            read_annotations,
            write_annotations,
        )

        opened = _open(slide, None, stack)
        classes = _schema(schema)
        size, mpp = _facts(opened)
        found = read_annotations(source, slide_size=size, mpp=mpp, schema=classes)
        rule = TileRule(tile_px, target_mpp or (mpp[0] if mpp else 0.5), inside)
        done = write_annotations(
            out,
            found.annotations,
            to=to,  # type: ignore[arg-type]
            slide=opened,
            schema=classes,
            size=found.slide_size,
            dialect=dialect,  # type: ignore[arg-type]
            downsample=downsample,
            mask_mpp=target_mpp if to == "mask" else None,
            tiles=rule,
        )
        document = {
            "in": source, "format": found.format, "out": out, "to": to, "objects": done.objects,
            "classes": dict(done.classes), "skipped": _rows((*found.skipped, *done.skipped)),
            "repaired": found.repaired, "notes": list(found.notes), "files": list(done.files),
        }  # fmt: skip
    emit(document, _lines(document, f"{done.objects} objects written to {out}"), as_json=as_json)


@labels.command(
    "import",
    epilog="Example: napari-her2 labels import drawn.xml --slide slide.svs --out drawn",
)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--slide", type=SLIDE, required=True, help="The slide they belong to.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of annotations to add them to, or a .geojson file; by default where the Annotate "
    "dock keeps those of this slide.",
)
@click.option("--schema", help=_SCHEMA_HELP)
@click.option("--author", default="", help="Whose edit it is.")
@click.option("--keep-crossing", is_flag=True, help="Keep outlines that cross themselves as drawn.")
@click.option("--any-slide", is_flag=True, help="Import even what seems to be another slide's.")
@mpp_option
@json_option
def import_command(
    file: Path,
    slide: Path,
    out: Path | None,
    schema: str | None,
    author: str,
    keep_crossing: bool,
    any_slide: bool,
    mpp: float | tuple[float, float] | None,
    as_json: bool,
) -> None:
    """Add the annotations of another tool's file to those of a slide.

    What cannot be read is listed, the rest is imported. Objects that are there already (same id)
    are not added twice.
    """
    with clean_stdout(), ExitStack() as stack:
        from napari_her2.annotations.interchange import read_annotations, write_annotations

        opened = _open(slide, mpp, stack)
        assert opened is not None
        classes = _schema(schema)
        size, pixel = _facts(opened)
        found = read_annotations(
            file, slide_size=size, mpp=pixel, schema=classes, any_slide=any_slide,
            on_crossing="keep" if keep_crossing else "repair",
        )  # fmt: skip
        if out is not None and out.suffix.lower() in {".geojson", ".json"}:
            write_annotations(out, found.annotations, schema=classes)
            place, already = out, 0
        else:
            place, already = _into_book(found, opened, out, author)
        document = {
            "file": file, "format": found.format, "slide": opened.slide_id, "out": place,
            "objects": len(found.annotations), "classes": found.classes,
            "skipped": _rows(found.skipped), "already_there": already, "repaired": found.repaired,
            "notes": list(found.notes),
        }  # fmt: skip
    added = len(found.annotations) - already
    first = f"{added} objects added to {place} ({found.format})"
    if already:
        first += f", {already} were there already"
    emit(document, _lines(document, first), as_json=as_json)


def _into_book(found: Imported, slide: Slide, folder: Path | None, author: str) -> tuple[Path, int]:
    """Add what is not there yet as one edit."""
    from napari_her2.annotations.book import open_book
    from napari_her2.annotations.edits import add

    size, mpp = _facts(slide)
    assert size is not None
    with open_book(
        slide.slide_id, size, mpp, folder, author=author, quickhash=slide.content_key()
    ) as book:
        new = [a for a in found.annotations if book.store.find(a.id) is None]
        if new:
            book.apply(add(new, "Import"))
        book.flush()
        return book.folder, len(found.annotations) - len(new)


def _open(
    slide: Path | None, mpp: float | tuple[float, float] | None, stack: ExitStack
) -> Slide | None:
    if slide is None:
        return None
    from napari_her2.slides import open_slide

    return stack.enter_context(open_slide(slide, mpp=mpp))


def _facts(slide: Slide | None) -> tuple[tuple[int, int] | None, tuple[float, float] | None]:
    if slide is None:
        return None, None
    mpp = slide.mpp
    return (slide.size.width, slide.size.height), (mpp.x, mpp.y) if mpp is not None else None


def _schema(name: str | None) -> ClassSchema | None:
    if name is None:
        return None
    from napari_her2.annotations.schema import BUILT_IN, load_schema, read_schema

    return load_schema(name) if name in BUILT_IN else read_schema(Path(name))


def _rows(skipped: Sequence[Skipped]) -> list[dict[str, Any]]:
    return [{"reason": s.reason, "n": s.n, "id": s.id} for s in skipped]


def _lines(document: dict[str, Any], first: str) -> list[str]:
    lines = [first]
    lines += [f"  {n:>8,}  {name}" for name, n in document["classes"].items()]
    lines += [f"  {s['n']:>8,}  not kept: {s['reason']}" for s in document["skipped"]]
    return lines + [f"  {note}" for note in document["notes"]]
