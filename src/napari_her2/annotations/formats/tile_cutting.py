"""Tiles of a slide that lie in regions of one class: for tile folders and WebDataset shards.

The grid lies fixed on the slide from its top-left corner. A tile gets the class that covers at
least ``inside`` of it; one that two classes cover so far (they overlap) is left out and counted.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

from napari_her2.annotations.annotation import Annotation
from napari_her2.geometry import Region
from napari_her2.slides.base import Slide
from napari_her2.tiles.reading import TileReader
from napari_her2.tiles.spec import TileSpec

__all__ = ["CutTile", "TileCutter", "TileRule"]


@dataclass(frozen=True, slots=True)
class TileRule:
    """How tiles are cut.

    Attributes
    ----------
    tile_px : int
        Side of a tile in pixels of the tile.
    tile_mpp : float
        Micrometres per pixel of the tile.
    inside : float
        Least share of a tile that its class covers, above 0.5 to 1.
    """

    tile_px: int = 256
    tile_mpp: float = 0.5
    inside: float = 0.75


@dataclass(frozen=True, slots=True)
class CutTile:
    """One tile.

    Attributes
    ----------
    name : str
        ``<slide>_x<left>_y<top>``: level-0 pixels.
    class_name : str
        Its class.
    box : (float, float, float, float)
        Left, top, width and height in level-0 pixels.
    share : float
        Share of it that the class covers.
    png : bytes
        The picture.
    """

    name: str
    class_name: str
    box: tuple[float, float, float, float]
    share: float
    png: bytes


class TileCutter:
    """Cuts tiles one after the other.

    Parameters
    ----------
    slide : Slide
        With a known pixel size.
    annotations : sequence of Annotation
        Areas with a class count.
    rule : TileRule
        How tiles are cut.

    Attributes
    ----------
    skipped : Counter
        What is not in a tile, by key of ``REASONS``; complete after :meth:`tiles`.
    used : int
        Objects that lie in at least one tile.

    Raises
    ------
    UnknownMppError, WrongMppError
        See :class:`~napari_her2.tiles.reading.TileReader`.
    """

    def __init__(self, slide: Slide, annotations: Sequence[Annotation], rule: TileRule) -> None:
        self.slide = slide
        self.rule = rule
        spec = TileSpec(rule.tile_px, rule.tile_mpp, rule.tile_px * rule.tile_mpp)
        self._reader = TileReader(slide, spec, model="The tile size asked for")
        assert slide.mpp is not None
        self._width, self._height = spec.field_um / slide.mpp.x, spec.field_um / slide.mpp.y
        self._areas = [a for a in annotations if a.is_area and a.class_name is not None]
        self.skipped = Counter(
            points_and_lines=sum(not a.is_area for a in annotations),
            without_class=sum(a.is_area and a.class_name is None for a in annotations),
        )
        self.used = 0

    def tiles(self) -> Iterator[CutTile]:
        """Read the tiles, row after row."""
        chosen = self._chosen()
        for (row, column), (name, share) in sorted(chosen.items()):
            x, y = column * self._width, row * self._height
            got = self._reader.read(Region(x, y, self._width, self._height))
            if got.failed:
                self.skipped["unreadable_tile"] += 1
                continue
            png = io.BytesIO()
            Image.fromarray(got.rgb).save(png, "PNG", compress_level=6)
            yield CutTile(
                f"{self.slide.slide_id}_x{round(x)}_y{round(y)}", name,
                (x, y, self._width, self._height), share, png.getvalue(),
            )  # fmt: skip

    def _chosen(self) -> dict[tuple[int, int], tuple[str, float]]:
        shares: dict[tuple[int, int], dict[str, float]] = {}
        touched: list[list[tuple[int, int]]] = []
        for a in self._areas:
            assert a.class_name is not None
            cells, share = self._cover(a)
            places = [(int(r), int(c)) for r, c in cells]
            touched.append(places)
            for place, s in zip(places, share.tolist(), strict=True):
                of = shares.setdefault(place, {})
                of[a.class_name] = min(1.0, of.get(a.class_name, 0.0) + s)
        chosen: dict[tuple[int, int], tuple[str, float]] = {}
        for place, of in shares.items():
            full = [(n, s) for n, s in of.items() if s >= self.rule.inside - 1e-9]
            if len(full) == 1:
                chosen[place] = full[0]
            elif full:
                self.skipped["two_classes"] += 1
        for a, places in zip(self._areas, touched, strict=True):
            if any(p in chosen and chosen[p][0] == a.class_name for p in places):
                self.used += 1
            else:
                self.skipped["no_tile"] += 1
        return chosen

    def _cover(self, a: Annotation) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Cells (row, column) that an area touches, and which share of each it covers."""
        x0, y0, x1, y1 = a.geometry.bounds
        size = self.slide.size
        columns = np.arange(
            max(0, int(x0 // self._width)),
            min(int(size.width // self._width), int(x1 // self._width) + 1),
        )
        rows = np.arange(
            max(0, int(y0 // self._height)),
            min(int(size.height // self._height), int(y1 // self._height) + 1),
        )
        grid: Any = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1).reshape(-1, 2)
        left, top = grid[:, 1] * self._width, grid[:, 0] * self._height
        boxes = shapely.box(left, top, left + self._width, top + self._height)
        shapely.prepare(a.geometry)
        hit = shapely.intersects(a.geometry, boxes)
        grid, boxes = grid[hit], boxes[hit]
        share = np.ones(len(grid))
        part = ~shapely.covers(a.geometry, boxes)
        whole = self._width * self._height
        share[part] = shapely.area(shapely.intersection(boxes[part], a.geometry)) / whole
        return grid, share
