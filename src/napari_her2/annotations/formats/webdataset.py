"""Tiles in WebDataset's tar shards, with a manifest; equal tiles give equal bytes.

Each sample is ``<tile>.png``, ``<tile>.cls`` (number of its class) and ``<tile>.json``.
Source: WebDataset's format (github.com/webdataset/webdataset, POSIX tar).
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, Final

from napari_her2.annotations.formats.tile_cutting import CutTile, TileCutter
from napari_her2.annotations.formats.tile_folders import MANIFEST, manifest, tile_row
from napari_her2.results.atomic import write_json

__all__ = ["TILES_A_SHARD", "write_webdataset"]

TILES_A_SHARD: Final = 1_000


def write_webdataset(
    folder: Path,
    cutter: TileCutter,
    names: tuple[str, ...],
    *,
    per_shard: int = TILES_A_SHARD,
) -> Counter[str]:
    """Write ``<folder>/shard-000000.tar`` and so on, and ``manifest.json``.

    Parameters
    ----------
    folder : Path
        A new one.
    cutter : TileCutter
        Gives the tiles.
    names : tuple of str
        Classes in the order of their numbers, from 0 on.
    per_shard : int
        Tiles in a shard.

    Returns
    -------
    Counter
        Tiles of each class.
    """
    number = {name: i for i, name in enumerate(names)}
    counts: Counter[str] = Counter()
    rows: list[dict[str, Any]] = []
    shards: list[dict[str, Any]] = []
    tiles = cutter.tiles()
    for shard in _shards(tiles, per_shard):
        name = f"shard-{len(shards):06d}.tar"
        path = folder / name
        with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
            for tile in shard:
                row = tile_row(tile)
                _add(tar, f"{_key(tile)}.png", tile.png)
                _add(tar, f"{_key(tile)}.cls", str(number[tile.class_name]).encode())
                _add(tar, f"{_key(tile)}.json", json.dumps(row, sort_keys=True).encode())
                rows.append({"shard": name, "key": _key(tile), **row})
                counts[tile.class_name] += 1
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        shards.append({"file": name, "size": path.stat().st_size, "sha256": digest})
    document = manifest(cutter, {n: n for n in names}, rows)
    write_json(folder / MANIFEST, {**document, "shards": shards})
    return counts


def _shards(tiles: Iterator[CutTile], n: int) -> Iterator[list[CutTile]]:
    while shard := list(islice(tiles, n)):
        yield shard


def _key(tile: CutTile) -> str:
    # What follows the first full stop is the kind of file; ASCII fits every tar.
    return tile.name.replace(".", "_").encode("ascii", "replace").decode().replace("?", "_")[-90:]


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(content))
