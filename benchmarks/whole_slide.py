"""A whole HER2 IHC slide, from opening to the committed run, against the plain design.

    python benchmarks/whole_slide.py SLIDE... [--classifier ID...] [--runtime R...]
        [--processes 1 2] [--rounds N] [--json OUT]

Our side is the program itself, ``napari-her2 cells``, in a process of its own: start-up, tissue,
stain, calibration, cells, scores, table and report are all in it. The other side is the plain
design of ``plain_cells.py`` over a share of the tiles, scaled to all of them, without start-up.
In each round the plain design and each runtime take turns on each slide; what counts is the median
of the ratios within the rounds. Seconds of processor time count both sides' processes; they move
less with the load of the machine than seconds on the wall.

Wanted on a slide of 27000 px: 3 times as fast with torch alone, 4.5 times with OpenVINO, at most
1.5 GiB a process; and processor seconds per megapixel of tissue, start-up taken off, within 15 %
over slides of different size. What start-up costs is measured on each slide: the same program over
two of its blocks.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from napari_her2.geometry import Region
from pairing import machine
from plain_cells import plain_share, share_in_child, tissue_tiles

BLOCK_PX = 2000


@dataclass(frozen=True)
class Ours:
    """One run of the program."""

    slide: str
    classifier: str
    runtime: str
    processes: int
    tissue_mpx: float
    cells: int
    wall_s: float
    cpu_s: float
    peak_mib: float


def run_ours(
    slide: Path,
    classifier: str,
    runtime: str,
    processes: int,
    python: str,
    region: str | None = None,
) -> Ours:
    """Score one slide, or a region of it, in a fresh folder."""
    env = {**os.environ}
    if processes == 1:
        env |= {"OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as out:
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        done = subprocess.run(
            [python, "-m", "napari_her2", "cells", str(slide), "--out", out, "--json",
             "--classifier", classifier, "--runtime", runtime, "--workers", str(processes),
             *(() if region is None else ("--roi", region))],
            capture_output=True, text=True, check=False, env=env,
        )  # fmt: skip
        wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stderr)
    document = json.loads(done.stdout)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    mpp = document["mpp"]
    return Ours(
        slide.name, classifier, document["classifier"]["runtime"] or "none", processes,
        round(document["tissue_mm2"] / mpp["x"] / mpp["y"], 2), document["cells_detected"],
        round(wall, 1), round(cpu, 1), round(after.ru_maxrss / 1024),
    )  # fmt: skip


def run_plain(slide: Path, network: bool, processes: int, share: float) -> dict[str, float]:
    """Run a share of the tiles of one slide and scale it up."""
    tiles = tissue_tiles(str(slide))
    # Four tiles at least, and as many for each process.
    step = max(1, min(round(1 / share), len(tiles) // 4))
    todo = tiles[step // 2 :: step]
    todo = todo[: max(1, len(todo) // processes) * processes]
    if processes == 1:
        parts = [plain_share(str(slide), todo, network)]
    else:
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            jobs = [(str(slide), todo[i::processes], network) for i in range(processes)]
            parts = pool.map(share_in_child, [j for j in jobs if j[1]], chunksize=1)
    scale = len(tiles) / len(todo)
    return {
        "tiles": len(tiles),
        "run": len(todo),
        "cells": round(scale * sum(p.cells for p in parts)),
        # As if all processes ended together.
        "wall_s": round(scale * sum(p.wall_s for p in parts) / len(parts), 1),
        "cpu_s": round(scale * sum(p.cpu_s for p in parts), 1),
    }


def two_blocks(slide: Path) -> str:
    """Two whole blocks side by side, the fullest of the slide, as the program wants a region."""
    tiles = set(tissue_tiles(str(slide)))
    from napari_her2.slides import open_slide
    from napari_her2.tiles.tissue import find_tissue

    with open_slide(slide) as opened:
        tissue = find_tissue(opened)
    pairs = [(y, x) for y, x in tiles if (y, x + BLOCK_PX) in tiles] or sorted(tiles)
    regions = [Region(x, y, 2 * BLOCK_PX, BLOCK_PX) for y, x in sorted(pairs)]
    best = max(regions, key=tissue.fraction_in)
    return f"{best.x:g},{best.y:g},{best.width:g},{best.height:g}"


def start_up(slide: Path, classifier: str, runtime: str, processes: int, python: str) -> float:
    """Processor seconds of a run apart from its cells: two blocks less what two blocks cost.

    A block is taken to cost what it costs in a second such run over four of them.
    """
    x, y, width, height = (float(v) for v in two_blocks(slide).split(","))
    small = f"{x:g},{y:g},{width:g},{height:g}"
    top = max(0.0, y - height)
    large = f"{x:g},{top:g},{width:g},{2 * height:g}"
    runs = [run_ours(slide, classifier, runtime, processes, python, r) for r in (small, large)]
    cells = [max(r.cells, 1) for r in runs]
    if cells[1] <= cells[0]:
        return runs[0].cpu_s
    per_cell = (runs[1].cpu_s - runs[0].cpu_s) / (cells[1] - cells[0])
    return round(max(0.0, runs[0].cpu_s - per_cell * cells[0]), 2)


def summed_up(rows: list[dict[str, object]]) -> list[dict[str, object]]:
    """Medians over the rounds, one entry for each slide, classifier, runtime and processes."""
    keys = ("slide", "classifier", "runtime", "processes")
    groups: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for row in rows:
        groups.setdefault(tuple(row[k] for k in keys), []).append(row)
    out = []
    for key, group in groups.items():
        entry = dict(zip(keys, key, strict=True)) | {"rounds": len(group)}
        for name in ("cells", "tissue_mpx", "wall_s", "cpu_s", "start_cpu_s", "cpu_s_per_gpx",
                     "peak_mib", "ratio_wall", "ratio_cpu"):  # fmt: skip
            values = [row[name] for row in group if row.get(name) is not None]
            entry[name] = statistics.median(values) if values else None
            if name.startswith("ratio"):
                entry[f"{name}s"] = values
        out.append(entry)
    return out


def flatness(summary: list[dict[str, object]]) -> list[dict[str, object]]:
    """How much the cost of a pixel of tissue, without start-up, differs between slides."""
    keys = ("classifier", "runtime", "processes")
    groups: dict[tuple[object, ...], list[float]] = {}
    for entry in summary:
        groups.setdefault(tuple(entry[k] for k in keys), []).append(float(entry["cpu_s_per_gpx"]))
    return [
        dict(zip(keys, key, strict=True)) | {"spread": round(max(v) / min(v) - 1, 3)}
        for key, v in groups.items()
        if len(v) > 1
    ]


def main() -> int:
    """Run both sides and print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("slides", nargs="+", type=Path)
    parser.add_argument("--classifier", nargs="+", default=["membrane"])
    parser.add_argument("--runtime", nargs="+", default=["torch"], help="for networks")
    parser.add_argument("--processes", nargs="+", type=int, default=[2])
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--share", type=float, default=0.2, help="of the plain design's tiles")
    parser.add_argument("--no-plain", action="store_true", help="our side only")
    parser.add_argument("--python", default=sys.executable, help="for our side")
    parser.add_argument("--json", type=Path, help="write the figures here")
    parser.add_argument("--least", type=float, default=0.0, help="smallest ratio that is enough")
    options = parser.parse_args()
    rows: list[dict[str, object]] = []
    starts: dict[tuple[object, ...], float] = {}
    cases = [
        (slide, processes, classifier)
        for slide in options.slides
        for processes in options.processes
        for classifier in options.classifier
    ]
    for number in range(options.rounds):
        for slide, processes, classifier in cases:
            network = classifier != "membrane"
            plain = None
            if not options.no_plain:
                plain = run_plain(slide, network, processes, options.share)
            for runtime in options.runtime if network else ["auto"]:
                case = (slide, classifier, runtime, processes, options.python)
                if case not in starts:
                    starts[case] = start_up(*case)
                row = one_row(run_ours(*case), starts[case], plain)
                rows.append(row | {"round": number + 1})
                print(json.dumps(rows[-1]), flush=True)
                if options.json is not None:
                    summary = summed_up(rows)
                    document = {"summary": summary, "flatness": flatness(summary), "rows": rows,
                                "machine": machine()}  # fmt: skip
                    options.json.write_text(json.dumps(document, indent=1), encoding="utf-8")
    summary = summed_up(rows)
    for entry in [*summary, *flatness(summary)]:
        print(json.dumps(entry), flush=True)
    ratios = [entry["ratio_cpu"] for entry in summary if entry["ratio_cpu"] is not None]
    return 0 if all(float(r) >= options.least for r in ratios) else 1


def one_row(ours: Ours, start_cpu_s: float, plain: dict[str, float] | None) -> dict[str, object]:
    """One run of ours beside the plain design of the same round."""
    row: dict[str, object] = asdict(ours) | {
        "start_cpu_s": start_cpu_s,
        "cpu_s_per_gpx": round(1000 * (ours.cpu_s - start_cpu_s) / ours.tissue_mpx, 1),
        "cells_per_cpu_s": round(ours.cells / ours.cpu_s),
        "plain": plain,
    }
    if plain is not None:
        row["ratio_wall"] = round(plain["wall_s"] / ours.wall_s, 2)
        row["ratio_cpu"] = round(plain["cpu_s"] / ours.cpu_s, 2)
    return row


if __name__ == "__main__":
    sys.exit(main())
