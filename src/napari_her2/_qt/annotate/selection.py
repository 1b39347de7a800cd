"""Tools that work on what is there: select and move regions, drag their corners.

A region keeps its holes whatever corner is dragged: rings are changed, never rebuilt from what is
drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely import affinity
from shapely.geometry.base import BaseGeometry

from napari_her2._qt.annotate.tools import At, Drawing, Sketch, Tool
from napari_her2.annotations.annotation import Annotation

__all__ = ["Corners", "Editing", "SelectTool", "VertexTool"]

_REACH_PX: Final = 6.0
"""How near on the screen a corner or a line is hit."""
_MOVED_PX: Final = 3.0
_MOST_HANDLES: Final = 300


class Editing(Drawing, Protocol):
    """What these tools need beside drawing."""

    def hits(self, at: At, reach_px: float) -> Sequence[Annotation]:
        """What lies there, topmost first."""

    @property
    def selected(self) -> Sequence[Annotation]:
        """What is selected."""

    def select(self, ids: Sequence[str]) -> None:
        """Select these and no others."""

    def reshape(self, changed: Sequence[tuple[Annotation, BaseGeometry]], label: str) -> None:
        """Give annotations other geometries, in one edit."""


@dataclass
class SelectTool(Tool):
    """A click selects, with Shift more than one; a drag moves what is selected."""

    drawing: Editing
    name: str = "select"
    start: At | None = field(default=None, init=False)
    _moved: bool = field(default=False, init=False)
    _hit: str | None = field(default=None, init=False)

    def grab(self, at: At) -> bool:
        """Whether a drag from here moves a region; else it moves the picture."""
        found = self.drawing.hits(at, _REACH_PX)
        chosen = {a.id for a in self.drawing.selected}
        inside = next((a.id for a in found if a.id in chosen), None)
        self._hit = inside or (found[0].id if found else None)
        return bool(found)

    def press(self, at: At) -> None:
        """Select what lies there."""
        self.start, self._moved, self.busy = at, False, True
        ids = [a.id for a in self.drawing.selected]
        if self._hit is None:
            if not at.shift:
                self.drawing.select([])
        elif at.shift:
            rest = [i for i in ids if i != self._hit]
            self.drawing.select(rest if self._hit in ids else [*ids, self._hit])
        elif self._hit not in ids:
            self.drawing.select([self._hit])

    def drag(self, at: At) -> None:
        """Draw where the selected regions would go."""
        if self.start is None or not self.busy or self._hit is None:
            return
        self._moved |= not at.near(self.start.xy, _MOVED_PX)
        if self._moved:
            dx, dy = at.x - self.start.x, at.y - self.start.y
            lines = [
                (shapely.get_coordinates(ring) + np.array([dx, dy]), True)
                for a in self.drawing.selected[:20]
                if not a.locked
                for ring in _rings(a.geometry)
            ]
            self.drawing.sketch(Sketch(lines))

    def release(self, at: At) -> None:
        """Leave them there."""
        start, moved = self.start, self._moved
        self.start = None
        self.drop()
        if start is None or not moved:
            return
        dx, dy = at.x - start.x, at.y - start.y
        changed = [
            (a, affinity.translate(a.geometry, dx, dy))
            for a in self.drawing.selected
            if not a.locked
        ]
        self.drawing.reshape(changed, "Move")


class Corners:
    """The corners of a geometry in one list, with the ring each belongs to.

    Parameters
    ----------
    geometry : shapely geometry
        Polygons with their holes, lines or points.
    """

    def __init__(self, geometry: BaseGeometry) -> None:
        self.geometry = geometry
        rings = _rings(geometry)
        self.rings = [shapely.get_coordinates(r)[:, :2] for r in rings]
        self.closed = [r.geom_type == "LinearRing" for r in rings]
        # The last corner of a ring is its first.
        kept = [r[:-1] if c else r for r, c in zip(self.rings, self.closed, strict=True)]
        self.xy = np.concatenate(kept) if kept else np.empty((0, 2))
        self.owner = np.repeat(np.arange(len(kept)), [len(k) for k in kept])
        self.index = np.concatenate([np.arange(len(k)) for k in kept]) if kept else np.empty(0, int)

    def __len__(self) -> int:
        return len(self.xy)

    def nearest(self, x: float, y: float) -> tuple[int, float]:
        """The corner next to a place, and how far it is."""
        far = np.hypot(self.xy[:, 0] - x, self.xy[:, 1] - y)
        at = int(far.argmin())
        return at, float(far[at])

    def on_line(self, x: float, y: float) -> tuple[int, int, float]:
        """The ring and the corner before the nearest line, and how far that line is."""
        best = (0, 0, np.inf)
        for r, ring in enumerate(self.rings):
            if len(ring) < 2:
                continue
            a, b = ring[:-1], ring[1:]
            d = b - a
            length = np.maximum((d**2).sum(axis=1), 1e-12)
            t = np.clip(((np.array([x, y]) - a) * d).sum(axis=1) / length, 0, 1)
            far = np.hypot(*(a + t[:, None] * d - (x, y)).T)
            i = int(far.argmin())
            if far[i] < best[2]:
                best = (r, i, float(far[i]))
        return best

    def moved(self, which: int, x: float, y: float) -> BaseGeometry:
        """The geometry with one corner elsewhere."""
        ring, i = int(self.owner[which]), int(self.index[which])
        corners = self.rings[ring].copy()
        corners[i] = (x, y)
        if self.closed[ring] and i == 0:
            corners[-1] = (x, y)
        return self._with(ring, corners)

    def inserted(self, ring: int, after: int, x: float, y: float) -> BaseGeometry:
        """The geometry with one corner more."""
        return self._with(ring, np.insert(self.rings[ring], after + 1, (x, y), axis=0))

    def without(self, which: int) -> BaseGeometry | None:
        """The geometry with one corner less; None where too few would be left."""
        ring, i = int(self.owner[which]), int(self.index[which])
        corners = self.rings[ring]
        closed = self.closed[ring]
        if len(corners) <= (4 if closed else 2):
            return None
        kept = np.delete(corners[:-1] if closed else corners, i, axis=0)
        return self._with(ring, np.concatenate([kept, kept[:1]]) if closed else kept)

    def _with(self, ring: int, corners: NDArray[np.float64]) -> BaseGeometry:
        rings = [corners if r == ring else old for r, old in enumerate(self.rings)]
        flat = np.concatenate([r if len(r) else np.empty((0, 2)) for r in rings])
        at = iter(rings)
        return _rebuilt(self.geometry, at) if len(flat) else self.geometry


def _rings(geometry: BaseGeometry) -> list[BaseGeometry]:
    found: list[BaseGeometry] = []
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon":
            found += [part.exterior, *part.interiors]
        elif part.geom_type.startswith(("Multi", "Geometry")):
            found += _rings(part)
        else:
            found.append(part)
    return found


def _rebuilt(geometry: BaseGeometry, rings: object) -> BaseGeometry:
    from collections.abc import Iterator
    from typing import cast

    at = cast("Iterator[NDArray[np.float64]]", rings)
    parts = []
    for part in shapely.get_parts(geometry):
        if part.geom_type == "Polygon":
            outer = next(at)
            parts.append(shapely.Polygon(outer, [next(at) for _ in part.interiors]))
        elif part.geom_type == "Point":
            parts.append(shapely.Point(next(at)[0]))
        else:
            parts.append(shapely.LineString(next(at)))
    if not geometry.geom_type.startswith("Multi"):
        return parts[0]
    return type(geometry)(parts)


@dataclass
class VertexTool(Tool):
    """Drags corners of the selected region; a press on a line adds one, Alt takes one away."""

    drawing: Editing
    name: str = "vertices"
    _region: Annotation | None = field(default=None, init=False)
    _corners: Corners | None = field(default=None, init=False)
    _grabbed: tuple[str, int, int] | None = field(default=None, init=False)
    _result: BaseGeometry | None = field(default=None, init=False)
    _at: At | None = field(default=None, init=False)

    def show(self, at: At | None = None) -> None:
        """Draw the handles of the selected region, those next to the mouse if there are many."""
        self._at = at or self._at
        chosen = self.drawing.selected
        self._region = chosen[0] if len(chosen) == 1 and not chosen[0].locked else None
        if self._region is None:
            self._corners = None
            self.drawing.sketch(Sketch())
            return
        if self._corners is None or self._corners.geometry is not self._region.geometry:
            self._corners = Corners(self._region.geometry)
        self.drawing.sketch(Sketch(handles=self._handles()))

    def _handles(self) -> list[tuple[float, float]]:
        corners = self._corners
        if corners is None:
            return []
        xy = corners.xy
        if len(xy) > _MOST_HANDLES and self._at is not None:
            far = np.hypot(xy[:, 0] - self._at.x, xy[:, 1] - self._at.y)
            xy = xy[np.argpartition(far, _MOST_HANDLES)[:_MOST_HANDLES]]
        return [(float(x), float(y)) for x, y in xy[:_MOST_HANDLES]]

    def grab(self, at: At) -> bool:
        """Whether a corner, a line or a region lies here."""
        self._grabbed = None
        corners = self._corners
        if corners is not None and len(corners):
            reach = _REACH_PX * at.screen_px
            which, far = corners.nearest(at.x, at.y)
            if far <= reach:
                self._grabbed = ("corner", which, 0)
                return True
            ring, after, beside = corners.on_line(at.x, at.y)
            if beside <= reach and not at.alt:
                self._grabbed = ("line", ring, after)
                return True
        return bool(self.drawing.hits(at, _REACH_PX))

    def press(self, at: At) -> None:
        """Take hold of a corner, or select another region."""
        self._at = at
        if self._grabbed is None:
            found = self.drawing.hits(at, _REACH_PX)
            self.drawing.select([found[0].id] if found else [])
            self.show(at)
            return
        what, which, _ = self._grabbed
        if what == "corner" and at.alt and self._corners is not None:
            less = self._corners.without(which)
            self._grabbed = None
            if less is not None:
                self._take(less, "Delete corner")
            return
        self.busy = True

    def drag(self, at: At) -> None:
        """Draw the region with the corner here."""
        if not self.busy or self._corners is None or self._grabbed is None:
            return
        what, a, b = self._grabbed
        if what == "corner":
            self._result = self._corners.moved(a, at.x, at.y)
        else:
            self._result = self._corners.inserted(a, b, at.x, at.y)
        lines = [(shapely.get_coordinates(r), True) for r in _rings(self._result)]
        self.drawing.sketch(Sketch(lines, handles=[at.xy], chosen=0))

    def release(self, at: At) -> None:
        """Leave the corner there."""
        self._at = at
        result, self._result, self._grabbed = self._result, None, None
        self.busy = False
        if result is not None:
            self._take(result, "Move corner")
        else:
            self.show(at)

    def drop(self) -> bool:
        """Let the corner go back."""
        was = self.busy
        self.busy, self._result, self._grabbed = False, None, None
        self.drawing.sketch(Sketch())
        return was

    def _take(self, geometry: BaseGeometry, label: str) -> None:
        if self._region is not None:
            self.drawing.reshape([(self._region, geometry)], label)
        self.show()
