"""Tiles in one folder for each class (torchvision's ImageFolder), with a manifest."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any, Final

from napari_her2.annotations.formats.tile_cutting import CutTile, TileCutter
from napari_her2.results.atomic import write_json

__all__ = ["MANIFEST", "folder_names", "manifest", "tile_row", "write_tile_folders"]

MANIFEST: Final = "manifest.json"

_ODD: Final = re.compile(r"[^\w+-]+")
_RESERVED: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)")


def write_tile_folders(folder: Path, cutter: TileCutter, names: tuple[str, ...]) -> Counter[str]:
    """Write tiles as ``<folder>/<class>/<tile>.png`` and ``manifest.json``.

    Parameters
    ----------
    folder : Path
        A new one.
    cutter : TileCutter
        Gives the tiles.
    names : tuple of str
        Classes in the order of their numbers; each gets a folder, empty ones too, so that numbers
        agree between slides.

    Returns
    -------
    Counter
        Tiles of each class.
    """
    folders = folder_names(names)
    for name in folders.values():
        (folder / name).mkdir(parents=True)
    tiles: list[dict[str, Any]] = []
    counts: Counter[str] = Counter()
    for tile in cutter.tiles():
        place = f"{folders[tile.class_name]}/{tile.name}.png"
        (folder / place).write_bytes(tile.png)
        tiles.append({"file": place, **tile_row(tile)})
        counts[tile.class_name] += 1
    write_json(folder / MANIFEST, manifest(cutter, folders, tiles))
    return counts


def folder_names(names: tuple[str, ...]) -> dict[str, str]:
    """A folder for each class that every file system takes; no two alike."""
    made: dict[str, str] = {}
    for name in names:
        plain = _ODD.sub("_", name).strip("_")[:80] or "class"
        if _RESERVED.fullmatch(plain):
            plain += "_"
        candidate, n = plain, 2
        while candidate.lower() in {v.lower() for v in made.values()}:
            candidate, n = f"{plain}_{n}", n + 1
        made[name] = candidate
    return made


def tile_row(tile: CutTile) -> dict[str, Any]:
    """One tile in a manifest."""
    x, y, width, height = tile.box
    return {
        "class": tile.class_name, "x_px": x, "y_px": y, "width_px": width, "height_px": height,
        "share": round(tile.share, 6), "sha256": hashlib.sha256(tile.png).hexdigest(),
    }  # fmt: skip


def manifest(
    cutter: TileCutter, folders: dict[str, str], tiles: list[dict[str, Any]]
) -> dict[str, Any]:
    """What a manifest says; equal annotations and slide give equal bytes."""
    rule = cutter.rule
    return {
        "schema": 1,
        "slide": cutter.slide.slide_id,
        "tile_px": rule.tile_px,
        "tile_mpp": rule.tile_mpp,
        "inside": rule.inside,
        "classes": [
            {"index": i, "class": name, "folder": folder}
            for i, (name, folder) in enumerate(folders.items())
        ],
        "tiles": tiles,
    }
