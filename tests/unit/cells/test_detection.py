"""Nuclei of a window: what is found, exactly as by a plain pipeline, and what is left alone."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
from painted_cells import GLASS, field, hits, paint
from skimage.measure import regionprops_table
from skimage.segmentation import watershed

from napari_her2.cells.calibration import calibrate
from napari_her2.cells.combined import combined_image
from napari_her2.cells.detection import find_nuclei, landscape
from napari_her2.cells.detection_settings import SETTINGS
from napari_her2.cells.markers import find_markers, strict_heights
from napari_her2.cells.stain_planes import read_planes, stain_planes
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.tiles.tissue import find_tissue


def look(rgb, mode="her2-ihc", mpp=(0.5, 0.5)):
    slide = ArraySlide([rgb], mpp, "painted")
    calibration = calibrate(slide, find_tissue(slide, qc=False), mode)
    window = read_planes(slide, calibration, 0, 0, calibration.width, calibration.height)
    return window, calibration


def centres_xy(nuclei):
    return nuclei.centres_yx[:, ::-1] + 0.5


def plain_centres(window, calibration):
    """The whole mask flooded at once, centres by scikit-image."""
    land = landscape(window, calibration)
    seeds = np.zeros(land.mask.shape, np.int32)
    seeds.ravel()[land.markers] = np.arange(1, len(land.markers) + 1)
    labels = watershed(-land.height, seeds, mask=land.mask > 0)
    table = regionprops_table(labels, properties=("centroid", "area"))
    kept = table["area"] >= max(1, land.least_px)
    return np.stack([table["centroid-0"], table["centroid-1"]], axis=1)[kept]


@pytest.mark.parametrize("mode", ["her2-ihc", "nuclear-ihc", "he"])
def test_nuclei_are_found_where_they_were_painted(mode):
    rgb, truth = field(seed=1)
    nuclei = find_nuclei(*look(rgb, mode))
    assert len(nuclei) == len(truth)
    assert hits(centres_xy(nuclei), truth, 1.5) == len(truth)
    assert 40 < np.median(nuclei.area_px) * 0.25 < 80


def test_the_same_centres_as_flooding_the_whole_mask():
    """Crowded nuclei touch: clumps are divided as a plain pipeline divides the whole window."""
    rgb, _ = field(pitch_um=8.5, seed=2)
    window, calibration = look(rgb)
    nuclei = find_nuclei(window, calibration)
    plain = plain_centres(window, calibration)
    n = cv2.connectedComponents(landscape(window, calibration).mask, connectivity=4)[0] - 1
    assert len(plain) == len(nuclei) > 1.2 * n
    np.testing.assert_allclose(nuclei.centres_yx, plain, rtol=0, atol=1e-6)


def test_labels_areas_and_centres_say_the_same():
    rgb, _ = field(pitch_um=9, seed=3)
    nuclei = find_nuclei(*look(rgb))
    assert nuclei.labels.dtype == np.int32
    assert nuclei.labels.max() == len(nuclei)
    area = np.bincount(nuclei.labels.ravel(), minlength=len(nuclei) + 1)[1:]
    np.testing.assert_array_equal(area, nuclei.area_px)
    y, x = nuclei.markers_yx.T
    np.testing.assert_array_equal(nuclei.labels[y, x], np.arange(1, len(nuclei) + 1))


def test_nuclei_between_stained_membranes():
    rgb, truth = field(blue=0.35, brown=0.9, seed=4)
    nuclei = find_nuclei(*look(rgb))
    assert hits(centres_xy(nuclei), truth, 4) >= 0.97 * len(truth)
    assert len(nuclei) <= 1.1 * len(truth)


def test_cells_seen_by_their_membrane_alone():
    """3+ hides nuclei: a pale place with a brown wall all round is a cell."""
    rgb, truth = field(blue=0.1, ground=0.1, brown=1.0, seed=5)
    window, calibration = look(rgb)
    # Here the most frequent bright colour is that of cells.
    calibration = replace(calibration, background=tuple(GLASS))
    found = centres_xy(find_nuclei(window, calibration))
    assert hits(found, truth, 6) >= 0.9 * len(truth)


def test_an_empty_ring_of_glass_is_no_cell():
    rgb, truth = field(blue=0.0, ground=0.0, brown=1.0, seed=5)
    window, calibration = look(rgb)
    assert hits(centres_xy(find_nuclei(window, calibration)), truth, 6) <= 0.05 * len(truth)


def test_clumps_of_dab_are_objects():
    rng = np.random.default_rng(6)
    haematoxylin = np.full((500, 500), 0.06, np.float32)
    dab = np.full((500, 500), 0.02, np.float32)
    truth = rng.uniform(30, 470, (25, 2))
    for x, y in truth:
        cv2.circle(dab, (int(x), int(y)), 8, 1.0, -1)
    rgb = paint(haematoxylin, cv2.GaussianBlur(dab, (0, 0), 1))
    assert hits(centres_xy(find_nuclei(*look(rgb))), truth, 5) >= 20


def test_brown_nuclei_count_in_nuclear_mode():
    rng = np.random.default_rng(7)
    haematoxylin = np.full((500, 500), 0.05, np.float32)
    dab = np.full((500, 500), 0.02, np.float32)
    truth = np.array([(x, y) for x in range(40, 480, 44) for y in range(40, 480, 44)], float)
    brown = rng.random(len(truth)) < 0.4
    for (x, y), is_brown in zip(truth, brown, strict=True):
        cv2.circle(haematoxylin, (int(x), int(y)), 8, 0.35, -1)
        if is_brown:
            cv2.circle(dab, (int(x), int(y)), 8, 1.1, -1)
    planes = [cv2.GaussianBlur(p, (0, 0), 1) for p in (haematoxylin, dab)]
    found = centres_xy(find_nuclei(*look(paint(*planes), "nuclear-ihc")))
    for kind in (truth[brown], truth[~brown]):
        assert hits(found, kind, 4) == len(kind)


@pytest.mark.parametrize("mode", ["her2-ihc", "nuclear-ihc", "he"])
@pytest.mark.parametrize("shape", [(1, 1), (7, 300), (40, 40)])
def test_tiny_windows(mode, shape):
    _, calibration = look(field(seed=1)[0], mode)
    rgb = np.full((*shape, 3), 90, np.uint8)
    nuclei = find_nuclei(stain_planes(rgb, calibration), calibration)
    assert nuclei.labels.shape == shape
    assert len(nuclei) <= 1


@pytest.mark.parametrize("mode", ["her2-ihc", "nuclear-ihc", "he"])
def test_nothing_in_a_field_of_one_colour(mode):
    _, calibration = look(field(seed=1)[0], mode)
    for grey in (255, 200, 0):
        rgb = np.full((300, 300, 3), grey, np.uint8)
        nuclei = find_nuclei(stain_planes(rgb, calibration), calibration)
        assert len(nuclei) <= 1


def test_a_pixel_does_not_depend_on_the_window():
    """Contrast and heights of a window equal those of a larger one, away from its edge."""
    rgb, _ = field(pitch_um=9, seed=8)
    window, calibration = look(rgb)
    part = stain_planes(rgb[101:421, 83:403].copy(), calibration, origin=(83, 101))
    settings = SETTINGS["her2-ihc"]
    whole = combined_image(window, calibration.background, settings)
    piece = combined_image(part, calibration.background, settings)
    inner, same = np.s_[50:-50, 50:-50], np.s_[151:371, 133:353]
    np.testing.assert_array_equal(piece.contrast[inner], whole.contrast[same])
    np.testing.assert_array_equal(piece.intensity[inner], whole.intensity[same])
    no_brown = replace(calibration, mode="he", threshold=calibration.threshold)
    a, b = landscape(window, no_brown), landscape(part, no_brown)
    np.testing.assert_array_equal(b.height[inner], a.height[same])


def test_heights_are_strict_within_sixteen_pixels():
    heights = strict_heights(np.full((64, 80), 65535, np.uint16), 5, 9)
    for y, x in ((0, 0), (13, 31), (48, 64)):
        assert len(np.unique(heights[y : y + 16, x : x + 16])) == 256
    levels = np.arange(64 * 80, dtype=np.uint16).reshape(64, 80)
    order = np.argsort(strict_heights(levels, 0, 0).ravel())
    np.testing.assert_array_equal(order, np.arange(64 * 80))


def test_a_shoulder_is_no_marker_and_a_second_summit_is():
    x = np.arange(60)
    profile = np.maximum(1000 - 20 * np.abs(x - 20), 900 - 20 * np.abs(x - 32))
    mask = np.full((21, 60), 255, np.uint8)
    levels = np.tile(np.clip(profile, 0, None), (21, 1)) - 20 * np.abs(np.arange(21) - 10)[:, None]
    heights = strict_heights(np.clip(levels, 0, None).astype(np.uint16), 0, 0)
    # From 900 at x = 32 the way to the summit dips to about 830.
    few = find_markers(heights, mask, 3, 16, 100 * 256)
    many = find_markers(heights, mask, 3, 16, 50 * 256)
    assert [divmod(int(i), 60) for i in few] == [(10, 20)]
    assert [divmod(int(i), 60) for i in many] == [(10, 20), (10, 32)]
