"""HER2 staining: what the table says is what the pixels show."""

from __future__ import annotations

import numpy as np
import pytest

from napari_her2.synthetic import HeScene, IhcScene
from napari_her2.synthetic.ihc import CLASSES, MIXED, SCORES, case_score
from napari_her2.synthetic.nuclei import Kind

MPP = 0.25


@pytest.fixture(scope="module")
def scene() -> IhcScene:
    return IhcScene(9_000_103, 512.0, tumour_share=0.95)


def _dab_od(scene: IhcScene) -> np.ndarray:
    """Absorbance (base 10) along the DAB vector, by unmixing with the slide's own vectors."""
    rgb = scene.render(MPP).astype(float)
    od = -np.log10(np.clip(rgb, 1, None) / np.array(scene.stains.background))
    basis = np.array([scene.stains.first, scene.stains.second])
    amounts, *_ = np.linalg.lstsq(basis.T, od.reshape(-1, 3).T, rcond=None)
    return np.asarray(amounts[1].reshape(rgb.shape[:2]))


def test_every_class_occurs_with_the_columns_of_the_table(scene: IhcScene) -> None:
    table = scene.cell_table()
    assert {len(v) for v in table.values()} == {len(table["x_um"])}
    assert set(CLASSES) - {"normal"} <= set(table["class"])
    tumour = np.char.startswith(table["class"], "tumour")
    assert np.isfinite(table["membrane_completeness"][tumour]).all()
    assert np.isnan(table["membrane_completeness"][~tumour]).all()
    assert (table["nucleus_area_um2"] > 0).all()


def test_completeness_and_strength_follow_the_scores(scene: IhcScene) -> None:
    m = scene.membranes
    complete = [m.completeness[m.score == k].mean() for k in range(4)]
    od = [m.od[m.score == k].mean() for k in range(4)]
    assert complete[0] < 0.1 < complete[1] < 0.7 < complete[2] <= 1
    assert complete[3] > 0.9
    assert od == sorted(od)
    assert od[3] > 0.7 > 0.5 > od[2] > 0.25 > od[1]


def test_stained_stretches_are_brown_and_unstained_ones_are_not(scene: IhcScene) -> None:
    dab = _dab_od(scene)
    m = scene.membranes
    middle = (m.outline + np.roll(m.outline, -1, 1)) / 2
    col, row = (middle[..., 0] / MPP).astype(int), (middle[..., 1] / MPP).astype(int)
    h, w = dab.shape
    ok = (col > 2) & (row > 2) & (col < w - 2) & (row < h - 2)
    seen = dab[np.clip(row, 0, h - 1), np.clip(col, 0, w - 1)]
    strong = ok & m.stained & (m.score == 3)[:, None]
    assert np.median(seen[strong]) > 0.5
    none = ok & ~m.stained & (m.score == 0)[:, None]
    assert np.median(seen[none]) < 0.12


def test_intensity_in_the_pixels_tracks_the_table(scene: IhcScene) -> None:
    dab = _dab_od(scene)
    m = scene.membranes
    seen, told = [], []
    for i in np.flatnonzero(m.completeness > 0.8):
        x, y = m.outline[i, :, 0] / MPP, m.outline[i, :, 1] / MPP
        if x.min() < 2 or y.min() < 2 or x.max() > dab.shape[1] - 3 or y.max() > dab.shape[0] - 3:
            continue
        seen.append(np.median(dab[y.astype(int), x.astype(int)]))
        told.append(m.od[i])
    assert len(told) > 50
    assert np.corrcoef(seen, told)[0, 1] > 0.85


def test_a_leading_score_leads() -> None:
    for score in SCORES:
        percent = IhcScene(31, 500.0, score, tumour_share=0.9).percent()
        assert max(percent, key=lambda k: percent[k]) == score
        assert sum(percent.values()) == pytest.approx(100)


def test_patches_hold_mostly_their_own_class(scene: IhcScene) -> None:
    cells = scene.tissue.nuclei.take(np.isin(scene.tissue.nuclei.kind, (Kind.TUMOUR,)))
    r = np.clip((cells.y / 16).astype(int), 0, scene.patches.shape[0] - 1)
    c = np.clip((cells.x / 16).astype(int), 0, scene.patches.shape[1] - 1)
    patch = scene.patches[r, c]
    kinds = scene.tissue.nuclei.kind[np.isin(scene.tissue.nuclei.kind, (0, 3, 4))]
    score = scene.membranes.score[kinds == Kind.TUMOUR]
    pure = patch != MIXED
    assert (score[pure] == patch[pure]).mean() > 0.8


def test_a_pair_is_stained_as_its_status_asks() -> None:
    for positive in (True, False):
        he = HeScene(41, 1500.0, {"ER": True, "PR": True, "HER2": positive}, heterogeneous=False)
        ihc = IhcScene(41, 1500.0, tissue=he.tissue)
        percent = ihc.percent()
        high = percent["2+"] + percent["3+"]
        assert (high > 50) == positive


@pytest.mark.parametrize(
    ("percent", "score"),
    [
        ({"0": 80.0, "1+": 9.0, "2+": 0.0, "3+": 11.0}, "3+"),
        ({"0": 67.0, "1+": 20.0, "2+": 5.0, "3+": 8.0}, "2+"),  # complete staining is summed
        ({"0": 85.0, "1+": 15.0, "2+": 0.0, "3+": 0.0}, "1+"),
        ({"0": 90.0, "1+": 10.0, "2+": 0.0, "3+": 0.0}, "0"),
    ],
)
def test_the_case_score_follows_the_guideline(percent: dict, score: str) -> None:
    assert case_score(percent) == score


def test_windows_of_a_her2_scene_agree(scene: IhcScene) -> None:
    large = scene.pixels(0.5, 100, 60, 500, 300)
    assert np.array_equal(large[50:150, 40:140], scene.pixels(0.5, 140, 110, 100, 100))
