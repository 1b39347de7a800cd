"""1024 px viewports: our levels against OpenSlide's read_region + asarray, on the same windows.

    python benchmarks/viewport.py SLIDE [SLIDE ...] [--rounds 7] [--reads 12] [--json OUT]

The tile cache is emptied before each round, so that what is timed is reading, not remembering.
Tiled JPEG slides have to stay within 0.5 of OpenSlide's time, all others within 1.1.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import openslide

from napari_her2.slides import open_slide
from pairing import Row, paired, report

SIDE = 1024


def places(slide_size: tuple[int, int], n: int, seed: int) -> list[tuple[int, int]]:
    """Random top-left corners, x and y, at level 0."""
    rng = np.random.default_rng(seed)
    w, h = (max(s - SIDE, 1) for s in slide_size)
    return [(int(rng.integers(w)), int(rng.integers(h))) for _ in range(n)]


def main() -> int:
    """Time and print."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("slides", nargs="+", type=Path)
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--reads", type=int, default=12)
    p.add_argument("--json", type=Path)
    a = p.parse_args()
    rows: list[Row] = []
    for path in a.slides:
        with open_slide(path) as ours, openslide.OpenSlide(str(openable(path))) as theirs:
            spots = places((ours.size.width, ours.size.height), a.reads, seed=1)

            def read_ours(ours=ours, spots=spots) -> None:
                for x, y in spots:
                    ours.read(0, x, y, SIDE, SIDE)

            def read_theirs(theirs=theirs, spots=spots) -> None:
                for x, y in spots:
                    np.asarray(theirs.read_region((x, y), 0, (SIDE, SIDE)))

            direct = "direct" in ours.info.backend
            rows.append(
                paired(
                    f"{path.name} viewport ({ours.info.backend})",
                    read_ours,
                    "openslide read_region + asarray",
                    read_theirs,
                    rounds=a.rounds,
                    limit=0.5 if direct else 1.1,
                )
            )
    return report(rows, a.json)


def openable(path: Path) -> Path:
    """What OpenSlide takes: of a DICOM folder, one of its files."""
    return next(iter(sorted(path.glob("*.dcm")))) if path.is_dir() else path


if __name__ == "__main__":
    raise SystemExit(main())
