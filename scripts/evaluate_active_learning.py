"""How many labels the queue of `active.py` saves against labelling at random, on synthetic cells.

    python scripts/evaluate_active_learning.py            runs it, writes docs/active_learning.json,
                                                          the page and its figure

A pool of cells that the program found on ten synthetic HER2 slides, with its 18 features and the
true classes in the part of the reader. Every run starts with the same few labels, then asks for a
batch at a time: at random, the most unsure, or unsure and spread out. After each batch a model is
fitted anew and measured on cells of five other slides. Less than a minute of one core to draw the
slides (kept in a cache outside the repository) and about 3 to run.
"""

from __future__ import annotations

import argparse
import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from cell_training.figures import mean_interval, scores
from cell_training.pool import Cells, Split, cache_folder, load
from numpy.typing import NDArray
from sklearn.ensemble import RandomForestClassifier
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.synthetic.ihc import GENERATOR
from napari_her2.training.active import propose

REPO = Path(__file__).resolve().parents[1]
RESULTS = REPO / "docs" / "active_learning.json"
PAGE = REPO / "docs" / "active_learning.md"
FIGURE = REPO / "docs" / "figures" / "active_learning.png"

POOL = Split("active pool", 33_000, (2,) * 10)
TEST = Split("active test", 39_000, (2,) * 5)
POOL_CELLS = 8000
TEST_CELLS = 5000
START_PER_CLASS = 3
BATCH = 35
BUDGET = 1001
SEEDS = (1, 2, 3, 4, 5)
TREES = 60
TARGETS = (301, 511, 721, 1001)
"""Labels of random sampling whose macro-F1 is to be reached with fewer."""

STRATEGIES = {
    "random": {},
    "unsure": {"measure": "margin", "spread": "none"},
    "unsure, k-means++": {"measure": "margin", "spread": "k-means++"},
    "unsure, k-centre": {"measure": "margin", "spread": "k-centre"},
}

LEARNERS = ("forest", "linear", "forest, reader slips")
"""A forest of 60 trees; a logistic regression on scaled features (a linear SVM gives no
probabilities); and the forest taught by a reader who gives one cell in ten a wrong class."""

SLIPS = 0.1


@dataclass(frozen=True)
class Curve:
    """Macro-F1 on other slides after each batch of one run."""

    learner: str
    strategy: str
    seed: int
    labels: list[int]
    macro_f1: list[float]
    of_class: list[int]


def cells(cache: Path) -> tuple[Cells, Cells]:
    """Pool and test, natural shares of the classes; the same for each seed and strategy."""
    rng = np.random.default_rng(0)
    out = []
    for split, most in ((POOL, POOL_CELLS), (TEST, TEST_CELLS)):
        every, _ = load(split, cache)
        out.append(every.take(np.sort(rng.permutation(len(every))[:most])))
    return out[0], out[1]


def fitted(learner: str, seed: int, cells: Cells) -> Any:
    """Fit one of :data:`LEARNERS`."""
    if learner.startswith("forest"):
        model: Any = RandomForestClassifier(TREES, random_state=seed, n_jobs=1)
    else:
        model = make_pipeline(StandardScaler(), LogisticRegression(C=1.0, max_iter=300))
    return model.fit(cells.features, cells.label)


