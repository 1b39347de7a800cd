"""Slides with a known status, and the tile scores that a model gave them: material of stage 2."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from napari_her2.errors import CannotTrainError, Her2Error
from napari_her2.models.card import ModelCard
from napari_her2.types import Probs

__all__ = ["SlideMaterial", "read_scores", "read_statuses", "slide_material"]

_POSITIVE: Final = frozenset({"1", "positive", "pos", "+", "true", "yes"})
_NEGATIVE: Final = frozenset({"0", "negative", "neg", "-", "−", "false", "no"})
_MAX_BYTES: Final = 2**30
_GROUPS: Final = ("patient", "block", "case")


@dataclass(frozen=True)
class SlideMaterial:
    """Slides with status and tile scores; the first axis of all.

    Attributes
    ----------
    slide : tuple of str
        Names.
    positive : ndarray of bool
        Status.
    group : ndarray of str
        Patient, block or slide: what stays in one fold.
    part : ndarray of str
        ``train`` or ``test``.
    probs : tuple of ndarray
        Tile scores, shape (tiles, classes of the model).
    left_out : dict of str to int
        Slides that take no part, by reason.
    digest : str
        SHA-256 of all of it.
    """

    slide: tuple[str, ...]
    positive: NDArray[np.bool_]
    group: NDArray[np.str_]
    part: NDArray[np.str_]
    probs: tuple[Probs, ...]
    left_out: Mapping[str, int]
    digest: str

    def rows(self, part: str) -> NDArray[np.intp]:
        """Rows of ``train`` or ``test``."""
        return np.flatnonzero(self.part == part)


@dataclass(frozen=True, slots=True)
class _Slide:
    name: str
    positive: bool | None
    group: str
    part: str


def slide_material(table: Path, scores: Path, card: ModelCard) -> SlideMaterial:
    """Bring statuses and tile scores together.

    Parameters
    ----------
    table : Path
        CSV with ``slide`` and ``status``; ``patient``, ``block`` or ``case`` keep slides together,
        ``split`` = ``test`` keeps them apart for the test.
    scores : Path
        Folder of runs of ``predict``, or a table with ``slide`` and ``prob_<class>``.
    card : ModelCard
        Of the tile model.

    Raises
    ------
    CannotTrainError
        If a file is not what it should be, or no slide has both.
    """
    listed = read_statuses(table)
    found = read_scores(scores, card, [s.name for s in listed])
    left: dict[str, int] = {}
    kept: list[tuple[_Slide, Probs]] = []
    for slide in listed:
        reason = ""
        if slide.positive is None:
            reason = "status neither positive nor negative"
        elif slide.name not in found or not len(found[slide.name]):
            reason = "no tile scores"
        if reason:
            left[reason] = left.get(reason, 0) + 1
        else:
            kept.append((slide, found[slide.name]))
    if not kept:
        raise CannotTrainError(
            "no_scores", name=scores.name, model=card.id, reason="of none of the slides listed"
        )
    digest = hashlib.sha256()
    for slide, probs in kept:
        digest.update(f"{slide} {probs.shape}".encode())
        digest.update(np.ascontiguousarray(probs, np.float32).tobytes())
    return SlideMaterial(
        tuple(s.name for s, _ in kept),
        np.array([bool(s.positive) for s, _ in kept]),
        np.array([s.group for s, _ in kept]),
        np.array([s.part for s, _ in kept]),
        tuple(p for _, p in kept),
        left,
        digest.hexdigest(),
    )


def read_statuses(path: Path) -> list[_Slide]:
    """Read the table of slides.

    Raises
    ------
    CannotTrainError
        If it is no such table.
    """
    rows = _rows(path)
    names = [c for c in ("slide", "status") if rows and c not in rows[0]]
    if not rows or names:
        reason = f"it has no column {names[0]}" if names else "it holds no rows"
        raise CannotTrainError("bad_slide_table", name=path.name, reason=reason)
    slides = []
    for row in rows:
        name = _stem(row["slide"])
        said = row["status"].strip().lower()
        status = True if said in _POSITIVE else False if said in _NEGATIVE else None
        group = next((row[g].strip() for g in _GROUPS if row.get(g, "").strip()), name)
        part = "test" if row.get("split", "").strip().lower() == "test" else "train"
        slides.append(_Slide(name, status, group, part))
    twice = [s.name for s in slides if [t.name for t in slides].count(s.name) > 1]
    if twice:
        reason = f"{twice[0]} is in it twice"
        raise CannotTrainError("bad_slide_table", name=path.name, reason=reason)
    if {s.group for s in slides if s.part == "test"} & {
        s.group for s in slides if s.part == "train"
    }:
        reason = "a patient or block is in the test and outside it"
        raise CannotTrainError("bad_slide_table", name=path.name, reason=reason)
    return slides


def read_scores(path: Path, card: ModelCard, wanted: Iterable[str]) -> dict[str, Probs]:
    """Tile scores of some slides by name, without tiles that could not be read.

    Raises
    ------
    CannotTrainError
        If the file or folder holds none.
    """
    if path.is_dir():
        return _of_runs(path, card, set(wanted))
    rows = _rows(path)
    columns = [f"prob_{name}" for name in card.class_names]
    missing = [c for c in ("slide", *columns) if rows and c not in rows[0]]
    if not rows or missing:
        reason = f"it has no column {missing[0]}" if missing else "it holds no rows"
        raise CannotTrainError("no_scores", name=path.name, model=card.id, reason=reason)
    lists: dict[str, list[list[float]]] = {}
    try:
        for row in rows:
            lists.setdefault(_stem(row["slide"]), []).append([float(row[c]) for c in columns])
    except ValueError as e:
        raise CannotTrainError(
            "no_scores", name=path.name, model=card.id, reason=str(e)[:200]
        ) from None
    return {name: _sound(np.array(values, np.float32)) for name, values in lists.items()}


def _of_runs(folder: Path, card: ModelCard, wanted: set[str]) -> dict[str, Probs]:
    from napari_her2.results.heatmap import read_heatmap
    from napari_her2.results.stored import find_runs

    found: dict[str, Probs] = {}
    # Oldest first, so that the newest run of a slide counts.
    for run in find_runs(folder):
        if not run.complete:
            continue
        for place in run.heatmaps().values():
            try:
                heatmap = read_heatmap(place)
            except Her2Error:
                continue
            name = _stem(heatmap.slide_id)
            if heatmap.model_id == card.id and name in wanted:
                probs = heatmap.data.reshape(len(heatmap.data), -1).T
                found[name] = _sound(np.asarray(probs, np.float32))
    if not found:
        raise CannotTrainError(
            "no_scores", name=folder.name, model=card.id, reason="run predict with it first"
        )
    return found


def _sound(probs: Probs) -> Probs:
    return probs[np.isfinite(probs).all(1)]


def _stem(name: str) -> str:
    """The slide's id, whether a file or an id is named."""
    text = Path(name.strip().replace("\\", "/")).name
    for ending in (".svs", ".tif", ".tiff", ".ndpi", ".mrxs", ".scn", ".bif", ".vsi", ".zarr"):
        if text.lower().endswith(ending):
            return text[: -len(ending)].removesuffix(".ome")
    return text


def _rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV (or Parquet) table as text."""
    try:
        if path.stat().st_size > _MAX_BYTES:
            msg = "it is too large"
            raise ValueError(msg)
        if path.suffix.lower() == ".parquet":
            import pyarrow.parquet as pq

            listed: list[dict[str, Any]] = pq.read_table(path).to_pylist()
            return [{k: "" if v is None else str(v) for k, v in row.items()} for row in listed]
        text = path.read_text(encoding="utf-8-sig")
        rows = list(csv.DictReader(text.splitlines()))
        return [{str(k): v or "" for k, v in row.items() if k is not None} for row in rows]
    except OSError as e:
        reason = e.strerror or str(e)
        raise CannotTrainError("bad_slide_table", name=path.name, reason=reason) from None
    except (ValueError, csv.Error) as e:
        reason = str(e)[:200]
        raise CannotTrainError("bad_slide_table", name=path.name, reason=reason) from None
