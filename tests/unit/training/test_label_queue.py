"""What to label next on a scored slide: from the run's own files."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_slides import HEIGHT, TWO, WIDTH, box, halves, two_halves
from made_runs import FakeRegistry, fake_model, write_slide

from napari_her2.annotations.annotation import Annotation
from napari_her2.errors import RunDamagedError, UsageError
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.label_queue import label_queue
from napari_her2.pipelines.label_set import LabelSetRequest, make_label_set
from napari_her2.pipelines.predict import predict
from napari_her2.pipelines.request import PredictRequest
from napari_her2.results.cells_store import CELLS_FILE
from napari_her2.results.cells_table import read_cells
from napari_her2.results.corrections import CorrectionsFile


@pytest.fixture(scope="module")
def slide(tmp_path_factory):
    return two_halves(tmp_path_factory.mktemp("slides") / "a.tif")


@pytest.fixture(scope="module")
def cells_run(slide, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs")
    *_, outcome = score_cells(CellsRequest(slide, out=out))
    assert outcome.error is None, outcome.error
    return Path(outcome.document["run_dir"])


@pytest.fixture(scope="module")
def tiles_run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tiles")
    path = write_slide(folder / "he.tif")
    request = PredictRequest(path, ("fake-er",), out=folder / "out")
    *_, outcome = predict(request, registry=FakeRegistry(fake_model()))
    assert outcome.error is None, outcome.error
    return Path(outcome.document["run_dir"])


def places(queue):
    return {(p.x_px, p.y_px) for p in queue.places}


def test_unsure_cells_of_the_run_are_proposed_with_a_reason(cells_run):
    queue = label_queue(cells_run, 10)
    assert (queue.kind, queue.slide_id, queue.labelled) == ("cells", "a", 0)
    assert len(places(queue)) == 10
    columns, classes, _ = read_cells(cells_run / CELLS_FILE)
    assert queue.total == len(columns["x_px"])
    margin = 1 - np.diff(np.sort(columns["probs"], 1)[:, -2:], axis=1)[:, 0]
    least = np.sort(margin)[-80]
    assert all(p.uncertainty >= least - 1e-3 for p in queue.places)
    assert all(p.class_name in classes and p.why.startswith("Between ") for p in queue.places)
    assert label_queue(cells_run, 10) == queue


def test_what_is_labelled_is_not_proposed_again(cells_run, slide, tmp_path):
    drawn = (*halves()[:1], box("bare", 500, 10, 600, 200))
    request = LabelSetRequest(((slide, drawn),), TWO, tmp_path / "set")
    *_, outcome = make_label_set(request)
    made = Path(outcome.document["label_set"])
    queue = label_queue(cells_run, 30, label_set=made)
    assert queue.labelled == outcome.document["n"]
    assert not any(x < WIDTH / 2 - 10 and 10 < y < HEIGHT - 10 for x, y in places(queue))
    first = next(iter(sorted(places(queue))))
    dot = Annotation(geometry=shapely.Point(first[0] + 2, first[1]), class_name="bare")
    again = label_queue(cells_run, 30, label_set=made, annotations=[dot, box(None, 0, 0, 9, 9)])
    assert again.labelled == queue.labelled + 1
    assert first not in places(again)
    whole = label_queue(cells_run, 30, annotations=[box("bare", -9, -9, WIDTH + 9, HEIGHT + 9)])
    assert (whole.places, whole.labelled) == ((), whole.total)


def test_a_corrected_cell_is_labelled(cells_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(cells_run, run)
    first = label_queue(run, 1).places[0]
    CorrectionsFile(run, {"run": "x"}).set(first.x_px, first.y_px, "stroma", "immune")
    queue = label_queue(run, 1)
    assert queue.labelled == 1
    assert places(queue) != {(first.x_px, first.y_px)}


def test_labels_of_other_slides_say_what_is_new(cells_run, tmp_path):
    other = two_halves(tmp_path / "b.tif", seed=9)
    *_, outcome = make_label_set(LabelSetRequest(((other, halves()),), TWO, tmp_path / "set"))
    queue = label_queue(cells_run, 20, label_set=Path(outcome.document["label_set"]))
    assert queue.labelled == 0
    assert any("unlike what is labelled" in p.why for p in queue.places)


def test_tiles_of_a_map_are_proposed_and_drawn_ones_left_out(tiles_run):
    queue = label_queue(tiles_run, 5)
    assert queue.kind == "tiles"
    assert 0 < len(queue.places) <= 5
    p = queue.places[0]
    assert p.width_px > 0
    over = box("ER+", p.x_px - p.width_px, p.y_px - p.height_px, p.x_px + p.width_px,
               p.y_px + p.height_px)  # fmt: skip
    again = label_queue(tiles_run, 5, annotations=[over])
    assert again.labelled >= 1
    assert (p.x_px, p.y_px) not in places(again)
    with pytest.raises(UsageError, match="no map of PR"):
        label_queue(tiles_run, 5, model="PR")


def test_what_is_no_run_or_tells_nothing_apart_is_a_sentence(cells_run, slide, tmp_path):
    with pytest.raises(RunDamagedError):
        label_queue(tmp_path)
    run = tmp_path / "run"
    shutil.copytree(cells_run, run)
    with (run / CELLS_FILE).open("ab") as f:
        f.write(b"x")
    with pytest.raises(RunDamagedError, match="altered"):
        label_queue(run)
