"""``predictions.parquet``: what a model answered to labelled cells or tiles, row by row.

Every figure of a test, its worst examples and the way back to the slide follow from this file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_her2.errors import BadLabelSetError
from napari_her2.results.atomic import write_stream

__all__ = [
    "PREDICTIONS",
    "Predictions",
    "join_predictions",
    "read_predictions",
    "write_predictions",
]

PREDICTIONS: Final = "predictions.parquet"
"""Name of the file in a model's folder."""

_PROB: Final = "prob_"
_MAX_ROWS: Final = 20_000_000
_TOLERANCE: Final = 0.02


@dataclass(frozen=True, slots=True)
class Predictions:
    """Answers to labelled items; the first axis of all arrays.

    Attributes
    ----------
    classes : tuple of str
        Names; ``truth`` and the columns of ``probs`` count in them.
    truth : ndarray of intp, shape (n,)
        True class.
    probs : ndarray of float64, shape (n, k)
        Probabilities.
    slide, split : ndarray of str, shape (n,)
        Where the item comes from; ``train``, ``tune``, ``test`` or empty.
    x_px, y_px : ndarray of float64, shape (n,)
        Its centre, level-0 pixels; NaN where it is not known.
    row : ndarray of int64, shape (n,)
        Its row in the label set; -1 where there is none.
    """

    classes: tuple[str, ...]
    truth: NDArray[np.intp]
    probs: NDArray[np.float64]
    slide: NDArray[np.str_]
    split: NDArray[np.str_]
    x_px: NDArray[np.float64]
    y_px: NDArray[np.float64]
    row: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def called(self) -> NDArray[np.intp]:
        """The class with the largest probability."""
        return np.asarray(self.probs.argmax(axis=1), np.intp)

    def take(self, rows: NDArray[Any]) -> Predictions:
        """Some of them, by index or mask."""
        return Predictions(
            self.classes, self.truth[rows], self.probs[rows], self.slide[rows], self.split[rows],
            self.x_px[rows], self.y_px[rows], self.row[rows],
        )  # fmt: skip

    def of_split(self, split: str) -> Predictions:
        """Those of one part of the labels; all for ``all``."""
        return self if split == "all" else self.take(self.split == split)

    def worst(self, limit: int = 24) -> NDArray[np.intp]:
        """Where the model was surest of the wrong class, worst first.

        Parameters
        ----------
        limit : int
            At most so many.

        Returns
        -------
        ndarray of intp
            Row numbers of wrong answers, by falling distance between the probability of the class
            called and that of the true one.
        """
        at = np.arange(len(self))
        gap = self.probs[at, self.called] - self.probs[at, self.truth]
        wrong = np.flatnonzero(self.called != self.truth)
        return np.asarray(wrong[np.argsort(-gap[wrong], kind="stable")][:limit], np.intp)

    def in_cell(self, truth: int, called: int) -> NDArray[np.intp]:
        """Row numbers of one cell of the confusion table, surest first."""
        found = np.flatnonzero((self.truth == truth) & (self.called == called))
        return np.asarray(found[np.argsort(-self.probs[found, called], kind="stable")], np.intp)


def join_predictions(pieces: Sequence[Predictions]) -> Predictions:
    """Stack predictions of the same classes; at least one is needed."""
    first = pieces[0]

    def column(name: str) -> NDArray[Any]:
        return np.concatenate([getattr(p, name) for p in pieces])

    return Predictions(
        first.classes, column("truth"), column("probs"), column("slide"), column("split"),
        column("x_px"), column("y_px"), column("row"),
    )  # fmt: skip


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the file, whole or not at all.

    Raises
    ------
    CannotWriteError, DiskFullError
        What was there stays.
    """
    p = predictions
    names = pa.array(list(p.classes), pa.string())
    columns: dict[str, Any] = {
        "slide": pa.array(p.slide.astype(str).tolist(), pa.string()),
        "x_px": p.x_px,
        "y_px": p.y_px,
        "row": p.row,
        "truth": pa.DictionaryArray.from_arrays(pa.array(p.truth.astype(np.int32)), names),
        "split": pa.array(p.split.astype(str).tolist(), pa.string()),
    }
    columns |= {
        f"{_PROB}{name}": p.probs[:, i].astype(np.float32) for i, name in enumerate(p.classes)
    }
    table = pa.table(columns)
    write_stream(path, lambda f: pq.write_table(table, f, compression="zstd"))


def read_predictions(path: Path) -> Predictions:
    """Read the file; also one made elsewhere, if it has ``truth`` and ``prob_<class>``.

    Parameters
    ----------
    path : Path
        A Parquet file. Needed: ``truth`` (name of the class) and one column ``prob_<class>`` for
        each class. Where they are there: ``slide, x_px, y_px, row, split``.

    Raises
    ------
    BadLabelSetError
        If it is not there, is no Parquet file, lacks a column, names a class without a column, or
        its probabilities do not add up to 1.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise _bad(path, "there is no such file") from None
    except (OSError, pa.ArrowException) as e:
        raise _bad(path, str(e).splitlines()[0][:120]) from None
    names = table.column_names
    classes = tuple(n.removeprefix(_PROB) for n in names if n.startswith(_PROB))
    n = table.num_rows
    if "truth" not in names or len(classes) < 2 or n > _MAX_ROWS:
        raise _bad(path, "it needs a column “truth” and columns “prob_” followed by each class")
    place = {name: i for i, name in enumerate(classes)}
    said = [str(v) for v in table["truth"].to_pylist()]
    unknown = sorted({v for v in said if v not in place})
    if unknown:
        raise _bad(path, f"no column holds the probability of “{unknown[0][:60]}”")
    try:
        probs = np.stack([_numbers(table, f"{_PROB}{c}") for c in classes], axis=1)
        x, y = (_numbers(table, c) if c in names else np.full(n, np.nan) for c in ("x_px", "y_px"))
        row = _numbers(table, "row").astype(np.int64) if "row" in names else np.full(n, -1)
    except (ValueError, TypeError, pa.ArrowException):
        raise _bad(path, "a column that should hold numbers holds something else") from None
    if not (np.abs(probs.sum(axis=1) - 1) < _TOLERANCE).all() or (probs < 0).any():
        raise _bad(path, "probabilities have to lie between 0 and 1 and add up to 1")
    return Predictions(
        classes, np.array([place[v] for v in said], np.intp), probs,
        _words(table, "slide", n), _words(table, "split", n), x, y, row.astype(np.int64),
    )  # fmt: skip


def _numbers(table: pa.Table, name: str) -> NDArray[np.float64]:
    return np.asarray(table[name].to_numpy(), np.float64)


def _words(table: pa.Table, name: str, n: int) -> NDArray[np.str_]:
    if name not in table.column_names:
        return np.full(n, "", np.str_)
    return np.array([v or "" for v in table[name].to_pylist()], np.str_)


def _bad(path: Path, reason: str) -> BadLabelSetError:
    return BadLabelSetError("bad_predictions", name=path.name, reason=reason)