def run(learner: str, strategy: str, seed: int, cache: Path) -> Curve:
    """One run: ask, learn, measure, until the budget is spent."""
    pool, test = cells(cache)
    rng = np.random.default_rng(seed)
    given = pool
    if "slips" in learner:
        # Which cells a reader slips on does not depend on who asks for them.
        wrong = np.random.default_rng(1000 + seed).random(len(pool)) < SLIPS
        other = np.random.default_rng(2000 + seed).integers(1, len(CELL_CLASSES), len(pool))
        label = np.where(wrong, (pool.label + other) % len(CELL_CLASSES), pool.label)
        given = replace(pool, label=label)
    # The start is the same for each strategy: a reader shows a few of each class.
    chosen = np.concatenate([
        rng.choice(np.flatnonzero(pool.label == k), START_PER_CLASS, replace=False)
        for k in range(len(CELL_CLASSES))
    ])  # fmt: skip
    labelled = np.zeros(len(pool), np.bool_)
    labelled[chosen] = True
    curve = Curve(learner, strategy, seed, [], [], [])
    while True:
        model = fitted(learner, seed, given.take(labelled))
        said = model.predict(test.features)
        curve.labels.append(int(labelled.sum()))
        curve.macro_f1.append(round(float(scores(test.label, said)[-2]), 5))
        of_class = np.bincount(pool.label[labelled], minlength=len(CELL_CLASSES))
        curve.of_class[:] = of_class.tolist()
        if labelled.sum() + BATCH > BUDGET:
            return curve
        if strategy == "random":
            rows = rng.choice(np.flatnonzero(~labelled), BATCH, replace=False)
        else:
            probs = _all_classes(model, pool.features)
            rows = propose(
                probs, pool.features, BATCH, labelled=labelled, seed=seed, **STRATEGIES[strategy]
            ).indices
        labelled[rows] = True


def _all_classes(model: Any, features: NDArray[np.float32]) -> NDArray[np.float64]:
    probs = np.zeros((len(features), len(CELL_CLASSES)))
    probs[:, model.classes_] = model.predict_proba(features)
    return probs


def needed(curve: Curve, target: float) -> float:
    """Labels at which a run first reaches a macro-F1; NaN if it never does.

    The curve is smoothed to the nearest one that never falls (isotonic regression), and read
    between its points.
    """
    smooth = IsotonicRegression().fit_transform(curve.labels, curve.macro_f1)
    if smooth[-1] < target:
        return float("nan")
    i = int(np.argmax(smooth >= target))
    if i == 0:
        return float(curve.labels[0])
    low, high = smooth[i - 1], smooth[i]
    part = (target - low) / (high - low)
    return float(curve.labels[i - 1] + part * (curve.labels[i] - curve.labels[i - 1]))


def summary(curves: list[Curve]) -> dict[str, Any]:
    """Labels saved, seed by seed: what random needs for a macro-F1 against what a strategy needs.

    The target of a seed is the smoothed macro-F1 of its random run at so many labels.
    """
    return {learner: _of_learner([c for c in curves if c.learner == learner])
            for learner in LEARNERS}  # fmt: skip


def _of_learner(curves: list[Curve]) -> dict[str, Any]:
    by = {(c.strategy, c.seed): c for c in curves}
    out: dict[str, Any] = {"savings": {}, "at": {}}
    for strategy in STRATEGIES:
        rows = {}
        for n in TARGETS:
            saved = []
            for seed in SEEDS:
                random = by["random", seed]
                smooth = IsotonicRegression().fit_transform(random.labels, random.macro_f1)
                target = float(np.interp(n, random.labels, smooth))
                first = needed(random, target)
                saved.append(100 * (1 - needed(by[strategy, seed], target) / first))
            mean, low, high = mean_interval(np.array(saved))
            seeds = [None if np.isnan(v) else v for v in saved]
            rows[str(n)] = {"mean": mean, "ci95": [low, high], "seeds": seeds}
        out["savings"][strategy] = rows
        every = np.array([by[strategy, s].macro_f1 for s in SEEDS])
        labels = by[strategy, SEEDS[0]].labels
        at = {}
        for n in (126, *TARGETS):
            column = every[:, labels.index(n)]
            mean, low, high = mean_interval(column)
            at[str(n)] = {"mean": mean, "ci95": [low, high]}
        out["at"][strategy] = at
    return out


