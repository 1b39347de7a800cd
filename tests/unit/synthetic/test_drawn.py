"""Regions of one class each, as a careful reader would draw them, beside synthetic slides."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest
import shapely

from napari_her2.annotations.interchange import read_annotations
from napari_her2.annotations.schema import load_schema
from napari_her2.synthetic import write_slide
from napari_her2.synthetic.drawn import draw_regions, drawn_path

SIDE = 2048


@pytest.fixture(scope="module")
def ihc(tmp_path_factory):
    return write_slide("her2-ihc", SIDE, 3, tmp_path_factory.mktemp("drawn") / "ihc.tif")


def regions(slide, schema):
    found = read_annotations(drawn_path(slide), slide_size=(SIDE, SIDE), schema=load_schema(schema))
    assert not found.skipped
    return found.annotations


def test_each_region_of_a_her2_slide_holds_cells_of_its_class_alone(ihc) -> None:
    table = pq.read_table(ihc.cells)
    x, y = table["x_px"].to_numpy(), table["y_px"].to_numpy()
    of_cell = np.array(table["class"].to_pylist())
    inside: dict[str, list[str]] = {}
    for region in regions(ihc.slide, "her2-cells"):
        assert region.geometry.is_valid
        held = of_cell[shapely.contains_xy(region.geometry, x, y)]
        inside.setdefault(region.class_name, []).extend(held)
    assert set(inside) == set(load_schema("her2-cells").names)
    for name, held in inside.items():
        if name != "artefact":
            assert len(held) >= 30
            assert np.mean(np.array(held) == name) > 0.95


def test_the_regions_are_the_same_each_time(ihc) -> None:
    before = drawn_path(ihc.slide).read_bytes()
    assert draw_regions(ihc.slide, "her2-ihc", (SIDE, SIDE), (0.5, 0.5))
    assert drawn_path(ihc.slide).read_bytes() == before


def test_tumour_on_he_is_drawn_by_its_status_and_what_is_none_lies_apart(tmp_path) -> None:
    statuses = {"ER": True, "PR": False, "HER2": True}
    written = write_slide("he", SIDE, 5, tmp_path / "he.tif", statuses=statuses,
                          heterogeneous=False, tumour_share=0.3)  # fmt: skip
    drawn = regions(written.slide, "biomarker-regions")
    assert {r.class_name for r in drawn} == {"ER+", "PR-", "HER2+", "non-tumour"}
    tumour = shapely.union_all([r.geometry for r in drawn if r.class_name == "ER+"])
    other = shapely.union_all([r.geometry for r in drawn if r.class_name == "non-tumour"])
    assert tumour.intersection(other).area == 0


def test_very_large_slides_get_none(tmp_path) -> None:
    assert not draw_regions(tmp_path / "large.tif", "he", (60_000, 60_000), (0.5, 0.5))
    assert not drawn_path(tmp_path / "large.tif").exists()
