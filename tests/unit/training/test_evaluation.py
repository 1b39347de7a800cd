"""Figures of a test: values against scikit-learn, intervals against plain resampling."""

from __future__ import annotations

import json
import time

import numpy as np
import pytest
from made_predictions import made_predictions
from sklearn import metrics as sk

from napari_her2.errors import CannotTrainError
from napari_her2.training.evaluation import Evaluation, evaluate_predictions

CLASSES = ("a", "b", "c")


def test_values_are_scikit_learns():
    truth, probs, groups = made_predictions()
    found = evaluate_predictions(truth, probs, CLASSES, groups, n_boot=20)
    called = probs.argmax(axis=1)
    precision, recall, f1, support = sk.precision_recall_fscore_support(truth, called)
    assert found.accuracy.value == pytest.approx(sk.accuracy_score(truth, called))
    assert found.balanced_accuracy.value == pytest.approx(sk.balanced_accuracy_score(truth, called))
    assert found.f1_macro.value == pytest.approx(f1.mean())
    assert found.f1_weighted == pytest.approx(sk.f1_score(truth, called, average="weighted"))
    assert found.auc_macro.value == pytest.approx(sk.roc_auc_score(truth, probs, multi_class="ovr"))
    assert found.log_loss.value == pytest.approx(sk.log_loss(truth, probs))
    assert (found.confusion == sk.confusion_matrix(truth, called)).all()
    for i, c in enumerate(found.classes):
        assert c.precision.value == pytest.approx(precision[i])
        assert c.recall.value == pytest.approx(recall[i])
        assert c.f1.value == pytest.approx(f1[i])
        assert c.support == support[i]
        assert c.auc.value == pytest.approx(sk.roc_auc_score(truth == i, probs[:, i]))
        ap = sk.average_precision_score(truth == i, probs[:, i])
        assert c.average_precision.value == pytest.approx(ap)


def test_brier_score_of_two_classes_is_twice_the_usual_one():
    truth, probs, _ = made_predictions(k=2)
    found = evaluate_predictions(truth, probs, ("no", "yes"), n_boot=5)
    assert found.brier.value == pytest.approx(2 * sk.brier_score_loss(truth, probs[:, 1]))


@pytest.mark.parametrize("n", [300, 1200])
def test_intervals_are_those_of_plain_resampling(n):
    """Also with more different scores than bins: binning moves the limits by next to nothing."""
    truth, probs, _ = made_predictions(n)
    found = evaluate_predictions(truth, probs, CLASSES, n_boot=1000)
    rng = np.random.default_rng(5)
    member, score = truth == 1, probs[:, 1]
    aucs, precisions, scores = [], [], []
    for _ in range(100):
        drawn = rng.integers(0, n, n)
        aucs.append(sk.roc_auc_score(member[drawn], score[drawn]))
        precisions.append(sk.average_precision_score(member[drawn], score[drawn]))
        scores.append(sk.f1_score(truth[drawn], probs[drawn].argmax(1), average="macro"))
    for estimate, plain in (
        (found.classes[1].auc, aucs),
        (found.classes[1].average_precision, precisions),
        (found.f1_macro, scores),
    ):
        wide = np.std(plain)
        assert estimate.ci95 == pytest.approx(np.percentile(plain, (2.5, 97.5)), abs=0.6 * wide)


def test_slides_are_drawn_where_there_are_five():
    """Rows of a slide that are copies of each other hold no more than one row."""
    truth, probs, _ = made_predictions(60)
    many = np.repeat(np.arange(60), 20)
    groups = np.array([f"s{i}" for i in many])
    by_slide = evaluate_predictions(truth[many], probs[many], CLASSES, groups)
    by_row = evaluate_predictions(truth[many], probs[many], CLASSES)
    assert by_slide.resampled == "group"
    assert by_slide.n_groups == 60
    assert by_row.resampled == "item"

    def width(e: Evaluation) -> float:
        assert e.accuracy.ci95 is not None
        return e.accuracy.ci95[1] - e.accuracy.ci95[0]

    assert width(by_slide) == pytest.approx(width(by_row) * np.sqrt(20), rel=0.15)


def test_few_slides_are_said():
    truth, probs, groups = made_predictions(slides=3)
    found = evaluate_predictions(truth, probs, CLASSES, groups)
    assert found.resampled == "item"
    assert any("3 slides, fewer than 5" in w for w in found.warnings)
    one = evaluate_predictions(truth, probs, CLASSES, np.full(len(truth), "s"))
    assert any("one slide" in w for w in one.warnings)


