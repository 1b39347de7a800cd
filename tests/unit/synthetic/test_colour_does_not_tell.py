"""Status shows in form, not in colour: the check that the demo models stand on."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_her2.synthetic import HeScene
from napari_her2.types import BIOMARKERS

SCENES = 30
FIELD, STRIDE = 512, 256  # pixels of 2 µm


def _form(tile: NDArray[np.uint8]) -> list[float]:
    """Band energies of the tile with its colour and contrast taken away."""
    red = np.log(tile[..., 0].astype(np.float32) + 10)
    rest = np.log(tile[..., 1].astype(np.float32) + 10) - red
    out: list[float] = []
    for channel in (red, rest):
        level = (channel - channel.mean()) / (channel.std() + 1e-6)
        for _ in range(5):
            for sigma in (0.8, 1.3):
                band = cv2.GaussianBlur(level, (0, 0), sigma)
                band = band - cv2.GaussianBlur(level, (0, 0), sigma * 1.6)
                spread = float(band.std()) + 1e-9
                out += [spread, float((band**3).mean()) / spread**3]
            level = cv2.pyrDown(level)
    return out


Row = tuple[NDArray, list[float], list[int], int]


def _scene(seed: int) -> list[Row]:
    cv2.setNumThreads(1)
    scene = HeScene(seed, 2200.0)
    image, labels = scene.render(2.0), scene.label_map(32.0)
    rows: list[Row] = []
    for y in range(0, image.shape[0] - FIELD + 1, STRIDE):
        for x in range(0, image.shape[1] - FIELD + 1, STRIDE):
            middle = ((y + FIELD // 2) // 16, (x + FIELD // 2) // 16)
            at = [int(labels[b][middle]) for b in BIOMARKERS]
            if at[0] < 0:
                continue
            tile = image[y : y + FIELD, x : x + FIELD]
            rows.append((tile.reshape(-1, 3).mean(0), _form(tile), at, seed))
    return rows


@pytest.fixture(scope="module")
def tiles() -> tuple[NDArray, ...]:
    # Drawing the scenes takes over a minute: with both cores, half of it.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=spawn) as pool:
        scenes = list(pool.map(_scene, range(700, 700 + SCENES), chunksize=3))
    rows = [row for scene in scenes for row in scene]
    return tuple(np.array(column) for column in zip(*rows, strict=True))


def _auc(features: NDArray, positive: NDArray, group: NDArray) -> float:
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=3000, C=0.3))
    p = cross_val_predict(
        model, features, positive, groups=group, cv=GroupKFold(10), method="predict_proba"
    )
    return float(roc_auc_score(positive, p[:, 1]))


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("index", range(3), ids=BIOMARKERS)
def test_mean_colour_does_not_tell_the_status_but_form_does(tiles, index: int) -> None:
    colour, form, label, group = tiles
    positive = (label[:, index] == 0).astype(int)
    told_by_colour = _auc(colour, positive, group)
    told_by_form = _auc(form, positive, group)
    assert told_by_colour < 0.65
    assert told_by_form > 0.75
