"""Writes a label set beside its place, and puts it there when all of it is on the disk."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from napari_her2.results.atomic import (
    discard,
    fsync_folder,
    fsync_tree,
    list_files,
    replace_file,
    temporary_beside,
    write_json,
    writing,
)
from napari_her2.training.array_file import ArrayWriter, open_rows
from napari_her2.training.label_rows import LabelRows
from napari_her2.training.label_set import MARKER, PLACES

__all__ = [
    "as_json",
    "copy_rows",
    "free_place",
    "new_set",
    "put_in_place",
    "versions_of",
    "write_tables",
]

_CHUNK: Final = 1024


def versions_of(out: Path) -> list[tuple[int, Path]]:
    """Label sets of a name that are there, oldest version first: ``name``, ``name-v2``, ..."""
    found = [(1, out)] if (out / MARKER).is_file() else []
    for path in out.parent.glob(f"{_literal(out.name)}-v*"):
        number = path.name[len(out.name) + 2 :]
        if number.isdecimal() and int(number) > 1 and (path / MARKER).is_file():
            found.append((int(number), path))
    return sorted(found)


def free_place(out: Path, least: int = 1) -> tuple[int, Path]:
    """The next version and its folder: nothing that is there is ever written over."""
    version = max([least, *(v + 1 for v, _ in versions_of(out))])
    while True:
        path = out if version == 1 else out.with_name(f"{out.name}-v{version}")
        if not path.exists() or (path.is_dir() and not any(path.iterdir())):
            return version, path
        version += 1


def _literal(name: str) -> str:
    return "".join(f"[{c}]" if c in "*?[" else c for c in name)


@contextlib.contextmanager
def new_set(out: Path) -> Iterator[Path]:
    """A folder to write a set into; nothing of it stays unless it was put in place.

    Raises
    ------
    CannotWriteError, DiskFullError
        If the folder can't be made.
    """
    with writing(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        folder = temporary_beside(out)
        folder.mkdir()
    try:
        yield folder
    finally:
        if folder.exists():
            discard(folder)


def write_tables(
    folder: Path,
    rows: LabelRows,
    *,
    classes: Sequence[str],
    features: Sequence[str],
    side: NDArray[Any],
    odd: NDArray[np.float32],
    tiles: bool,
) -> None:
    """Write ``labels.parquet`` and ``features.parquet``; equal labels, equal bytes.

    Parameters
    ----------
    folder : Path
        From :func:`new_set`.
    rows : LabelRows
        The labels.
    classes, features : sequence of str
        Names of the classes and of the columns of features.
    side : ndarray of str
        Of the split.
    odd : ndarray of float32
        How much each looks out of place.
    tiles : bool
        Whether extents are written.

    Raises
    ------
    CannotWriteError, DiskFullError
        If they can't be written.
    """
    names = np.asarray(classes, np.object_)
    columns: dict[str, pa.Array] = {
        "slide": _words(rows.slide),
        "x_px": pa.array(rows.x_px),
        "y_px": pa.array(rows.y_px),
        "class": _words(names[rows.label]),
        "region_id": _words(rows.region),
        "patient": _words(rows.patient),
        "block": _words(rows.block),
        "split": _words(side),
        "propagated": pa.array(rows.propagated),
        "odd": pa.array(np.asarray(odd, np.float32)),
        "source": _words(rows.source),
        "author": _words(rows.author),
        "inside": pa.array(rows.inside),
    }
    if tiles:
        columns |= {"width_px": pa.array(rows.width_px), "height_px": pa.array(rows.height_px)}
    measured = {n: pa.array(np.ascontiguousarray(rows.features[:, k]))
                for k, n in enumerate(features)}  # fmt: skip
    with writing(folder):
        pq.write_table(pa.table(columns), folder / "labels.parquet", compression="zstd")
        pq.write_table(pa.table(measured), folder / "features.parquet", compression="zstd")


def _words(values: NDArray[Any]) -> pa.Array:
    return pa.array([str(v) for v in values], pa.string())


def copy_rows(source: Path, target: Path, rows: NDArray[np.int64], *, last: bool = True) -> None:
    """Copy some rows of an array file into another, piece by piece, in the given order.

    Parameters
    ----------
    source, target : Path
        Files as :class:`~napari_her2.training.array_file.ArrayWriter` writes them.
    rows : ndarray of int
        Rows of the source.
    last : bool
        Whether the source is removed then.
    """
    with writing(target):
        values = open_rows(source)
        with ArrayWriter(target, values.shape[1:], values.dtype) as writer:
            for at in range(0, len(rows), _CHUNK):
                writer.append(np.asarray(values[rows[at : at + _CHUNK]]))
        del values
        if last:
            source.unlink()


def put_in_place(
    folder: Path,
    out: Path,
    info: Mapping[str, Any],
    places: Mapping[str, str],
    least: int = 1,
) -> Path:
    """List the files, write ``labelset.json`` last, and move the folder to its place.

    Parameters
    ----------
    folder : Path
        From :func:`new_set`.
    out : Path
        Where the first version of the name lies.
    info : mapping
        Content of ``labelset.json``; version and files are put in.
    places : mapping of str to str
        Where the slides lie on this computer.
    least : int
        Lowest version it may get.

    Returns
    -------
    Path
        Where it lies.

    Raises
    ------
    CannotWriteError, DiskFullError
        Nothing was put in place then.
    """
    with writing(out):
        write_json(folder / PLACES, dict(places))
        files = [
            {"path": r.path, "size": r.size, "sha256": r.sha256}
            for r in list_files(folder, skip=frozenset({PLACES}))
        ]
        version, place = free_place(out, least)
        write_json(folder / MARKER, {**info, "version": version, "files": files})
        # Only the marker's bytes depend on the version; data is flushed once.
        fsync_tree(folder)
        while True:
            try:
                if place.is_dir():
                    place.rmdir()
                replace_file(folder, place)
                break
            except OSError:
                # Somebody else took the place in between.
                if not place.exists():
                    raise
                version, place = free_place(out, version + 1)
                write_json(folder / MARKER, {**info, "version": version, "files": files})
        fsync_folder(place.parent)
    return place


def as_json(value: Mapping[str, Any]) -> str:
    """Text that is equal for equal values: for digests."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"))
