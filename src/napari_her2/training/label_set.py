"""A label set: cells or tiles with classes, their pixels, and how they are split.

A folder ``<name>/``:

``labels.parquet``
    One row for each label: ``slide``, ``x_px``, ``y_px`` (centre, level-0 pixels), ``class``,
    ``region_id``, ``patient``, ``block``, ``split`` (train, tune, test; empty = in none),
    ``propagated``, ``odd`` (0 to 1), and ``source``, ``author``, ``inside``; tiles also have
    ``width_px`` and ``height_px``.
``crops.npy``
    Cells: uint8, shape (n, 44, 44, 2). ``crops_rgb.npy``, shape (n, 44, 44, 3), where asked for.
``tiles.npy``
    Tiles: uint8, shape (n, px, px, 3).
``features.parquet``
    Cells: the 18 hand-made features. Tiles: colour and texture.
``labelset.json``
    Written last: version, rules, sources, counts, conflicts, and the SHA-256 of each other file.
``places.json``
    Where the slides lie on this computer. No part of the set: leave it out to hand the set on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_her2.errors import BadLabelSetError
from napari_her2.results.atomic import list_files
from napari_her2.training.array_file import open_rows
from napari_her2.training.label_rules import SplitBy, SplitRule
from napari_her2.training.oddities import ODD
from napari_her2.training.splits import Split, SplitRows, split_rows

__all__ = ["MARKER", "PLACES", "SCHEMA", "LabelSet"]

MARKER: Final = "labelset.json"
PLACES: Final = "places.json"
SCHEMA: Final = "napari-her2/label-set/1"
_NEEDED: Final = ("slide", "x_px", "y_px", "class", "region_id", "patient", "block", "split",
                  "propagated", "odd")  # fmt: skip


class LabelSet:
    """A label set on disk, checked when it is opened.

    Parameters
    ----------
    path : Path
        Its folder.
    info : dict
        Content of ``labelset.json``.
    table : pyarrow.Table
        Content of ``labels.parquet``.
    digest : str
        SHA-256 of ``labelset.json``, and with it of all labels and pixels.
    """

    def __init__(self, path: Path, info: dict[str, Any], table: pa.Table, digest: str) -> None:
        self.path = path
        self.info = info
        self.table = table
        self.digest = digest
        self.kind: str = info["kind"]
        self.name: str = info["name"]
        self.version: int = int(info["version"])
        self.classes: tuple[str, ...] = tuple(info["classes"])
        self.class_roles: dict[str, int] = dict(info.get("class_roles") or {})
        self.stain: str = info["stain"]
        self.split_by: SplitBy = info["split"]["by"]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __repr__(self) -> str:
        return f"<LabelSet {self.name} v{self.version}: {len(self)} {self.kind}>"

    # reading ------------------------------------------------------------------------------

    @staticmethod
    def read(path: Path | str, *, verify: bool = True) -> LabelSet:
        """Open a label set.

        Parameters
        ----------
        path : Path
            Its folder, or the ``labelset.json`` in it.
        verify : bool
            Compare every file with its SHA-256; about 1 s for each GB.

        Raises
        ------
        BadLabelSetError
            If it is none, was never finished, or a file was altered.
        """
        folder = Path(path)
        if folder.name == MARKER:
            folder = folder.parent
        try:
            text = (folder / MARKER).read_bytes()
            info = json.loads(text)
            if not isinstance(info, dict) or info.get("schema") != SCHEMA:
                raise _bad(folder, "it is of another program or version")
            _check_files(folder, info, verify=verify)
            table = pq.read_table(folder / "labels.parquet")
            missing = [c for c in _NEEDED if c not in table.column_names]
            if missing:
                raise _bad(folder, f"labels.parquet has no {missing[0]}")
            if table.num_rows != info["n"]:
                raise _bad(folder, "the number of labels is another one")
            if not set(table["class"].unique().to_pylist()) <= set(info["classes"]):
                raise _bad(folder, "labels.parquet has classes that the set has not")
            return LabelSet(folder, info, table, hashlib.sha256(text).hexdigest())
        except FileNotFoundError as e:
            reason = "it is not there" if not folder.is_dir() else "it was never finished"
            if folder.is_dir() and Path(str(e.filename)).name != MARKER:
                reason = f"{Path(str(e.filename)).name} is missing"
            raise _bad(folder, reason) from None
        except OSError as e:
            raise _bad(folder, e.strerror or type(e).__name__) from None
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError,
                pa.ArrowException) as e:  # fmt: skip
            if isinstance(e, BadLabelSetError):
                raise
            raise _bad(folder, f"{MARKER} or labels.parquet is damaged") from None

    def column(self, name: str) -> NDArray[Any]:
        """One column of the table, shape (n,); words as objects."""
        return np.asarray(self.table[name].to_numpy())

    @property
    def labels(self) -> NDArray[np.int64]:
        """Index of each label's class in :attr:`classes`, shape (n,)."""
        number = {name: k for k, name in enumerate(self.classes)}
        return np.array([number[c] for c in self.table["class"].to_pylist()], np.int64)

    def rows(self, split: str) -> NDArray[np.intp]:
        """Rows of one side: ``train``, ``tune`` or ``test``."""
        return np.flatnonzero(self.column("split") == split)

    # pixels and measurements ----------------------------------------------------------------

    def crops(self, channels: str = "stains") -> NDArray[np.uint8]:
        """Crops of all cells, shape (n, 44, 44, 2), or (n, 44, 44, 3) for ``rgb``; read-only.

        Raises
        ------
        BadLabelSetError
            If the set holds tiles, or no colours.
        """
        return self._rows("crops.npy" if channels == "stains" else "crops_rgb.npy")

    def tiles(self, rows: NDArray[Any] | Sequence[int] | None = None) -> NDArray[np.uint8]:
        """Tiles, shape (k, px, px, 3): of some rows, or all of them, read-only.

        Raises
        ------
        BadLabelSetError
            If the set holds cells.
        """
        every = self._rows("tiles.npy")
        return every if rows is None else np.asarray(every[np.asarray(rows, np.intp)])

    @property
    def tile_px(self) -> int:
        """Side of a tile or crop in pixels."""
        return int(self.info["tile"]["px"])

    @property
    def tile_mpp(self) -> float:
        """Micrometres per pixel of a tile or crop."""
        return float(self.info["tile"]["mpp"])

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Columns of :meth:`features`."""
        return tuple(self.info["features"])

    def features(self) -> NDArray[np.float32]:
        """What was measured, shape (n, k); cells: the 18 hand-made features.

        Raises
        ------
        BadLabelSetError
            If the file can't be read.
        """
        try:
            table = pq.read_table(self.path / "features.parquet")
            columns = [table[n].to_numpy() for n in self.feature_names]
        except (OSError, KeyError, pa.ArrowException):
            raise _bad(self.path, "features.parquet can't be read") from None
        return np.stack(columns, 1).astype(np.float32)

    def _rows(self, name: str) -> NDArray[np.uint8]:
        try:
            values = open_rows(self.path / name)
        except (OSError, ValueError):
            raise _bad(self.path, f"there is no readable {name}") from None
        if len(values) != len(self):
            raise _bad(self.path, f"{name} has another number of rows")
        return values

    # what the dock shows --------------------------------------------------------------------

    def odd_rows(self, limit: int | None = None) -> NDArray[np.intp]:
        """Rows that look out of place, the oddest first."""
        odd = self.column("odd")
        order = np.argsort(-odd, kind="stable")
        order = order[odd[order] >= ODD]
        return np.asarray(order if limit is None else order[:limit], np.intp)

    def slide_path(self, slide: str) -> Path | None:
        """Where a slide lies on this computer, if that is known and it is there."""
        given = self.places().get(slide)
        if given is None:
            return None
        try:
            return Path(given) if Path(given).exists() else None
        except (OSError, ValueError):
            return None

    def places(self) -> dict[str, str]:
        """Where the slides lay when the set was made; empty where it was handed on."""
        try:
            found = json.loads((self.path / PLACES).read_text(encoding="utf-8"))
            return {str(k): str(v) for k, v in found.items()}
        except (OSError, ValueError, AttributeError, RecursionError):
            return {}

    def summary(self) -> dict[str, Any]:
        """What is said of the set: ``kind, name, version, n, classes, slides, patients, blocks,
        balance, splits, split, conflicts, unknown, skipped, odd, warnings``.
        """
        return {k: v for k, v in self.info.items() if k not in {"files", "schema", "conflicts"}} | {
            "conflicts": self.info["conflicts"]["n"]
        }

    def split(self, by: SplitBy, seed: int) -> Split:
        """Share the labels out anew, in the stored shares.

        Parameters
        ----------
        by : {"slide", "patient", "tile"}
            What is kept apart.
        seed : int
            Decides between equally good splits.

        Raises
        ------
        BadLabelSetError
            If it goes by patient and a slide's patient is not known.
        """
        stored = self.info["split"]["rule"]
        rule = SplitRule(by, float(stored["tune"]), float(stored["test"]))
        return split_rows(self._split_rows(), rule, seed, self.classes)

    def _split_rows(self) -> SplitRows:
        mpp = {s["slide"]: s["mpp"] for s in self.info["sources"]}
        slide = self.column("slide")
        scale = np.array([[mpp[s]["x"], mpp[s]["y"]] for s in slide], np.float64).reshape(-1, 2)
        return SplitRows(
            self.labels, slide.astype(str), self.column("block").astype(str),
            self.column("patient").astype(str), self.column("x_px") * scale[:, 0],
            self.column("y_px") * scale[:, 1], self.tile_px * self.tile_mpp,
            self.column("propagated").astype(np.bool_),
        )  # fmt: skip


def _check_files(folder: Path, info: dict[str, Any], *, verify: bool) -> None:
    given = {f["path"]: f for f in info["files"]}
    if not {"labels.parquet", "features.parquet"} <= given.keys():
        raise _bad(folder, "its list of files is not complete")
    for name, entry in given.items():
        if "/" in name or "\\" in name or (folder / name).is_symlink():
            raise _bad(folder, f"{name} lies elsewhere")
        if (folder / name).stat().st_size != entry["size"]:
            raise _bad(folder, f"{name} was altered")
    if verify:
        there = {r.path: r for r in list_files(folder, skip=frozenset({MARKER, PLACES}))}
        for name, entry in given.items():
            if name not in there or there[name].sha256 != entry["sha256"]:
                raise _bad(folder, f"{name} was altered")


def _bad(folder: Path, reason: str) -> BadLabelSetError:
    return BadLabelSetError("bad_label_set", name=folder.name, reason=reason)
