"""Which cell or tile lies in which region: each gets one class, or is a conflict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.training.label_regions import LabelMark, LabelRegion

__all__ = ["Assigned", "Conflict", "assign_boxes", "assign_cells"]

NONE = -1
CONFLICT = -2

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A cell or tile that annotations of different classes lay claim to.

    Attributes
    ----------
    x_px, y_px : float
        Its centre, level-0 pixels.
    regions : tuple of str
        Ids of the annotations.
    labels : tuple of int
        Their classes, in the same order.
    """

    x_px: float
    y_px: float
    regions: tuple[str, ...]
    labels: tuple[int, ...]


@dataclass
class Assigned:
    """Labels of cells or tiles, first axis = those asked for.

    Attributes
    ----------
    label : ndarray of int32
        Index of the class; -1 without a label, -2 for a conflict.
    region : ndarray of object
        Id of the annotation that gave it; of several the first by id.
    inside : ndarray of float32
        Share that lies in regions of the class; 1 for cells.
    propagated : ndarray of bool
        Whether only labels carried over from another section give it.
    source : ndarray of object
        ``region``, ``point`` or ``correction``.
    author : ndarray of object
        Who gave it.
    conflicts : list of Conflict
        What is left out for that reason.
    unmatched : int
        Marks with no cell near enough.
    """

    label: NDArray[np.int32]
    region: NDArray[np.object_]
    inside: NDArray[np.float32]
    propagated: NDArray[np.bool_]
    source: NDArray[np.object_]
    author: NDArray[np.object_]
    conflicts: list[Conflict] = field(default_factory=list)
    unmatched: int = 0

    @staticmethod
    def nothing(n: int) -> Assigned:
        """No labels yet."""
        text = np.full(n, "", np.object_)
        return Assigned(
            np.full(n, NONE, np.int32), text.copy(), np.zeros(n, np.float32),
            np.zeros(n, np.bool_), text.copy(), text.copy(),
        )  # fmt: skip

    def take(self, rows: NDArray[np.intp]) -> Assigned:
        """Some rows; conflicts and unmatched marks stay."""
        return Assigned(
            self.label[rows], self.region[rows], self.inside[rows], self.propagated[rows],
            self.source[rows], self.author[rows], self.conflicts, self.unmatched,
        )  # fmt: skip

    def give(self, row: int, claims: Sequence[tuple[int, str, str, bool]], source: str) -> bool:
        """Label one by its claims (label, id, author, propagated); False if they disagree.

        Several claims of one class count once. What somebody drew on this very slide makes the
        label a label of this slide, whatever was carried over besides.
        """
        labels = {c[0] for c in claims}
        if len(labels) > 1:
            self.label[row] = CONFLICT
            return False
        own = [c for c in claims if not c[3]]
        first = min(own or claims, key=lambda c: c[1])
        self.label[row] = first[0]
        self.region[row] = first[1]
        self.author[row] = first[2]
        self.propagated[row] = not own
        self.source[row] = source
        self.inside[row] = 1
        return True


def assign_cells(
    x_px: Floats,
    y_px: Floats,
    regions: Sequence[LabelRegion],
    marks: Sequence[LabelMark],
    reach_px: tuple[float, float],
) -> Assigned:
    """Label cells by the region that their centre is in, and by the marks on them.

    A mark is set on one cell and wins over a region, a correction wins over a point.

    Parameters
    ----------
    x_px, y_px : ndarray of float64
        Shape (n,): centres, level-0 pixels.
    regions, marks : sequence
        What labels them.
    reach_px : (float, float)
        How far a mark may lie from a centre, in x and in y: half axes of an ellipse.
    """
    out = Assigned.nothing(len(x_px))
    claims: dict[int, list[tuple[int, str, str, bool]]] = {}
    if regions and len(x_px):
        tree = shapely.STRtree(shapely.points(x_px, y_px))
        shapes = np.array([r.geometry for r in regions], np.object_)
        which, rows = tree.query(shapes, predicate="contains")
        for k, row in zip(which.tolist(), rows.tolist(), strict=True):
            r = regions[k]
            claims.setdefault(row, []).append((r.label, r.id, r.author, r.propagated))
    marked = _nearest(x_px, y_px, marks, reach_px, out)
    for row in sorted(claims.keys() | marked.keys()):
        if row in marked:
            rank = max(m.rank for m in marked[row])
            top = [m for m in marked[row] if m.rank == rank]
            given = [(m.label, m.id, m.author, m.propagated) for m in top]
            agreed = out.give(row, given, "correction" if rank > 1 else "point")
        else:
            given = claims[row]
            agreed = out.give(row, given, "region")
        if not agreed:
            out.conflicts.append(_conflict(float(x_px[row]), float(y_px[row]), given))
    return out