def main() -> None:
    """Run, write numbers, page and figure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--page-only", action="store_true", help="Write the page from the numbers.")
    given = parser.parse_args()
    cache = cache_folder(given.cache)
    if not given.page_only:
        pool, test = cells(cache)
        jobs = [(m, s, seed, cache) for m in LEARNERS for s in STRATEGIES for seed in SEEDS]
        with ProcessPoolExecutor(given.workers) as workers:
            curves = list(workers.map(run, *zip(*jobs, strict=True)))
        result = {
            "generator": GENERATOR,
            "pool": {"cells": len(pool), "slides": len(POOL.tiles),
                     "by_class": np.bincount(pool.label, minlength=len(CELL_CLASSES)).tolist()},
            "test": {"cells": len(test), "slides": len(TEST.tiles),
                     "by_class": np.bincount(test.label, minlength=len(CELL_CLASSES)).tolist()},
            "batch": BATCH, "start_per_class": START_PER_CLASS, "trees": TREES,
            "seeds": list(SEEDS),
            "learners": summary(curves),
            "curves": [asdict(c) for c in curves],
        }  # fmt: skip
        RESULTS.write_text(json.dumps(result) + "\n", encoding="utf-8")
    write_page(json.loads(RESULTS.read_text(encoding="utf-8")))


def write_page(result: dict[str, Any]) -> None:
    """Put the numbers into the page, and draw the curves."""
    lines: list[str] = []
    for learner in LEARNERS:
        found = result["learners"][learner]
        asked = [s for s in STRATEGIES if s != "random"]
        lines += ["", f"**{learner.capitalize()}**: labels saved, mean of five seeds (95 % CI)", "",
                  "| as good as so many random labels | " + " | ".join(asked) + " |",
                  "|---" * (len(asked) + 1) + "|"]  # fmt: skip
        for n in TARGETS:
            row = []
            for strategy in asked:
                saved = found["savings"][strategy][str(n)]
                text = "{:.0f} % ({:.0f} to {:.0f})".format(saved["mean"], *saved["ci95"])
                missed = sum(v is None for v in saved["seeds"])
                row.append(text + (f", {missed} of 5 never" if missed else ""))
            lines.append(f"| {n} | " + " | ".join(row) + " |")
        lines += ["", f"**{learner.capitalize()}**: macro-F1 on other slides (95 % CI)", "",
                  "| labels | " + " | ".join(STRATEGIES) + " |",
                  "|---" * (len(STRATEGIES) + 1) + "|"]  # fmt: skip
        for n in (126, *TARGETS):
            row = [
                "{:.3f} ({:.3f} to {:.3f})".format(v["mean"], *v["ci95"])
                for v in (found["at"][s][str(n)] for s in STRATEGIES)
            ]
            lines.append(f"| {n} | " + " | ".join(row) + " |")
    lines.append("")
    text = PAGE.read_text(encoding="utf-8")
    begin, end = "<!-- figures: begin -->", "<!-- figures: end -->"
    head, tail = text.split(begin)[0], text.split(end)[1]
    PAGE.write_text(f"{head}{begin}\n" + "\n".join(lines) + f"\n{end}{tail}", encoding="utf-8")
    draw(result)


def draw(result: dict[str, Any]) -> None:
    """Mean curve of each strategy with its interval over seeds."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(
        1, len(LEARNERS), figsize=(12.0, 3.8), dpi=110, layout="constrained", sharey=True
    )
    styles = {"random": ("#595959", "-"), "unsure": ("#B35900", ":"),
              "unsure, k-means++": ("#0B5CAD", "-"),
              "unsure, k-centre": ("#7A3E9D", "--")}  # fmt: skip
    for axis, learner in zip(axes, LEARNERS, strict=True):
        for strategy, (colour, line) in styles.items():
            runs = [c for c in result["curves"]
                    if (c["learner"], c["strategy"]) == (learner, strategy)]  # fmt: skip
            every = np.array([c["macro_f1"] for c in runs])
            labels = runs[0]["labels"]
            bands = np.array([mean_interval(column) for column in every.T])
            axis.plot(labels, bands[:, 0], line, color=colour, label=strategy)
            axis.fill_between(labels, bands[:, 1], bands[:, 2], color=colour, alpha=0.12, lw=0)
        axis.set_title(learner)
        axis.set_xlabel("labels")
        axis.grid(alpha=0.25)
    axes[0].set_ylabel("macro-F1 on other slides")
    axes[-1].legend(frameon=False, loc="lower right")
    FIGURE.parent.mkdir(exist_ok=True)
    figure.savefig(FIGURE)
    plt.close(figure)


if __name__ == "__main__":
    main()
