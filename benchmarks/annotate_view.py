"""How long the window waits for the Annotate dock: opening labels, drawing, editing, undoing.

python benchmarks/annotate_view.py [--regions 5000] [--cells 100000] [--json]

Each row is the longest or the median processor time that one of our callbacks kept the window busy,
with so many regions there; ``open`` is that of the window's thread from the opening of the dock
until all of them are drawn. Needs a
display (xvfb-run does) and uses a user folder of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def main() -> int:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--regions", type=int, default=5000)
    parser.add_argument("--cells", type=int, default=100_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    isolate()
    rows = measure(args.regions, args.cells)
    if args.json:
        print(json.dumps({"rows": rows}))
    else:
        for row in rows:
            print(f"{row['name']:<44}{row['value']:>10.3f} {row['unit']}")
    return 0


def isolate() -> None:
    """A user folder that is thrown away."""
    base = Path(tempfile.mkdtemp(prefix="napari-her2-annotate-"))
    os.environ.update(
        NAPARI_HER2_DATA=str(base / "data"),
        NAPARI_HER2_CACHE=str(base / "cache"),
        NAPARI_CONFIG=str(base / "napari.yaml"),
        NAPARI_HER2_ACCEPT_NOTICE="1",
        NAPARI_HER2_REDUCED_MOTION="1",
    )


def blob(rng: Any, x: float, y: float, radius: float, corners: int = 30) -> Any:
    """An outline as a hand draws it."""
    from shapely.geometry import Polygon

    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    reach = radius * rng.uniform(0.8, 1.2, corners)
    return Polygon(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)]))


def timed(call: Callable[[], Any]) -> float:
    """Processor seconds one call keeps the window busy: others on this computer do not count."""
    start = time.thread_time()
    call()
    return time.thread_time() - start


def measure(n_regions: int, n_cells: int) -> list[dict[str, Any]]:
    """All rows."""
    from napari_her2._qt.annotate.tools import At
    from napari_her2._qt.app import make_viewer, settle
    from napari_her2._qt.docks import open_dock
    from napari_her2._qt.session import session_of
    from napari_her2._qt.slide.actions import show_sample
    from napari_her2.annotations.annotation import Annotation
    from napari_her2.annotations.book import open_book
    from napari_her2.annotations.edits import add
    from napari_her2.annotations.schema import load_schema

    rng = np.random.default_rng(1)
    names = load_schema("her2-cells").names
    viewer = make_viewer(width=1440, height=900)
    session = session_of(viewer)
    show_sample(session, "her2-ihc")
    settle(60, lambda: session.active and session.active.survey)
    entry = session.active
    size = entry.slide.size
    regions = [
        Annotation(
            geometry=blob(rng, *rng.uniform(40, size.width - 40, 2), rng.uniform(5, 30)),
            class_name=names[i % len(names)],
        )
        for i in range(n_regions)
    ]
    with open_book(
        entry.slide_id, (size.width, size.height), quickhash=entry.slide.content_key()
    ) as book:
        book.apply(add(regions))
    rows = []

    def note(name: str, value: float, unit: str = "s") -> None:
        rows.append({"name": name, "value": round(value, 4), "unit": unit, "n": n_regions})

    start = time.thread_time()
    open_dock(session, "her2-annotate")
    controller = session.annotate
    settle(60, lambda: controller.labels is not None and controller.labels.laid_out)
    settle(0.05)
    note(f"open {n_regions} regions", time.thread_time() - start)
    labels, easel = controller.labels, controller.easel
    px = 1.0 / (viewer.scene.camera.zoom * entry.world_mpp[0])

    def drawn(tool: str, places: list[tuple[float, float]]) -> tuple[list[float], float]:
        controller.take_tool(tool)
        at = [At(x, y, px) for x, y in places]
        moves = [timed(lambda: easel.press(at[0]))]
        for place in at[1:]:
            moves.append(timed(lambda place=place: easel.drag(place)))
            settle(0.005)
        return moves, timed(lambda: easel.release(at[-1]))

    ring = [(700 + 300 * np.cos(t), 700 + 300 * np.sin(t)) for t in np.linspace(0, 6.2, 120)]
    for tool in ("freehand", "brush"):
        drawn(tool, ring[:20])
        moves, end = drawn(tool, ring)
        note(f"{tool}: a move of the mouse, median", 1000 * statistics.median(moves), "ms")
        note(f"{tool}: a move of the mouse, longest", 1000 * max(moves), "ms")
        note(f"{tool}: the end of a stroke", 1000 * end, "ms")
        settle(0.5)
    for name, call in (("undo", easel.undo), ("redo", easel.redo)):
        times = []
        for _ in range(3):
            times.append(timed(call))
            settle(0.3)
        note(f"{name}, longest of 3", 1000 * max(times), "ms")
    labels.select([regions[10].id])
    controller.take_tool("select")
    settle(0.3)
    note("another class for a region", 1000 * timed(lambda: easel.reclass(names[5])), "ms")
    settle(0.3)
    moved = regions[20].geometry.buffer(3)
    note(
        "another outline for a region",
        1000 * timed(lambda: easel.reshape([(labels.store.get(regions[20].id), moved)], "Change")),
        "ms",
    )
    settle(0.5)
    note("hide a class", 1000 * timed(lambda: controller.set_class_shown(names[0], False)), "ms")
    settle(1.0)
    viewer.scene.camera.zoom *= 2.5
    note("lines after zooming", 1000 * timed(labels.follow_zoom), "ms")
    if n_cells:
        cells = [
            Annotation(
                geometry=blob(rng, *rng.uniform(10, size.width - 10, 2), 6, 12),
                class_name=names[i % len(names)],
                object_type="cell",
            )
            for i in range(n_cells)
        ]
        note(f"import {n_cells} cells", timed(lambda: controller.apply(add(cells, "Import"))))
        settle(0.5)
        note(f"undo beside {n_cells} cells", 1000 * timed(easel.undo), "ms")
    viewer.close()
    return rows


if __name__ == "__main__":
    raise SystemExit(main())
