"""Cores and fields without a pyramid or a pixel size go through the whole chain."""

from __future__ import annotations

import pytest

from napari_her2.errors import StainMismatchError, UnknownMppError
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_request import CellsRequest

pytestmark = pytest.mark.shared

CORE = "her2-ihc-gea-cores/2_0123a214-85b7-4804-86db-474b05a4ae57.jpg"
FIELDS = [
    (CORE, 0.23, "gea"),
    ("her2-ihc-ezeher/case08_09_3plus.jpg", 0.35, "breast"),
    ("her2-ihc-ezeher/case02_05_0.jpg", 0.35, "breast"),
    ("her2-bci-pairs/00820_2plus_IHC.png", 0.46, "breast"),
]


def outcome(path, **options):
    return list(score_cells(CellsRequest(slide=path, **options), partials=False))[-1]


@pytest.mark.parametrize(("name", "mpp", "organ"), FIELDS)
def test_a_core_or_field_is_scored_with_the_pixel_size_given(shared_data, name, mpp, organ):
    end = outcome(shared_data / name, mpp=mpp, organ=organ)
    assert end.status == "completed", end.error
    document = end.document
    assert document["assessable"], document["reason"]
    assert document["tumour_cells"] >= 100
    assert sum(document["percent"].values()) == pytest.approx(100)
    assert document["ihc"] in {"0", "1+", "2+", "3+"}


@pytest.mark.parametrize(("name", "mpp", "organ"), FIELDS[:1] + FIELDS[-1:])
def test_its_pixel_size_is_never_guessed(shared_data, name, mpp, organ):
    end = outcome(shared_data / name, organ=organ)
    assert end.status == "failed"
    assert isinstance(end.error, UnknownMppError)
    assert end.error.exit_code == 4
    assert "--mpp" in end.error.sentence


@pytest.mark.parametrize("stain", ["her2-ihc", "nuclear-ihc"])
@pytest.mark.parametrize(
    "name",
    ["her2-bci-pairs/00820_2plus_HE.png", "wsi-aperio-cmu1-small/CMU-1-Small-Region.svs"],
)
def test_h_and_e_is_refused_for_immunostains(shared_data, name, stain):
    end = outcome(shared_data / name, mpp=0.5, stain=stain)
    assert end.status == "failed"
    assert isinstance(end.error, StainMismatchError)
    assert end.error.exit_code == 4
    assert not end.document["scores"]


def test_immunostains_are_refused_for_h_and_e(shared_data):
    end = outcome(shared_data / "her2-ihc-ezeher" / "case08_09_3plus.jpg", mpp=0.35, stain="he")
    assert isinstance(end.error, StainMismatchError)
