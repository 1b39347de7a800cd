"""The demo without a window: predict and score the samples, leave a page, pictures, a document."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from napari_her2.cli.app import CANCELLED
from napari_her2.cli.output import plain
from napari_her2.cli.running import run_cells, run_requests
from napari_her2.messages import NOTICE
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.request import PredictRequest
from napari_her2.reporting.cells_words import cells_lines
from napari_her2.reporting.report import (
    Picture,
    picture_of_slide,
    pictures_of_run,
    read_record,
    render_page,
)
from napari_her2.reporting.words import slide_lines
from napari_her2.results.atomic import write_bytes, write_json
from napari_her2.synthetic.samples import SAMPLES, sample_path
from napari_her2.types import BIOMARKERS

__all__ = ["run_demo"]

_TITLE: Final = "napari-her2 demo: synthetic sample slides"
_PREDICTED: Final = ("he-er-positive", "he-her2-positive", "he-triple-negative")
_SCORED: Final = ("her2-ihc",)


def run_demo(out: Path) -> tuple[dict[str, Any], list[str], int]:
    """Predict ER, PR and HER2 on the sample H&E slides, score the HER2 IHC, show the others.

    Parameters
    ----------
    out : Path
        Gets ``report.html``, ``demo.json``, ``views/*.png`` and ``runs/``.

    Returns
    -------
    dict, list of str, int
        The document, lines for a person, the exit code.
    """
    began = time.monotonic()
    requests = [
        PredictRequest(slide=sample_path(name), model_ids=BIOMARKERS, out=out / "runs")
        for name in _PREDICTED
    ]
    documents, code = run_requests(requests)
    order = {str(r.slide): i for i, r in enumerate(requests)}
    documents.sort(key=lambda d: order.get(str(d["slide"]), len(order)))
    if code != CANCELLED:
        scored, code_of_cells = run_cells(
            [CellsRequest(slide=sample_path(name), out=out / "runs") for name in _SCORED]
        )
        documents += scored
        code = code or code_of_cells
    records, pictures = [], []
    for document in documents:
        run_dir = document.get("run_dir")
        record = read_record(Path(run_dir)) if run_dir else {}
        records.append(record)
        pictures.append(pictures_of_run(document, Path(run_dir), record) if run_dir else [])
    shown = []
    for sample in SAMPLES:
        if sample.name not in (*_PREDICTED, *_SCORED):
            path = sample_path(sample.name)
            shown.append({"slide": path, "slide_id": path.stem, "status": "shown"})
            pictures.append([picture_of_slide(path, f"{sample.title}. {sample.description}")])
            records.append({})
    views = _write_views(out / "views", [*documents, *shown], pictures)
    page = render_page([*documents, *shown], pictures, records, title=_TITLE)
    write_bytes(out / "report.html", page.encode("utf-8"))
    document = {
        "slides": documents,
        "shown": shown,
        "report": out / "report.html",
        "views": views,
        "seconds": round(time.monotonic() - began, 1),
        "notice": NOTICE,
    }
    write_json(out / "demo.json", plain(document))
    lines = [line for d in documents for line in _lines(d)]
    lines += ["", f"report: {out / 'report.html'}", f"pictures: {out / 'views'}"]
    return document, lines, code


def _lines(document: dict[str, Any]) -> list[str]:
    return cells_lines(document) if document.get("kind") == "cells" else slide_lines(document)


def _write_views(
    folder: Path, documents: list[dict[str, Any]], pictures: list[list[Picture]]
) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for document, several in zip(documents, pictures, strict=True):
        for picture in several:
            path = folder / f"{document['slide_id']}-{picture.name}.png"
            write_bytes(path, picture.png)
            paths.append(path)
    return paths
