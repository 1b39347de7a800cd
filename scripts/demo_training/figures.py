"""Figures of a demo model with confidence intervals that respect slides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from demo_training.pool import BIOMARKERS
from demo_training.scoring import ScoredSlide
from napari_her2.models.protocols import SlideAggregator

RESAMPLES = 1000
Figure = dict[str, Any]


def tile_figures(
    test: Sequence[ScoredSlide], reference: Sequence[ScoredSlide], biomarker: str
) -> dict[str, Figure]:
    """Tile AUC of positive against the rest, and what mean colour alone reaches.

    Parameters
    ----------
    test : sequence of ScoredSlide
        Held-out slides.
    reference : sequence of ScoredSlide
        Slides on which the mean-colour baseline (logistic regression on mean R, G, B) is fitted.
    biomarker : str
        ``ER``, ``PR`` or ``HER2``.

    Returns
    -------
    dict of str to dict
        ``value``, ``ci95``, ``n`` and ``unit`` by metric. Intervals resample whole slides 1,000
        times, since tiles of one slide resemble each other.
    """
    k = BIOMARKERS.index(biomarker)
    model = LogisticRegression(C=1e3, max_iter=5000)
    colour = np.concatenate([s.colour for s in reference])
    mean, spread = colour.mean(0), colour.std(0)
    truth = np.concatenate([s.tile_truth[k] for s in reference]) == 0
    model.fit((colour - mean) / spread, truth)
    baseline = [model.predict_proba((s.colour - mean) / spread)[:, 1] for s in test]
    positive = [s.probs[biomarker][:, 0] for s in test]
    by_tile = [s.tile_truth[k] == 0 for s in test]
    by_cell = [s.cell_truth[k] == 0 for s in test]
    return {
        "tile AUC, positive against rest": _grouped(positive, by_tile),
        "tile AUC, truth of the heatmap cell": _grouped(positive, by_cell),
        "tile AUC of mean colour alone (baseline)": _grouped(baseline, by_tile),
    }


def slide_figures(
    test: Sequence[ScoredSlide], biomarker: str, aggregator: SlideAggregator
) -> dict[str, Figure]:
    """Slide AUC over assessable slides; how many were not is part of the figure."""
    scores, truth = [], []
    for slide in test:
        result = aggregator.aggregate(slide.probs[biomarker])
        if result.probability is not None:
            scores.append(result.probability)
            truth.append(slide.statuses[biomarker])
    figure = _grouped([np.array([s]) for s in scores], [np.array([t]) for t in truth])
    figure["unit"] = "slides"
    figure["not_assessable"] = len(test) - len(scores)
    return {"slide AUC": figure}


def slide_rows(
    test: Sequence[ScoredSlide], biomarker: str, aggregator: SlideAggregator
) -> list[dict[str, Any]]:
    """Seed, truth and probability of each slide; the probability is None where not assessable."""
    rows = []
    for slide in test:
        p = aggregator.aggregate(slide.probs[biomarker]).probability
        row = {"seed": slide.seed, "positive": slide.statuses[biomarker]}
        rows.append({**row, "probability": None if p is None else round(p, 4)})
    return rows


def _grouped(
    scores: Sequence[NDArray[Any]], truth: Sequence[NDArray[np.bool_]], seed: int = 0
) -> Figure:
    value = roc_auc_score(np.concatenate(truth), np.concatenate(scores))
    rng = np.random.default_rng(seed)
    drawn = []
    while len(drawn) < RESAMPLES:
        pick = rng.integers(len(scores), size=len(scores))
        y = np.concatenate([truth[i] for i in pick])
        if y.all() or not y.any():
            continue
        drawn.append(roc_auc_score(y, np.concatenate([scores[i] for i in pick])))
    low, high = np.percentile(drawn, [2.5, 97.5])
    n = sum(len(s) for s in scores)
    return {
        "value": round(float(value), 4),
        "ci95": [round(float(low), 4), round(float(high), 4)],
        "n": n,
        "unit": "tiles",
        "slides": len(scores),
    }
