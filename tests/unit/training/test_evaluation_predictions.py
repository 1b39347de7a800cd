"""The table of predictions: written and read back, read from elsewhere, and its worst rows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from made_predictions import made_predictions

from napari_her2.errors import BadLabelSetError
from napari_her2.training.predictions import Predictions, read_predictions, write_predictions


def made(n: int = 50) -> Predictions:
    truth, probs, groups = made_predictions(n)
    return Predictions(
        ("tumour 0", "3+", "Ärzte"), truth, probs, groups,
        np.where(np.arange(n) % 2, "test", "train"),
        np.arange(n) + 0.5, np.arange(n) * 2.0, np.arange(n),
    )  # fmt: skip


def test_what_is_written_is_read(tmp_path: Path):
    wrote = made()
    write_predictions(tmp_path / "p.parquet", wrote)
    read = read_predictions(tmp_path / "p.parquet")
    assert read.classes == wrote.classes
    for name in ("truth", "slide", "split", "x_px", "y_px", "row"):
        assert (getattr(read, name) == getattr(wrote, name)).all()
    assert read.probs == pytest.approx(wrote.probs, abs=1e-7)
    assert len(read.of_split("test")) == 25
    assert len(read.of_split("all")) == 50


def test_a_table_from_elsewhere_needs_truth_and_probabilities_only(tmp_path: Path):
    path = tmp_path / "p.parquet"
    pq.write_table(
        pa.table({"truth": ["a", "b"], "prob_a": [0.7, 0.2], "prob_b": [0.3, 0.8]}), path
    )
    read = read_predictions(path)
    assert read.classes == ("a", "b")
    assert read.truth.tolist() == [0, 1]
    assert np.isnan(read.x_px).all()
    assert set(read.slide) == {""}


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"prob_a": [0.5], "prob_b": [0.5]}, "needs a column"),
        ({"truth": ["a"], "prob_a": [1.0]}, "needs a column"),
        ({"truth": ["c"], "prob_a": [0.5], "prob_b": [0.5]}, "probability of “c”"),
        ({"truth": ["a"], "prob_a": [0.9], "prob_b": [0.9]}, "add up to 1"),
        ({"truth": ["a"], "prob_a": [float("nan")], "prob_b": [0.9]}, "add up to 1"),
        ({"truth": ["a"], "prob_a": ["x"], "prob_b": [0.9]}, "something else"),
    ],
)
def test_a_table_that_is_none_is_one_sentence(tmp_path: Path, columns: dict, said: str):
    path = tmp_path / "p.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(BadLabelSetError, match=said):
        read_predictions(path)


def test_a_file_that_is_none_is_one_sentence(tmp_path: Path):
    with pytest.raises(BadLabelSetError, match="no such file"):
        read_predictions(tmp_path / "p.parquet")
    (tmp_path / "p.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(BadLabelSetError, match=r"p\.parquet is not a table"):
        read_predictions(tmp_path / "p.parquet")


def test_the_worst_are_the_surest_of_the_wrong_class():
    p = made(300)
    worst = p.worst(10)
    assert len(worst) == 10
    assert (p.called[worst] != p.truth[worst]).all()
    at = np.arange(len(p))
    gap = p.probs[at, p.called] - p.probs[at, p.truth]
    assert (np.diff(gap[worst]) <= 0).all()
    assert gap[worst[0]] == gap.max()
    cell = p.in_cell(0, 1)
    assert set(cell) == set(np.flatnonzero((p.truth == 0) & (p.called == 1)))
