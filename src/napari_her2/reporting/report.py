"""``report.html``: one page per slide that stands alone: no scripts, nothing from outside."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from napari_her2 import __version__
from napari_her2.errors import Her2Error
from napari_her2.messages import DEMO_MODEL, FIRST_RUN, HER2_FROM_HE, NOTICE
from napari_her2.reporting.cells_words import classifier_text, percent_text
from napari_her2.reporting.views import Overview, encode, heatmap_view, overview, slide_view
from napari_her2.reporting.words import (
    area_text,
    duration_text,
    figure_text,
    mpp_text,
    probability_text,
)
from napari_her2.results.atomic import write_bytes
from napari_her2.results.heatmap import Heatmap, read_heatmap
from napari_her2.slides import open_slide

__all__ = [
    "Picture",
    "given_mpp",
    "picture_of_slide",
    "pictures_of_run",
    "read_record",
    "render_page",
    "write_report",
]


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a report.

    Attributes
    ----------
    name : str
        ``slide``, or the biomarker; names the PNG file.
    caption : str
        What it shows.
    image : Image.Image
        The picture itself.
    """

    name: str
    caption: str
    image: Image.Image

    @property
    def png(self) -> bytes:
        """The picture as a file of its own, exact."""
        return encode(self.image, "PNG")

    @property
    def data_uri(self) -> str:
        """The picture as part of a page: JPEG, a tenth of the size of PNG for tissue."""
        return "data:image/jpeg;base64," + base64.b64encode(encode(self.image, "JPEG")).decode()


def write_report(document: Mapping[str, Any], run_dir: Path) -> Path:
    """Write ``report.html`` into the folder of a run.

    Parameters
    ----------
    document : mapping
        The slide's document, as ``predict`` gives it.
    run_dir : Path
        The run's folder: its record and heatmaps are read from there.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    Her2Error
        If the run can't be read or the page can't be written. A slide that has gone meanwhile is
        no error: the page then holds no pictures and says so.
    """
    record = read_record(run_dir)
    warnings = list(document.get("warnings", []))
    try:
        pictures = pictures_of_run(document, run_dir, record)
    except Her2Error as error:
        pictures = []
        warnings.append(f"No pictures: {error.sentence}")
    page = render_page([{**document, "warnings": warnings}], [pictures], [record])
    path = run_dir / "report.html"
    write_bytes(path, page.encode("utf-8"))
    return path


def read_record(run_dir: Path) -> dict[str, Any]:
    """Give the content of ``run.json``; empty where there is none that can be read."""
    try:
        record = json.loads((run_dir / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def pictures_of_run(
    document: Mapping[str, Any], run_dir: Path, record: Mapping[str, Any]
) -> list[Picture]:
    """Draw the slide, and each heatmap over it.

    Parameters
    ----------
    document : mapping
        The slide's document.
    run_dir : Path
        The run's folder.
    record : mapping
        Content of ``run.json``; says which pixel size was used.

    Raises
    ------
    Her2Error
        If the slide or a heatmap can't be read.
    """
    if document.get("kind") == "cells":
        from napari_her2.reporting.cells_report import cell_pictures

        return cell_pictures(document, run_dir, record)
    path = Path(document["slide"])
    given = given_mpp(record)
    names = [Path(r["heatmap"]).name for r in document["results"] if r.get("heatmap")]
    # By name: the folder may have been moved since the document was written.
    maps = [read_heatmap(run_dir / "heatmaps" / name) for name in names]
    with open_slide(path, mpp=given) as slide:
        view = overview(slide)
    return _draw(view, maps, str(document["slide_id"]), document.get("status") == "cancelled")


def given_mpp(record: Mapping[str, Any]) -> tuple[float, float] | None:
    """Pixel size that a user gave for the run, µm; None where the slide states it."""
    mpp = record.get("slide", {}).get("mpp") or {}
    return (mpp["x"], mpp["y"]) if mpp.get("source") == "user" else None


def picture_of_slide(path: Path, caption: str) -> Picture:
    """Draw a slide alone.

    Raises
    ------
    Her2Error
        If it can't be read.
    """
    with open_slide(path) as slide:
        view = overview(slide)
    return Picture("slide", caption, slide_view(view, "Research use only"))


def _draw(view: Overview, maps: Sequence[Heatmap], slide_id: str, partial: bool) -> list[Picture]:
    so_far = " (tiles so far)" if partial else ""
    pictures = [Picture("slide", slide_id, slide_view(view, "Research use only"))]
    for heatmap in maps:
        demo = " · demo model" if heatmap.model_status == "synthetic-demo" else ""
        caption = f"Research use only{demo}"
        shown = f"{heatmap.biomarker}: share of each tile's probability for the positive class"
        pictures.append(
            Picture(heatmap.biomarker, shown + so_far, heatmap_view(view, heatmap, caption))
        )
    return pictures


def render_page(
    documents: Sequence[Mapping[str, Any]],
    pictures: Sequence[Sequence[Picture]],
    records: Sequence[Mapping[str, Any]],
    title: str = "napari-her2 report",
) -> str:
    """Make the page of one or several slides.

    Everything from outside (names, warnings, cards) is escaped; the page forbids itself scripts and
    any request.

    Parameters
    ----------
    documents : sequence of mapping
        Slides' documents.
    pictures : sequence of sequence of Picture
        Pictures of each slide.
    records : sequence of mapping
        ``run.json`` of each slide; empty where there is none.
    title : str
        Title of the page.
    """
    environment = Environment(
        loader=PackageLoader("napari_her2.reporting", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "probability": probability_text,
        "duration": duration_text,
        "mpp": mpp_text,
        "area": area_text,
        "figure": figure_text,
        "percent": percent_text,
        "classifier": classifier_text,
    }
    results = [r for d in documents for r in d.get("results", [])]
    return environment.get_template("report.html.j2").render(
        title=title,
        notice=NOTICE,
        how_to_read=FIRST_RUN,
        demo=DEMO_MODEL if any(_is_demo(r) for r in [*results, *documents]) else None,
        her2=HER2_FROM_HE,
        slides=[
            {"document": d, "pictures": p, "record": r}
            for d, p, r in zip(documents, pictures, records, strict=True)
        ],
        version=__version__,
    )


def _is_demo(result: Mapping[str, Any]) -> bool:
    return result.get("model_status") == "synthetic-demo" or bool(
        result.get("kind") == "cells" and result.get("demo")
    )