def test_a_class_without_examples_has_no_figures_and_is_named():
    truth, probs, groups = made_predictions()
    kept = truth != 2
    found = evaluate_predictions(truth[kept], probs[kept], CLASSES, groups[kept])
    last = found.classes[2]
    assert last.support == 0
    assert (last.recall.value, last.f1.value, last.auc.value) == (None, None, None)
    assert last.auc.ci95 is None
    assert last.roc is None
    assert "The test set holds no c: its figures say nothing about c." in found.warnings
    assert found.balanced_accuracy.value == pytest.approx(
        np.mean([c.recall.value for c in found.classes[:2]])
    )


def test_what_is_written_is_read_back_equal():
    truth, probs, groups = made_predictions()
    truth[truth == 2] = 1
    found = evaluate_predictions(truth, probs, CLASSES, groups, n_boot=50)
    document = json.loads(json.dumps(found.to_json(), allow_nan=False))
    again = Evaluation.from_json(document)
    assert again.to_json() == found.to_json()
    assert document["metrics"]["f1_macro"]["ci95"] == list(found.f1_macro.ci95)
    assert "recall a" in document["metrics"]


def test_the_seed_fixes_the_limits():
    truth, probs, groups = made_predictions()
    first, same, other = (
        evaluate_predictions(truth, probs, CLASSES, groups, seed=s) for s in (1, 1, 2)
    )
    assert first.to_json() == same.to_json()
    assert first.f1_macro.ci95 != other.f1_macro.ci95
    assert first.f1_macro.value == other.f1_macro.value


def test_nothing_to_test_is_one_sentence():
    with pytest.raises(CannotTrainError, match="nothing to test on"):
        evaluate_predictions([], np.zeros((0, 3)), CLASSES)
    with pytest.raises(CannotTrainError, match="1 predictions hold no usable"):
        evaluate_predictions([0, 1], [[np.nan, 0, 0], [0, 1, 0]], CLASSES)
    with pytest.raises(ValueError, match="2 answers of 3 classes"):
        evaluate_predictions([0, 7], np.full((2, 3), 1 / 3), CLASSES)


def test_curves_run_from_corner_to_corner():
    truth, probs, _ = made_predictions(3000)
    c = evaluate_predictions(truth, probs, CLASSES, n_boot=5).classes[0]
    assert c.roc is not None
    assert c.pr is not None
    assert c.mcc_f1 is not None
    assert (c.roc.x[0], c.roc.y[0], c.roc.x[-1], c.roc.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(c.roc.x) >= 0).all()
    assert (np.diff(c.roc.y) >= 0).all()
    assert (c.pr.x[0], c.pr.y[0], c.pr.x[-1]) == (0, 1, 1)
    area = np.trapezoid(c.roc.y, c.roc.x)
    assert area == pytest.approx(c.auc.value, abs=0.005)
    assert c.mcc_f1.y.max() == pytest.approx(
        max((sk.matthews_corrcoef(truth == 0, probs[:, 0] >= t) + 1) / 2
            for t in np.linspace(0.2, 0.6, 41)), abs=0.01
    )  # fmt: skip


def test_a_thousand_resamples_of_ten_thousand_cells_take_less_than_a_second():
    truth, probs, groups = made_predictions(10_000, 7, 18)
    classes = [f"c{i}" for i in range(7)]
    evaluate_predictions(truth, probs, classes, n_boot=10)
    spent = []
    for given in (None, groups):
        start = time.process_time()
        evaluate_predictions(truth, probs, classes, given)
        spent.append(time.process_time() - start)
    assert max(spent) < 1.0


def test_the_papers_tables_come_out_under_their_own_names():
    """P3's IHC tiles (accuracy .7676) and P5's status test (balanced .9430, weighted .9705)."""

    def figures(table: list[list[int]]) -> Evaluation:
        counts = np.array(table)
        k = len(counts)
        pairs = np.repeat(np.argwhere(counts >= 0), counts.ravel(), axis=0)
        probs = np.full((len(pairs), k), 0.1 / (k - 1))
        probs[np.arange(len(pairs)), pairs[:, 1]] = 0.9
        names = [str(i) for i in range(k)]
        return evaluate_predictions(pairs[:, 0], probs, names, n_boot=20)

    # Columns are the true class in P3: turned, so that rows are.
    p3 = np.array([[490, 176, 45, 0], [132, 384, 159, 0], [2, 64, 419, 1], [0, 0, 1, 623]]).T
    found = figures(p3.tolist())
    assert found.n == 2496
    assert found.accuracy.value == pytest.approx(0.7676, abs=5e-5)
    p5 = figures([[276, 15], [1, 15]])
    assert p5.balanced_accuracy.value == pytest.approx(0.9430, abs=1e-4)
    assert p5.precision_weighted == pytest.approx(0.9705, abs=1e-4)
    assert p5.f1_weighted == pytest.approx(0.9552, abs=1e-4)
