"""``demo``: the main job on the sample slides, in the viewer or as a report."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["demo", "has_display"]


@click.command(epilog="Example: napari-her2 demo --headless --out her2-demo")
@click.option("--headless", is_flag=True, help="Open no window; write a report instead.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=Path("her2-demo"), show_default=True,
    help="Folder for the report, pictures and demo.json.",
)  # fmt: skip
@json_option
def demo(headless: bool, out: Path, as_json: bool) -> int:
    """Predict ER, PR and HER2 on the sample H&E slides, and score the HER2 IHC sample.

    Opens the viewer with heatmaps and docks; without a display (or with --headless) writes a
    report, pictures and demo.json into the folder.
    """
    if not headless and not as_json and has_display():
        from napari_her2._qt.demo import open_demo

        return int(open_demo() or 0)
    with clean_stdout():
        from napari_her2.cli.demo_report import run_demo

        document, lines, code = run_demo(out)
    emit(document, lines, as_json=as_json)
    return code


def has_display() -> bool:
    """Whether a window could be opened here."""
    if sys.platform in {"win32", "darwin"}:
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
