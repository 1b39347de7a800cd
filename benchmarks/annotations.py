"""Import and export of 100,000 cell outlines in QuPath's GeoJSON.

    python benchmarks/annotations.py [--cells 100000] [--peer-python PY] [--json OUT]

The file is like QuPath's: each cell has 32 corners, a class and 20 measurements (1.2 kB). Against
the plain way: ``json`` and one ``shapely`` call for each outline, without any check. With
``--peer-python``, the interpreter of an environment with geopandas and pyogrio, also against
``geopandas.read_file``. What counts is CPU seconds, taken in turns; a first import must also end
within 20 s.
"""

from __future__ import annotations

import argparse
import gc
import json
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from pairing import Row, compare, report

CORNERS = 32
MEASUREMENTS = 20
SIDE = 50_000
MOST_SECONDS = 20.0

GEOPANDAS = """
import sys, time, geopandas
t = time.process_time()
frame = geopandas.read_file(sys.argv[1], engine="pyogrio")
print(time.process_time() - t, len(frame))
"""


def made_file(path: Path, n: int, seed: int = 0) -> None:
    """Write ``n`` cells as QuPath does: two decimals, UUIDs, one class in four."""
    rng = np.random.default_rng(seed)
    angle = np.linspace(0, 2 * np.pi, CORNERS, endpoint=False)
    centre = rng.uniform(0, SIDE, (n, 1, 2))
    radius = rng.uniform(8, 14, (n, CORNERS, 1))
    ring = np.round(centre + radius * np.stack([np.cos(angle), np.sin(angle)], -1), 2)
    ring = np.concatenate([ring, ring[:, :1]], axis=1)
    values = rng.normal(size=(n, MEASUREMENTS))
    names = [f"Cell: measurement {i}" for i in range(MEASUREMENTS)]
    with path.open("w", encoding="utf-8") as f:
        f.write('{"type": "FeatureCollection", "features": [')
        for i in range(n):
            feature = {
                "type": "Feature",
                "id": str(uuid.UUID(int=i)),
                "geometry": {"type": "Polygon", "coordinates": [ring[i].tolist()]},
                "properties": {
                    "objectType": "cell",
                    "classification": {"name": f"Tumor: {i % 4}+", "color": [200, 0, i % 4]},
                    "measurements": dict(zip(names, values[i].tolist(), strict=True)),
                },
            }
            f.write((",\n" if i else "\n") + json.dumps(feature))
        f.write("\n]}\n")


def plain_import(path: Path) -> list[tuple[Any, str, dict[str, float]]]:
    """What a script does: shape, class and measurements of each feature."""
    from shapely.geometry import shape

    return [
        (
            shape(f["geometry"]),
            f["properties"]["classification"]["name"],
            f["properties"]["measurements"],
        )
        for f in json.loads(path.read_text(encoding="utf-8"))["features"]
    ]


def plain_export(path: Path, cells: list[tuple[Any, str, dict[str, float]]]) -> None:
    """The same way back."""
    from shapely.geometry import mapping

    features = [
        {
            "type": "Feature",
            "geometry": mapping(outline),
            "properties": {"classification": {"name": name}, "measurements": measured},
        }
        for outline, name, measured in cells
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))


def in_turns(
    rounds: int, ours: Callable[[], object], theirs: Callable[[], object]
) -> tuple[list[float], list[float]]:
    """CPU seconds of both; the first one changes with the rounds."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds):
        for which in (0, 1) if i % 2 else (1, 0):
            gc.collect()
            start = time.process_time()
            (ours, theirs)[which]()
            seconds[which].append(time.process_time() - start)
    return seconds


def row(name: str, peer: str, seconds: tuple[list[float], list[float]], limit: float) -> Row:
    """One line of the result."""
    ratios = [a / b for a, b in zip(*seconds, strict=True)]
    return compare(name, seconds[0], peer, seconds[1], ratios, unit="CPU s", limit=limit)


def geopandas_seconds(python: str, path: Path) -> float:
    """CPU seconds of geopandas in its own environment."""
    done = subprocess.run(
        [python, "-c", GEOPANDAS, str(path)], capture_output=True, text=True, check=True
    )
    return float(done.stdout.split()[0])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-python", help="an environment with geopandas and pyogrio")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    from napari_her2.annotations.interchange import read_annotations, write_annotations

    with tempfile.TemporaryDirectory(prefix="napari-her2-bench-") as base:
        path, out = Path(base) / "cells.geojson", Path(base) / "out.geojson"
        made_file(path, options.cells)
        start = time.perf_counter()
        found = read_annotations(path).annotations
        first = time.perf_counter() - start
        print(f"first import of {len(found):,} cells: {first:.1f} s by the clock")
        n = options.rounds
        taken = in_turns(n, lambda: read_annotations(path), lambda: plain_import(path))
        rows = [row("import", "json + shapely.geometry.shape", taken, 1.0)]
        plain = plain_import(path)
        taken = in_turns(n, lambda: write_annotations(out, found), lambda: plain_export(out, plain))
        rows.append(row("export", "json + shapely.geometry.mapping", taken, 1.0))
        if options.peer_python:
            seconds: tuple[list[float], list[float]] = ([], [])
            for _ in range(n):
                gc.collect()
                start = time.process_time()
                read_annotations(path)
                seconds[0].append(time.process_time() - start)
                seconds[1].append(geopandas_seconds(options.peer_python, path))
            rows.append(row("import", "geopandas.read_file (pyogrio)", seconds, 1.0))
    done = report(rows, options.json)
    return done if first <= MOST_SECONDS * options.cells / 100_000 else 1


if __name__ == "__main__":
    sys.exit(main())
