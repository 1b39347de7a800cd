"""Ki67 on real tiles whose nuclei are outlined, and on a crop of a real slide.

The tiles state no pixel size: whatever a user may give between 0.25 and 0.5 must do.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from skimage.measure import label, regionprops

from napari_her2.cells.calibration import calibrate
from napari_her2.cells.classes import NUCLEAR_CLASSES
from napari_her2.cells.nuclear import NuclearClassifier, measure_nuclear
from napari_her2.cells.nuclear_summary import nuclear_summary
from napari_her2.cells.stitching import cell_tiles, detect_tile
from napari_her2.cells.table import CellTable
from napari_her2.slides import open_array, open_slide
from napari_her2.stains.guess import guess_stain
from napari_her2.tiles.tissue import find_tissue

pytestmark = pytest.mark.shared

LEAST_OUTLINE_PX = 20


def tile(shared_data: Path, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Picture and the colours of its truth: red = positive, blue = negative, green = outline."""
    folder = shared_data / "ki67-ihc-deepliif"
    if name == "Lung1":
        six = np.asarray(Image.open(folder / "Lung1_composite.png").convert("RGB"))
        return six[:, :512].copy(), six[:, -512:]
    return tuple(
        np.asarray(Image.open(folder / f"{name}_{kind}.png").convert("RGB"))
        for kind in ("ihc", "gt")
    )


def outlines(truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Label image of the outlined nuclei, and for each label whether it is positive."""
    red, green, blue = np.moveaxis(truth.astype(int), -1, 0)
    labels, positive = np.zeros(truth.shape[:2], int), [False]
    for inside, is_positive in (
        ((red > 150) & (green < 100) & (blue < 100), True),
        ((blue > 150) & (red < 100) & (green < 100), False),
    ):
        for region in regionprops(label(inside)):
            if region.area >= LEAST_OUTLINE_PX:
                labels[tuple(region.coords.T)] = len(positive)
                positive.append(is_positive)
    return labels, np.array(positive)


def nuclei(slide) -> CellTable:
    tissue = find_tissue(slide)
    calibration = calibrate(slide, tissue, "nuclear-ihc")
    tiles = cell_tiles(slide, tissue, calibration)
    found = [CellTable(detect_tile(slide, calibration, t, measure_nuclear).columns) for t in tiles]
    table = CellTable.join(found)
    probs = NuclearClassifier().classify(table)
    grades = probs.argmax(axis=1).astype(np.uint8)
    return table.with_columns({"class": grades, "probs": probs}, NUCLEAR_CLASSES)


def f1(table: CellTable, labels: np.ndarray) -> float:
    """A hit is a centre inside an outline that no other centre used."""
    used: set[int] = set()
    for x, y in zip(table["x_px"], table["y_px"], strict=True):
        used.add(int(labels[min(int(y), 511), min(int(x), 511)]))
    hits = len(used - {0})
    return 2 * hits / (len(table) + int(labels.max()))


def test_the_truth_is_read_as_its_readme_counts_it(shared_data):
    with (shared_data / "ki67-ihc-deepliif" / "centroids.csv").open() as file:
        rows = list(csv.DictReader(file))
    for name in ("22_2", "34_3"):
        _, positive = outlines(tile(shared_data, name)[1])
        own = [r["class"] == "positive" for r in rows if r["tile"] == name]
        assert positive.sum() == sum(own)
        assert abs(len(positive) - 1 - len(own)) <= 1
    counts = json.loads((shared_data / "ki67-ihc-deepliif" / "Lung1_counts.json").read_text())
    _, positive = outlines(tile(shared_data, "Lung1")[1])
    assert positive.sum() == counts["num_pos"]


# Around twenty plainly brown nuclei of 34_3 are not outlined (looked at), so its positive fraction
# can only be met from above; at 0.25 µm/px pale nuclei are missed as well.
@pytest.mark.parametrize(
    ("name", "mpp", "within", "least_f1"),
    [
        ("22_2", 0.25, 5, 0.72), ("22_2", 0.4, 5, 0.78), ("22_2", 0.5, 5, 0.75),
        ("34_3", 0.25, 14, 0.68), ("34_3", 0.33, 10, 0.65), ("34_3", 0.4, 10, 0.65),
        ("34_3", 0.5, 10, 0.60),
        ("Lung1", 0.25, 5, 0.80), ("Lung1", 0.4, 5, 0.70), ("Lung1", 0.5, 10, 0.60),
    ],
)  # fmt: skip
def test_positive_fraction_and_detection(shared_data, name, mpp, within, least_f1):
    rgb, truth = tile(shared_data, name)
    labels, positive = outlines(truth)
    table = nuclei(open_array(rgb, mpp=mpp))
    wanted = 100 * positive[1:].mean()
    said = nuclear_summary(table)
    assert said["positive_fraction"] == pytest.approx(wanted, abs=within)
    assert f1(table, labels) >= least_f1


@pytest.mark.parametrize("mpp", [0.25, 0.4, 0.5])
@pytest.mark.parametrize("name", ["22_2", "34_3", "Lung1"])
def test_positive_fraction_over_the_nuclei_the_truth_outlines(shared_data, name, mpp):
    """Whatever the truth leaves out, brown or blue, is not held against it."""
    rgb, truth = tile(shared_data, name)
    labels, positive = outlines(truth)
    table = nuclei(open_array(rgb, mpp=mpp))
    at = labels[
        np.minimum(table["y_px"].astype(int), 511), np.minimum(table["x_px"].astype(int), 511)
    ]
    brown = np.isin(table["class"], [NUCLEAR_CLASSES.index(n) for n in NUCLEAR_CLASSES[1:4]])
    met = np.unique(at[at > 0])
    said = np.isin(met, at[brown])
    assert len(met) >= 50
    assert 100 * said.mean() == pytest.approx(100 * positive[1:].mean(), abs=7)


@pytest.mark.parametrize("name", ["22_2", "34_3", "Lung1"])
def test_outlined_nuclei_are_graded_right_where_they_are_found(shared_data, name):
    rgb, truth = tile(shared_data, name)
    labels, positive = outlines(truth)
    table = nuclei(open_array(rgb, mpp=0.4))
    at = labels[
        np.minimum(table["y_px"].astype(int), 511), np.minimum(table["x_px"].astype(int), 511)
    ]
    hit = (at > 0) & (table.class_names != "artefact")
    brown = np.isin(table.class_names[hit], ["weak", "moderate", "strong"])
    assert (brown == positive[at[hit]]).mean() >= 0.94


def test_a_ki67_slide_has_blue_and_brown_nuclei(shared_data):
    """OS-2 has no truth; counted by eye on a quarter of it, some 15 to 25 % are brown."""
    with open_slide(shared_data / "wsi-ometiff-qupath-crops" / "OS-2-vsi.ome.tif") as slide:
        assert guess_stain(slide, find_tissue(slide, qc=False)).stain == "H-DAB"
        said = nuclear_summary(nuclei(slide))
    assert 800 < said["nuclei"] < 1500
    assert 12 < said["positive_fraction"] < 26
    assert said["assessable"]
