"""Open a slide in napari and jump about: our reader against napari-wsi, each in its own process.

    xvfb-run -a -s "-screen 0 1600x1200x24" python benchmarks/open_move.py SLIDE \
        [--peer-python PATH] [--rounds 5] [--json OUT]

``--peer-python`` is the interpreter of an environment that holds napari-wsi 1.3.0 and the same
napari and Qt (it pins other versions than ours, so it wants its own). Each round starts one
process for each reader, in turn: it opens the slide, then makes as many jumps and short pans at
level 0 and jumps at a quarter of it as ``--moves`` says. Limits: open to drawn 0.75, jump at level
0 0.6, memory above the empty viewer 0.3 of the peer's.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from pairing import Row, compare, report

FIGURES = {
    "open_s": ("open to drawn", "s", 0.75),
    "jump_ms": ("jump at level 0", "ms", 0.6),
    "memory_mib": ("memory above the empty viewer", "MiB", 0.3),
}


def resident_mib(key: str) -> float:
    """A row of this process's memory account, MiB (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(key):
            return int(line.split()[1]) / 1024
    return float("nan")


def layer_data(reader: str, path: str) -> list[tuple]:
    """What the reader under test hands to napari."""
    if reader == "napari-wsi":
        from napari_wsi.reader import wsi_reader_openslide

        return wsi_reader_openslide(path)(path)
    from napari_her2._contrib.reader import get_reader

    read = get_reader(path)
    assert read is not None
    return read(path)


def child(reader: str, path: str, moves: int) -> None:
    """Open, jump, report one JSON line; run in a process of its own."""
    import napari
    from qtpy.QtWidgets import QApplication

    viewer = napari.Viewer(show=True)
    window = viewer.window._qt_window
    window.resize(1400, 1000)
    app = QApplication.instance()
    canvas = viewer.window._qt_viewer.canvas._scene_canvas
    draws = [0]
    canvas.events.draw.connect(lambda _e: draws.__setitem__(0, draws[0] + 1), position="last")

    def settle(limit: float = 60.0) -> float:
        """Seconds until the canvas has drawn with all layers loaded and stays still for 30 ms."""
        start, seen = time.perf_counter(), draws[0]
        while time.perf_counter() - start < limit:
            app.processEvents()
            if draws[0] > seen and all(layer.loaded for layer in viewer.layers):
                done, last = time.perf_counter(), draws[0]
                while draws[0] == last and time.perf_counter() - done < 0.03:
                    app.processEvents()
                    time.sleep(0.001)
                if draws[0] == last:
                    return done - start
            time.sleep(0.0005)
        return limit

    settle(5.0)
    before = resident_mib("VmRSS")
    start = time.perf_counter()
    data, kwargs, kind = layer_data(reader, path)[0]
    layer = viewer._add_layer_from_data(data, kwargs, kind)[0]
    settle()
    opened = time.perf_counter() - start
    height, width = data[0].shape[:2]
    rng = np.random.default_rng(0)
    scale = [float(s) for s in layer.scale[-2:]]

    def move(y: float, x: float, zoom: float) -> float:
        start = time.perf_counter()
        viewer.scene.camera.zoom = zoom / scale[0]
        viewer.scene.camera.center = (y * scale[0], x * scale[1])
        settle()
        return time.perf_counter() - start

    jumps = []
    for _ in range(moves):
        y, x = rng.uniform(0.15, 0.85, 2) * (height, width)
        jumps.append(move(y, x, 1.0))
        move(y + 200, x + 200, 1.0)
    for _ in range(moves):
        y, x = rng.uniform(0.15, 0.85, 2) * (height, width)
        move(y, x, 0.25)
    print(
        json.dumps(
            {
                "open_s": opened,
                "jump_ms": float(np.median(jumps)) * 1e3,
                "memory_mib": resident_mib("VmHWM") - before,
                "level": int(layer.data_level),
            }
        ),
        flush=True,
    )
    # Leave at once: tearing a viewer down is not what is measured.
    os._exit(0)


def run(python: str, reader: str, slide: Path, moves: int) -> dict[str, float]:
    """One process for one reader."""
    done = subprocess.run(
        [python, __file__, str(slide), "--child", reader, "--moves", str(moves)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if not lines:
        sys.stderr.write(done.stderr[-2000:])
        raise SystemExit(reader)
    return json.loads(lines[-1])


def main() -> int:
    """Alternate the readers and print the ratios."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("slide", type=Path)
    p.add_argument("--peer-python", default=sys.executable)
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--moves", type=int, default=12)
    p.add_argument("--json", type=Path)
    p.add_argument("--child", help=argparse.SUPPRESS)
    a = p.parse_args()
    if a.child:
        child(a.child, str(a.slide), a.moves)
    ours, theirs = [], []
    for _ in range(a.rounds):
        ours.append(run(sys.executable, "napari-her2", a.slide, a.moves))
        theirs.append(run(a.peer_python, "napari-wsi", a.slide, a.moves))
    rows: list[Row] = []
    for key, (name, unit, limit) in FIGURES.items():
        x, y = [r[key] for r in ours], [r[key] for r in theirs]
        ratios = [p / q for p, q in zip(x, y, strict=True)]
        rows.append(compare(name, x, "napari-wsi 1.3.0", y, ratios, unit=unit, limit=limit))
    return report(rows, a.json)


if __name__ == "__main__":
    raise SystemExit(main())
