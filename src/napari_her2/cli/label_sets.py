"""``labels make``: from drawn regions to a label set."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

import click

from napari_her2.cli.options import json_option, mpp_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from napari_her2.annotations.schema import ClassSchema
    from napari_her2.pipelines.label_set import Group, LabelSetRequest, LabelSource
    from napari_her2.tiles.spec import TileSpec

__all__ = ["make_command"]

_COLUMNS: Final = ("slide", "annotations", "patient", "block", "corrections", "mpp")


@click.command(
    "make",
    epilog="Example: napari-her2 labels make a.svs a.geojson b.svs b.geojson "
    "--schema her2-cells --out labels/her2",
)
@click.argument(
    "pairs", nargs=-1, metavar="[SLIDE ANNOTATIONS]...", type=click.Path(path_type=Path)
)
@click.option("--table", type=click.Path(path_type=Path),
              help="CSV with the columns slide, annotations, and where wanted patient, block, "
              "corrections (folder of a scored run), mpp.")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), required=True,
              help="The set to be written; a second one of the name becomes NAME-v2.")  # fmt: skip
@click.option("--schema", "schema_name", default="her2-cells", show_default=True,
              metavar="ID|FILE",
              help="her2-cells, biomarker-regions, concepts, tissue-qc, free, or a "
              "file.")  # fmt: skip
@click.option("--kind", type=click.Choice(["cells", "tiles"]),
              help="What is labelled; by default as the schema says.")  # fmt: skip
@click.option("--biomarker", type=click.Choice(["ER", "PR", "HER2"]),
              help="Tiles: the three classes of this one; needed by train stage1.")  # fmt: skip
@click.option("--tile-px", type=click.IntRange(16, 4096), default=512, show_default=True)
@click.option("--tile-mpp", type=click.FloatRange(0.05, 100), default=2.0, show_default=True,
              help="Tiles: µm per pixel.")  # fmt: skip
@click.option("--stride-um", type=click.FloatRange(min=0, min_open=True),
              help="Tiles: step; by default side by side.")  # fmt: skip
@click.option("--inside", type=float, default=0.5, show_default=True,
              help="Tiles: least share in regions of the class; 1 = wholly inside.")  # fmt: skip
@click.option("--other", type=float, default=0.1, show_default=True,
              help="Tiles: largest share of another class; beyond it a conflict.")  # fmt: skip
@click.option("--off", multiple=True, metavar="CLASS", help="Leave a class out; may be repeated.")
@click.option("--max-per-class", type=int, help="Most labels of one class.")
@click.option("--without-carried", is_flag=True,
              help="Leave out labels carried over from other sections (else: learnt from "
              "only).")  # fmt: skip
@click.option("--corrections", multiple=True, type=click.Path(path_type=Path),
              metavar="RUN_DIR",
              help="Scored run whose corrected cells are labels too; for one "
              "slide.")  # fmt: skip
@click.option("--test-by", type=click.Choice(["slide", "patient", "tile"]), default="slide",
              show_default=True, help="What is never on two sides.")  # fmt: skip
@click.option("--test", "test_share", type=float, default=0.25, show_default=True)
@click.option("--tune", "tune_share", type=float, default=0.15, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--add-to", type=click.Path(path_type=Path), metavar="SET",
              help="Take over what this set has of other slides.")  # fmt: skip
@click.option("--rgb", is_flag=True, help="Cells: keep crops in colour too.")
@click.option("--ignore-stain", is_flag=True,
              help="Go on although a slide's stain looks wrong; noted in the set.")  # fmt: skip
@mpp_option
@json_option
def make_command(
    pairs: tuple[Path, ...],
    table: Path | None,
    mpp: float | tuple[float, float] | None,
    corrections: tuple[Path, ...],
    as_json: bool,
    **given: Any,
) -> int:
    """Make a label set: the cells or tiles of drawn regions, with their classes.

    ANNOTATIONS is a file that labels import reads, or the folder in which the viewer keeps what was
    drawn on the slide.
    """
    with clean_stdout():
        sources, groups = _sources(pairs, table, mpp, corrections)
        request = _request(sources, groups, **given)
        document, code = _run(request)
    failed = document["status"] == "failed"
    if not failed or as_json:
        emit(document, [] if failed else _lines(document), as_json=as_json, result=not failed)
    return code


def _request(
    sources: Sequence[LabelSource], groups: Mapping[str, Group], **given: Any
) -> LabelSetRequest:
    from napari_her2.pipelines.label_set import LabelRules, LabelSetRequest, SplitRule

    schema = _schema(given["schema_name"])
    kind: Literal["cells", "tiles"] = given["kind"] or (
        "tiles" if schema.kind == "tiles" or given["biomarker"] else "cells"
    )
    return LabelSetRequest(
        sources=tuple(sources),
        schema=schema,
        out=given["out"],
        kind=kind,
        rules=LabelRules(
            inside=given["inside"],
            other=given["other"],
            switched_off=given["off"],
            max_per_class=given["max_per_class"],
            propagated="leave_out" if given["without_carried"] else "train",
        ),
        groups=groups,
        split=SplitRule(given["test_by"], given["tune_share"], given["test_share"]),
        seed=given["seed"],
        tile=_tile(given["tile_px"], given["tile_mpp"], given["stride_um"]),
        biomarker=given["biomarker"],
        rgb=given["rgb"],
        base=given["add_to"],
        ignore_stain=given["ignore_stain"],
    )


def _tile(px: int, mpp: float, stride_um: float | None) -> TileSpec:
    from napari_her2.tiles.spec import TileSpec

    return TileSpec(px, mpp, stride_um or px * mpp)


def _schema(name: str) -> ClassSchema:
    from napari_her2.annotations.schema import BUILT_IN, load_schema, read_schema

    return load_schema(name) if name in BUILT_IN else read_schema(Path(name))


def _sources(
    pairs: Sequence[Path],
    table: Path | None,
    mpp: float | tuple[float, float] | None,
    corrections: tuple[Path, ...],
) -> tuple[list[LabelSource], dict[str, Group]]:
    from napari_her2.errors import UsageError
    from napari_her2.pipelines.label_set import Group, LabelSource

    if len(pairs) % 2:
        raise UsageError("usage", detail="give a file of annotations after each slide.")
    sources = [
        LabelSource(slide, drawn, (), mpp)
        for slide, drawn in zip(pairs[::2], pairs[1::2], strict=True)
    ]
    groups: dict[str, Group] = {}
    for row in [] if table is None else _rows(table):
        slide = Path(row["slide"])
        runs = (Path(row["corrections"]),) if row.get("corrections") else ()
        size = float(row["mpp"]) if row.get("mpp") else mpp
        sources.append(LabelSource(slide, Path(row["annotations"]), runs, size))
        groups[str(slide)] = Group(row.get("patient") or "", row.get("block") or "")
    if not sources:
        raise UsageError("usage", detail="give slides with their annotations, or a --table.")
    if corrections and len(sources) > 1:
        raise UsageError("usage", detail="--corrections is for a single slide: use a --table.")
    if corrections:
        only = sources[0]
        sources = [LabelSource(only.slide, only.annotations, corrections, only.mpp)]
    return sources, groups


def _rows(table: Path) -> list[dict[str, str]]:
    """Rows of the table; paths in it are meant from where it lies."""
    import csv

    from napari_her2.errors import UsageError

    try:
        with table.open(encoding="utf-8-sig", newline="") as f:
            reader = csv.DictReader(f)
            if not {"slide", "annotations"} <= set(reader.fieldnames or ()):
                raise UsageError("label_table", name=table.name, columns=", ".join(_COLUMNS))
            rows = [{k: (v or "").strip() for k, v in r.items() if k in _COLUMNS} for r in reader]
        for row in rows:
            for name in ("slide", "annotations", "corrections"):
                if row.get(name):
                    row[name] = str(table.parent / row[name])
            if row.get("mpp"):
                float(row["mpp"])
    except (OSError, ValueError, csv.Error) as e:
        if isinstance(e, UsageError):
            raise
        raise UsageError("label_table", name=table.name, columns=", ".join(_COLUMNS)) from None
    return rows


def _run(request: LabelSetRequest) -> tuple[dict[str, Any], int]:
    from napari_her2.cli.app import CANCELLED
    from napari_her2.cli.progress import ProgressLine
    from napari_her2.cli.signals import cancel_on_interrupt
    from napari_her2.pipelines.events import Outcome
    from napari_her2.pipelines.label_set import make_label_set

    with cancel_on_interrupt() as token, ProgressLine() as line:
        for event in make_label_set(request, token, probe=True):
            line.show(event)
            if not isinstance(event, Outcome):
                continue
            document = {**event.document, "status": event.status}
            if event.error is not None:
                click.echo(event.error.sentence, err=True)
            if event.status == "cancelled":
                return document, CANCELLED
            if event.error is not None:
                return document, event.error.exit_code
            failed = document["failed"]
            for slide in failed:
                click.echo(f"{slide['slide']}: {slide['error']}", err=True)
            return document, 1 if failed else 0
    raise AssertionError("making a label set ended without an outcome")


def _lines(document: Mapping[str, Any]) -> list[str]:
    if "label_set" not in document:
        return []
    slides = "1 slide" if document["slides"] == 1 else f"{document['slides']} slides"
    lines = [
        f"{document['label_set']}: {document['n']:,} {document['kind']} of {slides}",
        f"{'class':24} {'labels':>8} {'train':>8} {'tune':>8} {'test':>8}",
    ]
    lines += [
        f"{name:24} {c['n']:8,} {c['train']:8,} {c['tune']:8,} {c['test']:8,}"
        for name, c in document["counts"].items()
    ]
    lines += [w["sentence"] for w in document["warnings"]]
    if document["odd"]:
        lines.append(f"{document['odd']:,} labels look odd: look at them before you train.")
    return lines
