"""Runs one prediction with the installed models; a test kills it in the middle.

Usage: predict_once.py SLIDE OUT MODEL... ; prints a line for each batch.
"""

from __future__ import annotations

import sys
from pathlib import Path

from napari_her2.pipelines.events import Outcome, Partial
from napari_her2.pipelines.predict import predict
from napari_her2.pipelines.request import PredictRequest


def main() -> None:
    slide, out, *models = sys.argv[1:]
    for event in predict(PredictRequest(Path(slide), tuple(models), out=Path(out))):
        if isinstance(event, Partial):
            sys.stdout.write(f"batch {len(event.cells)}\n")
        elif isinstance(event, Outcome):
            sys.stdout.write(f"{event.status}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