def _nearest(
    x_px: Floats,
    y_px: Floats,
    marks: Sequence[LabelMark],
    reach_px: tuple[float, float],
    out: Assigned,
) -> dict[int, list[LabelMark]]:
    if not marks:
        return {}
    if not len(x_px):
        out.unmatched = len(marks)
        return {}
    tree = cKDTree(np.stack([x_px / reach_px[0], y_px / reach_px[1]], 1))
    at = [[m.x_px / reach_px[0], m.y_px / reach_px[1]] for m in marks]
    distance, nearest = tree.query(at, distance_upper_bound=1.0)
    found: dict[int, list[LabelMark]] = {}
    for mark, d, row in zip(marks, distance.tolist(), nearest.tolist(), strict=True):
        if np.isfinite(d):
            found.setdefault(row, []).append(mark)
        else:
            out.unmatched += 1
    return found


def assign_boxes(
    boxes: Floats, regions: Sequence[LabelRegion], inside: float, other: float
) -> Assigned:
    """Label tiles by the share of them that lies in regions.

    Parameters
    ----------
    boxes : ndarray of float64
        Shape (n, 4): left, top, right, bottom, level-0 pixels.
    regions : sequence of LabelRegion
        What labels them. Overlapping regions of one class count once.
    inside : float
        Least share in regions of the class.
    other : float
        Largest share that any other class may take; more is a conflict.
    """
    out = Assigned.nothing(len(boxes))
    if not regions or not len(boxes):
        return out
    shapes = np.array([r.geometry for r in regions], np.object_)
    squares = shapely.box(boxes[:, 0], boxes[:, 1], boxes[:, 2], boxes[:, 3])
    tree = shapely.STRtree(squares)
    which, rows = tree.query(shapes, predicate="intersects")
    # Most tiles lie in one region and touch no other: nothing needs to be measured there.
    alone = np.bincount(rows, minlength=len(boxes)) == 1
    k, whole = tree.query(shapes, predicate="covers")
    _label_whole(out, whole[alone[whole]], [regions[i] for i in k[alone[whole]]])
    touched: dict[int, list[int]] = {}
    for row, i in zip(rows.tolist(), which.tolist(), strict=True):
        if out.label[row] == NONE:
            touched.setdefault(row, []).append(i)
    for row in sorted(touched):
        near = [regions[i] for i in sorted(touched[row])]
        _label_box(out, row, squares[row], boxes[row], near, inside, other)
    return out


def _label_whole(out: Assigned, rows: NDArray[np.intp], regions: Sequence[LabelRegion]) -> None:
    """Label tiles that lie wholly in one region each."""
    out.label[rows] = [r.label for r in regions]
    out.region[rows] = [r.id for r in regions]
    out.author[rows] = [r.author for r in regions]
    out.propagated[rows] = [r.propagated for r in regions]
    out.source[rows] = "region"
    out.inside[rows] = 1


def _label_box(
    out: Assigned,
    row: int,
    square: shapely.Polygon,
    box: Floats,
    regions: Sequence[LabelRegion],
    inside: float,
    other: float,
) -> None:
    by_class: dict[int, list[LabelRegion]] = {}
    for r in regions:
        by_class.setdefault(r.label, []).append(r)
    share = {label: _share(square, [r.geometry for r in same]) for label, same in by_class.items()}
    # A hair of tolerance: a tile drawn exactly along its edge is inside.
    enough = [label for label, s in share.items() if s >= inside - 1e-9]
    if not enough:
        return
    best = max(enough, key=lambda label: (share[label], -label))
    rivals = [label for label, s in share.items() if label != best and s > other + 1e-9]
    claimed = [r for label in (best, *rivals) for r in by_class[label]]
    given = [(r.label, r.id, r.author, r.propagated) for r in claimed]
    if rivals:
        out.label[row] = CONFLICT
        centre = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        out.conflicts.append(_conflict(float(centre[0]), float(centre[1]), given))
        return
    out.give(row, given, "region")
    # Named for the region that covers most of it, and its own only if it is so without those
    # carried over from another section.
    own = [r for r in by_class[best] if not r.propagated]
    out.propagated[row] = not own or _share(square, [r.geometry for r in own]) < inside - 1e-9
    most = max(own or by_class[best], key=lambda r: (_share(square, [r.geometry]), r.id))
    out.region[row], out.author[row] = most.id, most.author
    out.inside[row] = share[best]


def _share(square: shapely.Polygon, shapes: Sequence[shapely.geometry.base.BaseGeometry]) -> float:
    """Share of a tile that some shapes cover together."""
    parts = [shapely.intersection(square, s) for s in shapes]
    whole = parts[0] if len(parts) == 1 else shapely.union_all(parts)
    return float(whole.area / square.area)


def _conflict(x: float, y: float, claims: Sequence[tuple[int, str, str, bool]]) -> Conflict:
    pairs = sorted({(c[1], c[0]) for c in claims})
    return Conflict(x, y, tuple(p[0] for p in pairs), tuple(p[1] for p in pairs))
