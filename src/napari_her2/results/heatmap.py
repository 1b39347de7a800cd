"""Heatmaps: class probabilities on the grid of cells, kept as OME-Zarr 0.5."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BytesCodec, ZstdCodec

from napari_her2.errors import RunDamagedError
from napari_her2.geometry import Region, ScaleTranslate
from napari_her2.messages import NOTICE
from napari_her2.results.atomic import discard, replace_tree, temporary_beside, writing
from napari_her2.tiles.spec import TileGrid, TileSpec
from napari_her2.types import Probs

__all__ = ["Heatmap", "read_heatmap", "write_heatmap"]

_OME_VERSION = "0.5"
_CHUNK = 512
_ZSTD_LEVEL = 3


@dataclass(frozen=True, slots=True)
class Heatmap:
    """Class probabilities of one model on the grid of one slide.

    Attributes
    ----------
    data : ndarray of float32
        Shape (classes, rows, columns), axes c, y, x. NaN where there is no tissue, nothing was
        scored yet or the tile could not be read; ``unread`` tells the last from the others.
    grid : TileGrid
        Where the cells lie on the slide.
    unread : ndarray of bool
        Shape (rows, columns): tiles that could not be read.
    class_names : tuple of str
        In the order of axis c.
    class_roles : mapping of str to int
        Index of ``positive``, ``negative`` and ``non_tumour``.
    biomarker, model_id, model_status, slide_id : str
        What it shows. ``biomarker`` is the model's id where a model has no biomarker.
    """

    data: NDArray[np.float32]
    grid: TileGrid
    unread: NDArray[np.bool_]
    class_names: tuple[str, ...]
    class_roles: Mapping[str, int]
    biomarker: str
    model_id: str
    model_status: str
    slide_id: str

    @classmethod
    def blank(
        cls,
        grid: TileGrid,
        *,
        class_names: tuple[str, ...],
        class_roles: Mapping[str, int],
        biomarker: str,
        model_id: str,
        model_status: str,
        slide_id: str,
    ) -> Self:
        """A map on which nothing is scored yet, to be filled tile by tile."""
        rows, cols = grid.shape
        return cls(
            np.full((len(class_names), rows, cols), np.nan, np.float32),
            grid,
            np.zeros((rows, cols), np.bool_),
            class_names,
            dict(class_roles),
            biomarker,
            model_id,
            model_status,
            slide_id,
        )

    def fill(
        self, cells: NDArray[np.intp], probs: Probs, failed: NDArray[np.bool_] | None = None
    ) -> None:
        """Enter the scores of some cells in place.

        Parameters
        ----------
        cells : ndarray
            Shape (n, 2), row then column.
        probs : ndarray of float32
            Shape (n, n_classes).
        failed : ndarray of bool, optional
            Shape (n,): tiles that could not be read.
        """
        rows, cols = cells[:, 0], cells[:, 1]
        self.data[:, rows, cols] = np.asarray(probs, np.float32).T
        if failed is not None:
            self.unread[rows, cols] = failed

    @property
    def scored(self) -> NDArray[np.bool_]:
        """Shape (rows, columns): cells with a score."""
        return np.asarray(np.isfinite(self.data[0]))

    def role(self, role: str = "positive") -> NDArray[np.float32]:
        """The plane of one role, shape (rows, columns).

        Raises
        ------
        KeyError
            If the model knows no such role.
        """
        return np.asarray(self.data[self.class_roles[role]])

    def transform(self) -> ScaleTranslate:
        """Scale and translation (y, x; µm) in the world."""
        return self.grid.transform()

    def snapshot(self) -> Heatmap:
        """A copy that later scores do not change."""
        return replace(self, data=self.data.copy(), unread=self.unread.copy())


def write_heatmap(path: Path, heatmap: Heatmap) -> None:
    """Write a heatmap as an OME-Zarr 0.5 group, in place of an older one.

    The bytes depend on the scores alone: no times, versions or paths are stored in it.

    Parameters
    ----------
    path : Path
        The group's folder, ``<biomarker>.ome.zarr``.
    heatmap : Heatmap
        What to write.

    Raises
    ------
    DiskFullError, CannotWriteError
        The older heatmap is untouched.
    """
    with writing(path, heatmap.data.nbytes):
        path.parent.mkdir(parents=True, exist_ok=True)
        tmp = temporary_beside(path)
        try:
            group = zarr.create_group(tmp, zarr_format=3, attributes=_attributes(heatmap))
            _, rows, cols = heatmap.data.shape
            array = group.create_array(
                "0",
                shape=heatmap.data.shape,
                chunks=(1, min(rows, _CHUNK), min(cols, _CHUNK)),
                dtype="float32",
                fill_value=float("nan"),
                serializer=BytesCodec(endian="little"),
                # With a checksum a flipped bit is an error, not another number.
                compressors=[ZstdCodec(level=_ZSTD_LEVEL, checksum=True)],
                dimension_names=("c", "y", "x"),
                # An absent chunk would read as "no tissue"; so every chunk is written and listed.
                config={"write_empty_chunks": True},
            )
            array[:] = heatmap.data
            replace_tree(tmp, path)
        except BaseException:
            discard(tmp)
            raise


def read_heatmap(path: Path) -> Heatmap:
    """Read a heatmap written by :func:`write_heatmap`.

    Raises
    ------
    RunDamagedError
        If a file is missing, altered or not ours.
    """
    try:
        group = zarr.open_group(path, mode="r", zarr_format=3)
        attributes: dict[str, Any] = dict(group.attrs)
        her2: dict[str, Any] = attributes["her2"]
        array = group["0"]
        if not isinstance(array, zarr.Array):
            raise RunDamagedError("damaged_run", name=path.name, reason="it holds no map")
        if array.nchunks_initialized < array.nchunks:
            # Zarr reads an absent chunk as NaN, which here would mean "no tissue".
            raise RunDamagedError("damaged_run", name=path.name, reason="a part of it is missing")
        data = np.asarray(array[:], dtype=np.float32)
        g = her2["grid"]
        grid = TileGrid(
            TileSpec(g["tile_px"], g["tile_mpp"], g["stride_um"]),
            Region(*g["region_px"]),
            g["mpp_x"],
            g["mpp_y"],
        )
        unread = np.zeros(data.shape[1:], np.bool_)
        for row, col in her2["unread_cells"]:
            unread[row, col] = True
        return Heatmap(
            data,
            grid,
            unread,
            tuple(her2["class_names"]),
            dict(her2["class_roles"]),
            her2["biomarker"],
            her2["model_id"],
            her2["model_status"],
            her2["slide_id"],
        )
    except RunDamagedError:
        raise
    # A damaged store fails in many ways (codec, JSON, missing key); all mean the same to a user.
    except Exception as e:
        raise RunDamagedError(
            "damaged_run", name=path.name, reason=f"{type(e).__name__}: {e}"
        ) from e


def _attributes(heatmap: Heatmap) -> dict[str, Any]:
    grid, place = heatmap.grid, heatmap.transform()
    region = grid.region
    return {
        "ome": {
            "version": _OME_VERSION,
            "multiscales": [
                {
                    "name": heatmap.biomarker,
                    "axes": [
                        {"name": "c", "type": "channel"},
                        {"name": "y", "type": "space", "unit": "micrometer"},
                        {"name": "x", "type": "space", "unit": "micrometer"},
                    ],
                    "datasets": [
                        {
                            "path": "0",
                            "coordinateTransformations": [
                                {"type": "scale", "scale": [1.0, *place.scale]},
                                {"type": "translation", "translation": [0.0, *place.translate]},
                            ],
                        }
                    ],
                    "type": "class probabilities per tile, not downsampled",
                }
            ],
        },
        "her2": {
            "schema": 1,
            "notice": NOTICE,
            "biomarker": heatmap.biomarker,
            "model_id": heatmap.model_id,
            "model_status": heatmap.model_status,
            "slide_id": heatmap.slide_id,
            "class_names": list(heatmap.class_names),
            "class_roles": dict(heatmap.class_roles),
            "grid": {
                "tile_px": grid.spec.tile_px,
                "tile_mpp": grid.spec.tile_mpp,
                "stride_um": grid.spec.stride_um,
                "region_px": [region.x, region.y, region.width, region.height],
                "mpp_x": grid.mpp_x,
                "mpp_y": grid.mpp_y,
            },
            "unread_cells": np.argwhere(heatmap.unread).tolist(),
        },
    }
