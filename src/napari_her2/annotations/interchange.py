"""Annotations from and to the files of other tools."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.exporting import TARGETS, Target, write_annotations
from napari_her2.annotations.formats.asap import read_asap
from napari_her2.annotations.formats.coco import read_coco
from napari_her2.annotations.formats.csv_table import read_csv
from napari_her2.annotations.formats.cytomine import read_cytomine, read_wkt
from napari_her2.annotations.formats.imagescope import read_imagescope
from napari_her2.annotations.formats.intake import Crossing, Intake
from napari_her2.annotations.formats.limits import load_json, no_collection, read_file
from napari_her2.annotations.formats.outcome import Exported, Imported, Skipped
from napari_her2.annotations.formats.parquet_table import read_parquet
from napari_her2.annotations.formats.placing import check_place
from napari_her2.annotations.formats.qupath import read_qupath
from napari_her2.annotations.formats.sectra import read_sectra
from napari_her2.annotations.formats.sniffing import JsonKind, Kind, kind_of_bytes, kind_of_json
from napari_her2.annotations.formats.tile_cutting import TileRule
from napari_her2.annotations.formats.xml_reading import root_name
from napari_her2.annotations.kept import stored_annotations
from napari_her2.annotations.schema import ClassSchema
from napari_her2.errors import BadAnnotationsError

__all__ = [
    "TARGETS",
    "Exported",
    "Imported",
    "Skipped",
    "Target",
    "TileRule",
    "read_annotations",
    "write_annotations",
]


def read_annotations(
    path: Path,
    *,
    slide_size: tuple[int, int] | None = None,
    mpp: tuple[float, float] | None = None,
    schema: ClassSchema | None = None,
    on_crossing: Crossing = "repair",
    any_slide: bool = False,
) -> Imported:
    """Read annotations, whatever tool wrote them; the format is told by the content.

    What cannot be read is listed in the result, and the rest is imported.

    Parameters
    ----------
    path : Path
        The file.
    slide_size : (int, int), optional
        Width and height of level 0 of the slide they shall lie on: annotations of another slide
        are refused.
    mpp : (float, float), optional
        Micrometres per pixel of that slide.
    schema : ClassSchema, optional
        Turns QuPath's names of classes into ours; other names stay.
    on_crossing : {"repair", "keep"}
        What to do with outlines that cross themselves.
    any_slide : bool
        Import even what seems to belong to another slide.

    Returns
    -------
    Imported
        The annotations, in level-0 pixels.

    Raises
    ------
    BadAnnotationsError
        If the file is not there, is no annotation file, is too large, or belongs to another slide;
        one sentence says so.
    """
    path = Path(path)
    if path.is_dir():
        return _read_book(path, slide_size, any_slide=any_slide)
    with no_collection():
        data = read_file(path)
        intake = Intake(
            path, "annotations", data, slide_size=slide_size, mpp=mpp, schema=schema,
            on_crossing=on_crossing,
        )  # fmt: skip
        annotations = _READERS[kind_of_bytes(data)](data, intake)
        check_place(annotations, intake, any_slide=any_slide)
        return Imported(
            tuple(annotations), intake.skipped, intake.repaired, intake.kind, intake.stated_size,
            intake.stated_mpp, intake.notes,
        )  # fmt: skip


def _read_book(folder: Path, slide_size: tuple[int, int] | None, *, any_slide: bool) -> Imported:
    """The folder in which this program keeps the annotations of a slide."""
    identity, annotations = stored_annotations(folder)
    size = int(identity["width"]), int(identity["height"])
    mpp = identity.get("mpp")
    intake = Intake(folder, "annotations", slide_size=slide_size)
    intake.stated_size = size
    intake.stated_mpp = tuple(mpp) if mpp else None
    check_place(annotations, intake, any_slide=any_slide)
    return Imported(
        annotations, (), 0, "annotations of this program", size, intake.stated_mpp, intake.notes
    )


def _read_json(data: bytes, intake: Intake) -> list[Annotation]:
    try:
        document, whole, cut, utf8 = load_json(data)
    except ValueError as e:
        intake.kind = "JSON"
        reason = f"it is damaged: {e}"
        raise intake.refuse(reason) from None
    if not whole:
        intake.note("note_cut_off")
    if cut:
        intake.skip("cut_off")
    if not utf8:
        intake.note("note_encoding")
    intake.kind, read = _JSON_READERS[kind_of_json(document)]
    return read(document, intake)


def _read_xml(data: bytes, intake: Intake) -> list[Annotation]:
    root = root_name(data)
    if root == "ASAP_Annotations":
        intake.kind = "ASAP XML"
        return read_asap(data, intake)
    if root == "Annotations":
        intake.kind = "ImageScope XML"
        return read_imagescope(data, intake)
    intake.kind = "XML"
    raise _unknown(
        intake, f"its outermost element is “{root}”" if root else "it is no readable XML"
    )


def _read_wkt(data: bytes, intake: Intake) -> list[Annotation]:
    intake.kind = "well-known text"
    return read_wkt(data, intake)


def _read_csv(data: bytes, intake: Intake) -> list[Annotation]:
    intake.kind = "CSV"
    return read_csv(data, intake)


def _read_parquet(data: bytes, intake: Intake) -> list[Annotation]:
    intake.kind = "Parquet"
    return read_parquet(data, intake)


def _read_nothing(data: bytes, intake: Intake) -> list[Annotation]:
    empty = not data.strip()
    raise _unknown(intake, "it is empty" if empty else "nothing in it looks like annotations")


def _unknown(intake: Intake, reason: str) -> BadAnnotationsError:
    return BadAnnotationsError("unknown_annotations", name=intake.path.name, reason=reason)


_READERS: Final[dict[Kind, Callable[[bytes, Intake], list[Annotation]]]] = {
    "json": _read_json, "xml": _read_xml, "wkt": _read_wkt, "table": _read_csv,
    "parquet": _read_parquet, "unknown": _read_nothing,
}  # fmt: skip

_JSON_READERS: Final[dict[JsonKind, tuple[str, Callable[[Any, Intake], list[Annotation]]]]] = {
    "qupath": ("QuPath GeoJSON", read_qupath), "coco": ("COCO", read_coco),
    "cytomine": ("Cytomine JSON", read_cytomine), "sectra": ("Sectra JSON", read_sectra),
}  # fmt: skip
