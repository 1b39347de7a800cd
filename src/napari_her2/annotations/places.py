"""Finds annotations by place, among 100,000 of which a few change all the time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import shapely
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.annotation import Annotation

__all__ = ["Places"]

# A tree of 100,000 outlines takes some 50 ms to build: too long after every edit, unnoticed after
# so many of them.
_CHANGES_BEFORE_A_NEW_TREE: Final = 512


class Places:
    """An R-tree of what was there some edits ago, and the edits since.

    Parameters
    ----------
    annotations : mapping of str to Annotation
        The live ones by id; read, never changed.
    """

    def __init__(self, annotations: Mapping[str, Annotation]) -> None:
        self._live = annotations
        self._tree: shapely.STRtree | None = None
        self._in_tree: list[Annotation] = []
        self._fresh: dict[str, Annotation] = {}
        self._gone = 0

    def changed(self, removed: Iterable[Annotation], added: Iterable[Annotation]) -> None:
        """Take note of an edit that is already done."""
        if self._tree is None:
            return
        for a in removed:
            if self._fresh.pop(a.id, None) is None:
                self._gone += 1
        for a in added:
            self._fresh[a.id] = a
        if len(self._fresh) + self._gone > _CHANGES_BEFORE_A_NEW_TREE:
            self._tree = None

    def near(self, shape: BaseGeometry, distance: float = 0.0) -> list[Annotation]:
        """Annotations that touch a shape or come at least so close to it, in no order.

        Parameters
        ----------
        shape : shapely geometry
            In level-0 pixels.
        distance : float
            In level-0 pixels.
        """
        if self._tree is None:
            self._plant()
        assert self._tree is not None
        found = self._tree.query(shape, predicate="dwithin", distance=distance)
        # What was changed or removed since is another object under its id, or none.
        then = [self._in_tree[i] for i in found.tolist()]
        hits = [a for a in then if self._is_live(a)]
        fresh = [a for a in self._fresh.values() if self._is_live(a)]
        if fresh:
            close = shapely.dwithin(_array([a.geometry for a in fresh]), shape, distance)
            known = {a.id for a in hits}
            hits += [a for a, c in zip(fresh, close, strict=True) if c and a.id not in known]
        return hits

    def _is_live(self, a: Annotation) -> bool:
        return self._live.get(a.id) is a

    def _plant(self) -> None:
        self._in_tree = list(self._live.values())
        self._tree = shapely.STRtree(_array([a.geometry for a in self._in_tree]))
        self._fresh, self._gone = {}, 0


def _array(geometries: list[BaseGeometry]) -> Any:
    out = np.empty(len(geometries), dtype=object)
    for i, g in enumerate(geometries):
        out[i] = g
    return out
