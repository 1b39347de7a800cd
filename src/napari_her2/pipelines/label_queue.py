"""Which cells or tiles of a scored slide to label next: a run, what is labelled, a queue."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from napari_her2.annotations.annotation import Annotation
from napari_her2.cells.features import FEATURES
from napari_her2.errors import RunDamagedError, UsageError
from napari_her2.results.cells_store import CELLS_FILE
from napari_her2.results.cells_table import read_cells
from napari_her2.results.corrections import FILE_NAME
from napari_her2.results.heatmap import read_heatmap
from napari_her2.results.stored import StoredRun, load_run
from napari_her2.training.active import Proposal, Spread, Uncertainty, propose
from napari_her2.training.assigning import assign_boxes, assign_cells
from napari_her2.training.label_regions import LabelMark, LabelRegion
from napari_her2.training.label_rules import LabelRules
from napari_her2.training.label_set import LabelSet
from napari_her2.training.label_sources import read_corrections

__all__ = ["LabelQueue", "QueuedPlace", "label_queue"]

SAME_PX: Final = 3.0
"""A cell of a label set this near to a cell of the run is that cell."""

FIELD_UM: Final = 500.0
"""Tiles this far apart count as unlike as a certain one and its opposite."""


@dataclass(frozen=True, slots=True)
class QueuedPlace:
    """One cell or tile to look at.

    Attributes
    ----------
    x_px, y_px : float
        Its centre, level-0 pixels.
    width_px, height_px : float
        Extent of a tile; 0 for a cell.
    class_name : str
        What the model takes it for.
    probability : float
        Of that class.
    uncertainty : float
        0 to 1.
    why : str
        Sentence for the reader.
    """

    x_px: float
    y_px: float
    width_px: float
    height_px: float
    class_name: str
    probability: float
    uncertainty: float
    why: str


@dataclass(frozen=True, slots=True)
class LabelQueue:
    """What to label next on one slide.

    Attributes
    ----------
    slide_id : str
        Which slide.
    kind : {"cells", "tiles"}
        What is proposed.
    classes : tuple of str
        What the model tells apart.
    places : tuple of QueuedPlace
        In the order to look at them.
    labelled, total : int
        How many have a label, of how many.
    """

    slide_id: str
    kind: Literal["cells", "tiles"]
    classes: tuple[str, ...]
    places: tuple[QueuedPlace, ...]
    labelled: int
    total: int


@dataclass
class _Pool:
    """Candidates: what can be labelled, and what is known of it."""

    kind: Literal["cells", "tiles"]
    classes: tuple[str, ...]
    probs: NDArray[np.float32]
    features: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    extent: tuple[float, float] = (0.0, 0.0)
    others: NDArray[np.float64] | None = field(default=None)


def label_queue(
    run: Path,
    n: int = 20,
    *,
    model: str | None = None,
    label_set: Path | None = None,
    annotations: Iterable[Annotation] = (),
    seed: int = 0,
    measure: Uncertainty = "margin",
    spread: Spread = "k-means++",
) -> LabelQueue:
    """Propose the next cells or tiles of a scored slide.

    Left out, and kept away from, are cells and tiles that have a label already: in the label set,
    in the annotations, or by a correction of the run. Cells of the label set on *other* slides
    count too for what is unlike the labels so far.

    Parameters
    ----------
    run : Path
        Folder of a complete run of ``cells`` or ``predict``.
    n : int
        How many.
    model : str, optional
        Runs of several models: the map's name (``ER``); by default the first.
    label_set : Path, optional
        What is labelled.
    annotations : iterable of Annotation
        Drawn on the slide since.
    seed, measure, spread
        See :func:`napari_her2.training.active.propose`.

    Raises
    ------
    RunDamagedError
        If the run is not complete or was altered.
    BadLabelSetError
        If the label set can't be read.
    UsageError
        If the run tells nothing apart, or has no such map.
    """
    stored = load_run(run)
    facts = stored.record["slide"]
    known = None if label_set is None else LabelSet.read(label_set)
    is_cells = (run / CELLS_FILE).is_file()
    pool = _cells_of(run, known, facts) if is_cells else _tiles_of(stored, model)
    labelled = _labelled(pool, run, facts, known, tuple(annotations))
    probs, features, taken = pool.probs, pool.features, labelled
    if pool.others is not None:
        # Labels of other slides are rows that can't be proposed.
        blank = np.full((len(pool.others), probs.shape[1]), 1 / probs.shape[1], np.float32)
        probs = np.concatenate([probs, blank])
        features = np.concatenate([features, pool.others])
        taken = np.concatenate([labelled, np.ones(len(blank), np.bool_)])
    found = propose(probs, features, n, labelled=taken, seed=seed, measure=measure, spread=spread)
    return LabelQueue(
        str(facts["slide_id"]), pool.kind, pool.classes, _places(pool, found),
        int(labelled.sum()), len(labelled),
    )  # fmt: skip


def _places(pool: _Pool, found: Proposal) -> tuple[QueuedPlace, ...]:
    return tuple(
        QueuedPlace(
            float(pool.x[i]), float(pool.y[i]), *pool.extent, pool.classes[why.first],
            why.p_first, why.uncertainty, why.sentence(pool.classes),
        )
        for i, why in zip(found.indices.tolist(), found.why, strict=True)
    )  # fmt: skip


def _cells_of(run: Path, known: LabelSet | None, facts: dict[str, Any]) -> _Pool:
    columns, classes, _ = read_cells(run / CELLS_FILE)
    if len(classes) < 2:
        raise UsageError("queue_no_classes", name=run.name)
    names = [f for f in FEATURES if f in columns]
    probs = _sound(columns["probs"])
    # A run that measured nothing else still knows what it took each cell for.
    measured = [np.asarray(columns[f], np.float64) for f in names]
    features = np.stack(measured, axis=1) if measured else probs.astype(np.float64)
    others = None
    if known is not None and known.kind == "cells" and len(names) == len(FEATURES):
        elsewhere = _keys(known) != facts["quickhash"]
        others = known.features()[elsewhere].astype(np.float64)
    return _Pool(
        "cells", classes, probs, features,
        np.asarray(columns["x_px"], np.float64), np.asarray(columns["y_px"], np.float64),
        others=others,
    )  # fmt: skip


def _tiles_of(stored: StoredRun, model: str | None) -> _Pool:
    maps = stored.heatmaps()
    name = model or next(iter(maps), "")
    if name not in maps:
        raise UsageError("queue_no_map", name=stored.folder.name, model=name or "?")
    heatmap = read_heatmap(maps[name])
    cells = np.argwhere(heatmap.scored)
    grid = heatmap.grid
    window = grid.window(0, 0)
    corner = grid.coords_xy(cells)
    probs = _sound(heatmap.data[:, cells[:, 0], cells[:, 1]].T)
    x, y = corner[:, 0] + window.width / 2, corner[:, 1] + window.height / 2
    place = np.stack([x * grid.mpp_x, y * grid.mpp_y], 1) / FIELD_UM
    return _Pool(
        "tiles", heatmap.class_names, probs, np.concatenate([probs, place], axis=1), x, y,
        (window.width, window.height),
    )  # fmt: skip


def _sound(probs: NDArray[Any]) -> NDArray[np.float32]:
    """Rows that sum to 1 again after they were rounded for the file."""
    p = np.maximum(np.asarray(probs, np.float64), 0)
    total = p.sum(1, keepdims=True)
    uniform = np.full_like(p, 1 / p.shape[1])
    return np.where(total > 0, p / np.where(total > 0, total, 1), uniform).astype(np.float32)


def _keys(known: LabelSet) -> NDArray[Any]:
    """Content key of the slide of each label."""
    of = {s["slide"]: s["quickhash"] for s in known.info["sources"]}
    return np.array([of[s] for s in known.column("slide")], np.object_)


def _labelled(
    pool: _Pool,
    run: Path,
    facts: dict[str, Any],
    known: LabelSet | None,
    annotations: Sequence[Annotation],
) -> NDArray[np.bool_]:
    """Which candidates have a label."""
    regions = [
        LabelRegion(a.id, a.geometry, 0, "", False)
        for a in annotations
        if a.class_name and a.is_area
    ]
    dots = [
        LabelMark(a.id, float(x), float(y), 0)
        for a in annotations
        if a.class_name and a.geometry.geom_type in ("Point", "MultiPoint")
        for x, y in shapely.get_coordinates(a.geometry)
    ]
    marks: list[LabelMark] = []
    if known is not None:
        here = np.flatnonzero(_keys(known) == facts["quickhash"])
        x, y = known.column("x_px")[here], known.column("y_px")[here]
        marks += [LabelMark("", float(a), float(b), 0) for a, b in zip(x, y, strict=True)]
    if pool.kind == "cells" and (run / FILE_NAME).exists():
        try:
            fixed = read_corrections(run, str(facts["quickhash"]))
        except RunDamagedError:
            fixed = ()
        marks += [LabelMark("", c.x_px, c.y_px, 0) for c in fixed]
    if pool.kind == "cells":
        mpp = facts["mpp"]
        reach = LabelRules().reach_um
        got = assign_cells(pool.x, pool.y, regions, dots, (reach / mpp["x"], reach / mpp["y"]))
        same = assign_cells(pool.x, pool.y, [], marks, (SAME_PX, SAME_PX))
        return np.asarray((got.label >= 0) | (same.label >= 0))
    half = np.array(pool.extent) / 2
    centre = np.stack([pool.x, pool.y], 1)
    boxes = np.concatenate([centre - half, centre + half], axis=1)
    drawn = assign_boxes(boxes, regions, 0.5, 1.0).label >= 0
    near = assign_cells(pool.x, pool.y, [], marks, (half[0] / 2, half[1] / 2)).label >= 0
    return np.asarray(drawn | near)
