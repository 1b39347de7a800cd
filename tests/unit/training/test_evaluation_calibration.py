"""Calibration: bins, error, temperature."""

from __future__ import annotations

import numpy as np
import pytest
from made_predictions import made_predictions

from napari_her2.training.calibration import (
    calibration_bins,
    expected_calibration_error,
    fit_temperature,
    negative_log_likelihood,
    with_temperature,
)


def test_error_by_hand():
    """Four calls of 0.9 of which three are right, two of 0.6 of which none is."""
    probs = np.array([[0.9, 0.1]] * 4 + [[0.6, 0.4]] * 2)
    truth = [0, 0, 0, 1, 1, 1]
    expected = (4 * abs(0.75 - 0.9) + 2 * abs(0 - 0.6)) / 6
    assert expected_calibration_error(truth, probs) == pytest.approx(expected)


def test_every_prediction_is_in_one_bin():
    truth, probs, _ = made_predictions()
    probs[0] = (1, 0, 0)
    bins = calibration_bins(truth, probs)
    assert len(bins) == 15
    assert sum(b.n for b in bins) == len(truth)
    for b in bins:
        if b.n:
            assert b.low <= b.confidence <= b.high
        else:
            assert b.confidence is None
            assert b.right is None


@pytest.mark.parametrize("sharpened", [0.3, 3.0])
def test_temperature_mends_sharpened_probabilities(sharpened):
    """P4 asks that the calibration error falls."""
    truth, probs, _ = made_predictions(4000)
    spoilt = with_temperature(probs, sharpened)
    found = fit_temperature(truth, spoilt)
    assert found == pytest.approx(1 / sharpened, rel=0.06)
    mended = with_temperature(spoilt, found)
    assert expected_calibration_error(truth, mended) < expected_calibration_error(truth, spoilt) / 3
    assert negative_log_likelihood(truth, mended) < negative_log_likelihood(truth, spoilt)
    assert (mended.argmax(axis=1) == spoilt.argmax(axis=1)).all()
    assert mended.sum(axis=1) == pytest.approx(1)


def test_nothing_to_fit_changes_nothing():
    assert fit_temperature([], np.zeros((0, 3))) == 1.0
    with pytest.raises(ValueError, match="not above 0"):
        with_temperature([[0.5, 0.5]], 0)
