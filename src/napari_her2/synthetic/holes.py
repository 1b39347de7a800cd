"""Fat cells: clear, thin-walled, pressed into polygons."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import Voronoi, cKDTree

from napari_her2.synthetic.fields import Raster
from napari_her2.synthetic.layout import COARSE_UM, Layout
from napari_her2.synthetic.nuclei import Nuclei, hex_points

__all__ = ["cell_polygons", "fat_cells", "rounded"]

Floats = NDArray[np.float64]
_CELL_UM = 58.0


def rounded(polygon: Floats, times: int = 2) -> Floats:
    """Cut the corners of a closed polygon (Chaikin's scheme)."""
    for _ in range(times):
        nxt = np.roll(polygon, -1, 0)
        polygon = np.stack([0.75 * polygon + 0.25 * nxt, 0.25 * polygon + 0.75 * nxt], 1)
        polygon = polygon.reshape(-1, 2)
    return polygon


def cell_polygons(x: Floats, y: Floats) -> list[Floats | None]:
    """Voronoi cell of every point, None where it is not closed."""
    if len(x) < 5:
        return [None] * len(x)
    diagram = Voronoi(np.stack([x, y], 1))
    out: list[Floats | None] = []
    for i in range(len(x)):
        corners = diagram.regions[diagram.point_region[i]]
        out.append(None if not corners or -1 in corners else diagram.vertices[corners])
    return out


def fat_cells(
    rng: np.random.Generator, layout: Layout, epithelium: Raster, cells: Nuclei, full: bool
) -> tuple[list[Floats], NDArray[np.bool_]]:
    """Lay fat cells where the layout has fat and no epithelium is near.

    Returns
    -------
    holes : list of ndarray
        Outlines (n, 2), µm.
    covered : ndarray of bool
        For each nucleus, whether it lies in a fat cell and has to go.
    """
    h, w = layout.fat.shape
    x, y = hex_points(rng, (0, 0, w * COARSE_UM, h * COARSE_UM), _CELL_UM, 0.13)
    r = np.clip((y / COARSE_UM).astype(np.intp), 0, h - 1)
    c = np.clip((x / COARSE_UM).astype(np.intp), 0, w - 1)
    deep = cv2.erode(layout.tissue, np.ones((5, 5), np.uint8)) > (-9 if full else 0)
    wanted = (layout.fat[r, c] > 0) & deep[r, c] & (epithelium.at(x, y) < -22)
    holes: list[Floats] = []
    covered = np.zeros(len(cells), bool)
    tree = cKDTree(np.stack([cells.x, cells.y], 1)) if len(cells) else None
    for i, polygon in enumerate(cell_polygons(x, y)):
        if polygon is None or not wanted[i]:
            continue
        centre = np.array([x[i], y[i]])
        reach = np.hypot(*(polygon - centre).T)
        if reach.max() > 2.2 * _CELL_UM:
            continue
        outline = rounded(centre + (polygon - centre) * (1 - 1.6 / np.maximum(reach, 8))[:, None])
        corners_clear = epithelium.at(outline[:, 0], outline[:, 1]).max() < -6
        if not corners_clear:
            continue
        holes.append(outline)
        if tree is not None:
            near = np.array(tree.query_ball_point(centre, reach.max()), np.intp)
            if len(near):
                ring = outline.astype(np.float32).reshape(-1, 1, 2)
                for k in near:
                    point = (float(cells.x[k]), float(cells.y[k]))
                    covered[k] |= cv2.pointPolygonTest(ring, point, True) > 1.5
    return holes, covered
