"""``open``: the viewer on some slides, with our reader and docks."""

from __future__ import annotations

from pathlib import Path

import click

from napari_her2.cli.options import SLIDE

__all__ = ["open_command"]


@click.command("open", epilog="Example: napari-her2 open slide.svs")
@click.argument("slides", nargs=-1, type=SLIDE)
def open_command(slides: tuple[Path, ...]) -> int:
    """Open napari on the slides, with the Slide and Predict docks."""
    from napari_her2._qt.app import open_viewer

    return int(open_viewer(slides) or 0)
