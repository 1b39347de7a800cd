"""Pictures of a run of cells for its report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from napari_her2.cells.table import CellTable
from napari_her2.geometry import Region
from napari_her2.pipelines.cells_cached import load_cells
from napari_her2.reporting.cells_views import (
    CLOSE_UM,
    cells_view,
    close_view,
    densest_square,
    density_view,
)
from napari_her2.reporting.report import Picture, given_mpp
from napari_her2.reporting.views import overview, slide_view
from napari_her2.slides import open_slide
from napari_her2.slides.base import Slide

__all__ = ["cell_pictures"]

_SHOWN: Final = (
    "tumour 3+", "tumour 2+", "tumour 1+", "tumour 0", "strong", "moderate", "weak", "negative",
    "nucleus",
)  # fmt: skip


def cell_pictures(
    document: Mapping[str, Any], run_dir: Path, record: Mapping[str, Any]
) -> list[Picture]:
    """Draw the slide, its cells, the density of the strongest class, and a field close up.

    Parameters
    ----------
    document : mapping
        The slide's document.
    run_dir : Path
        The run's folder; the cells are read from there.
    record : mapping
        Content of ``run.json``; says which pixel size was used.

    Raises
    ------
    Her2Error
        If slide or cells can't be read.
    """
    table = load_cells(run_dir)
    demo = " · demo model" if document.get("demo") else ""
    caption = f"Research use only{demo}"
    slide_id = str(document["slide_id"])
    with open_slide(Path(document["slide"]), mpp=given_mpp(record)) as slide:
        view = overview(slide)
        pictures = [Picture("slide", slide_id, slide_view(view, "Research use only"))]
        mpp = (slide.mpp.x, slide.mpp.y) if slide.mpp is not None else (1.0, 1.0)
        counts = table.counts()
        shown = next((c for c in _SHOWN if counts.get(c)), None)
        if shown is None:
            return pictures
        so_far = " (tiles so far)" if document.get("partial") else ""
        pictures.append(
            Picture("cells", f"Cells by class{so_far}", cells_view(view, table, caption))
        )
        name = shown.removeprefix("tumour ")
        pictures.append(
            Picture(
                f"density-{name}",
                f"Density of {shown} cells in squares of 0.015 mm²{so_far}",
                density_view(view, table, shown, mpp, caption),
            )
        )
        close = _close(slide, table, shown, mpp, caption)
        if close is not None:
            pictures.append(close)
    return pictures


def _close(
    slide: Slide, table: CellTable, shown: str, mpp: tuple[float, float], caption: str
) -> Picture | None:
    place = densest_square(table, shown, mpp)
    if place is None:
        return None
    side_x, side_y = round(CLOSE_UM / mpp[0]), round(CLOSE_UM / mpp[1])
    size = slide.size
    left = max(0, min(round(place[0] - side_x / 2), size.width - side_x))
    top = max(0, min(round(place[1] - side_y / 2), size.height - side_y))
    width, height = min(side_x, size.width), min(side_y, size.height)
    pixels = slide.read(0, left, top, width, height)
    if not pixels.complete:
        return None
    field = Region(left, top, width, height)
    text = f"Where {shown} cells are densest: outlines of nuclei by class"
    return Picture("field", text, close_view(pixels.rgb, field, table, mpp[0], caption))
