"""The H&E scene: same seed same pixels, any window the same, labels where the tissue is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from napari_her2.synthetic import HeScene
from napari_her2.synthetic.morphology import draw_morphology, draw_statuses
from napari_her2.synthetic.nuclei import Kind
from napari_her2.types import BIOMARKERS


@pytest.fixture(scope="module")
def scene() -> HeScene:
    return HeScene(11, 1600.0, {"ER": True, "PR": False, "HER2": True}, heterogeneous=False)


def test_the_same_seed_gives_the_same_pixels_and_another_seed_does_not(scene: HeScene) -> None:
    again = HeScene(11, 1600.0, {"ER": True, "PR": False, "HER2": True}, heterogeneous=False)
    region = (400.0, 300.0, 500.0, 400.0)
    assert np.array_equal(scene.render(1.0, region), again.render(1.0, region))
    assert not np.array_equal(scene.render(1.0, region), HeScene(12, 1600.0).render(1.0, region))


@pytest.mark.parametrize("mpp", [0.25, 0.5, 1.0, 2.0, 0.499])
def test_a_window_is_a_piece_of_the_whole(scene: HeScene, mpp: float) -> None:
    large = scene.pixels(mpp, 300, 210, 700, 420)
    small = scene.pixels(mpp, 460, 300, 130, 95)
    assert np.array_equal(large[90:185, 160:290], small)


def test_pixel_sizes_show_the_same_content(scene: HeScene) -> None:
    region = (512.0, 512.0, 512.0, 512.0)
    fine = scene.render(0.5, region).astype(float)
    coarse = scene.render(2.0, region).astype(float)
    reduced = fine.reshape(256, 4, 256, 4, 3).mean((1, 3))
    one = reduced.mean(2) - reduced.mean()
    two = coarse.mean(2) - coarse.mean()
    correlation = (one * two).sum() / np.sqrt((one**2).sum() * (two**2).sum())
    assert correlation > 0.93
    assert np.abs(reduced.mean((0, 1)) - coarse.mean((0, 1))).max() < 8


def test_shape_and_type_follow_the_pixel_size(scene: HeScene) -> None:
    image = scene.render(2.0)
    assert image.shape == (800, 800, 3)
    assert image.dtype == np.uint8


def test_labels_are_tumour_where_regions_are_and_glass_where_it_is_bright(scene: HeScene) -> None:
    labels = scene.label_map(32.0)
    assert set(labels) == set(BIOMARKERS)
    assert labels["ER"].shape == (50, 50)
    assert labels["ER"].dtype == np.int8
    assert set(np.unique(labels["ER"])) <= {-1, 0, 2}  # ER+ everywhere, so no negative tumour
    assert set(np.unique(labels["PR"])) <= {-1, 1, 2}
    bright = scene.render(32.0).min(2)
    assert np.median(bright[labels["ER"] == -1]) > 225
    assert np.median(bright[labels["ER"] == 0]) < 200


def test_the_slide_status_is_that_of_most_of_the_tumour() -> None:
    for seed in range(40, 60):
        scene = HeScene(seed, 2400.0, heterogeneous=True)
        regions = scene.tissue.layout.regions
        if len({tuple(r.statuses.items()) for r in regions}) < 2:
            continue
        for name in BIOMARKERS:
            positive = sum(r.area_mm2 for r in regions if r.statuses[name])
            total = sum(r.area_mm2 for r in regions)
            assert scene.slide_statuses[name] == (positive > total / 2)
        labels = scene.label_map(32.0)
        assert any({0, 1} <= set(np.unique(labels[name])) for name in BIOMARKERS)
        return
    pytest.fail("no heterogeneous scene among twenty")


def test_all_eight_combinations_occur() -> None:
    rng = np.random.default_rng(0)
    seen = {tuple(draw_statuses(rng).values()) for _ in range(300)}
    assert len(seen) == 8


def test_cues_follow_the_published_directions() -> None:
    rng = np.random.default_rng(1)
    looks = {
        combination: [
            draw_morphology(rng, dict(zip(BIOMARKERS, combination, strict=True))) for _ in range(60)
        ]
        for combination in itertools.product((True, False), repeat=3)
    }

    def mean(index: int, value: bool, attribute: str) -> float:
        chosen = [m for c, ms in looks.items() if c[index] == value for m in ms]
        return float(np.mean([getattr(m, attribute) for m in chosen]))

    assert mean(0, True, "nucleus_um") < mean(0, False, "nucleus_um") - 4  # low grade -> ER+
    assert mean(0, True, "tils") < mean(0, False, "tils") / 4  # TILs -> ER-
    assert mean(1, True, "desmoplasia") > mean(1, False, "desmoplasia") + 0.5
    assert mean(1, True, "nucleus_um") < mean(1, False, "nucleus_um")  # high grade -> PR-
    assert mean(2, True, "nucleus_um") > mean(2, False, "nucleus_um")  # low grade -> HER2-
    assert mean(2, True, "cytoplasm_um") > mean(2, False, "cytoplasm_um") + 4
    lobular = [c for c, ms in looks.items() for m in ms if m.architecture == "single-file"]
    assert np.mean([c[1] for c in lobular]) > 0.8  # lobular -> PR+
    assert np.mean([c[2] for c in lobular]) < 0.2  # lobular -> HER2-


def test_grade_shows_in_the_nuclei_that_are_drawn() -> None:
    size = {}
    for er in (True, False):
        scene = HeScene(21, 1500.0, {"ER": er, "PR": False, "HER2": False}, heterogeneous=False)
        cells = scene.tissue.nuclei
        size[er] = float(np.sqrt(cells.area_um2[cells.kind == Kind.TUMOUR]).mean())
    assert size[False] > 1.35 * size[True]


def test_nuclei_are_dark_where_the_table_says(scene: HeScene) -> None:
    image = scene.render(0.5)[..., 0].astype(float)
    cells = scene.tissue.nuclei
    ok = (cells.x > 10) & (cells.x < 1590) & (cells.y > 10) & (cells.y < 1590)
    x, y = (cells.x[ok] / 0.5).astype(int), (cells.y[ok] / 0.5).astype(int)
    rng = np.random.default_rng(3)
    elsewhere = image[rng.integers(40, 3160, 5000), rng.integers(40, 3160, 5000)]
    assert np.median(image[y, x]) < np.median(elsewhere) - 40
