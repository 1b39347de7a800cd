"""Looks for made-up cells on one slide; a test kills it in the middle.

Usage: cells_once.py SLIDE OUT ; prints a line for each tile.
"""

from __future__ import annotations

import sys
from pathlib import Path

from made_cells import FakeParts

from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_events import CellsPartial
from napari_her2.pipelines.cells_request import CellsRequest


def main() -> None:
    slide, out = map(Path, sys.argv[1:])
    parts = FakeParts(pause=0.2, tile=256, step=16)
    for event in score_cells(CellsRequest(slide, out=out), parts=parts):
        if isinstance(event, CellsPartial):
            sys.stdout.write(f"tile {len(event.table)}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
