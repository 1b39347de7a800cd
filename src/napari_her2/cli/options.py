"""Options that several commands share, and how their values are read."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from napari_her2.geometry import Region

__all__ = ["SLIDE", "json_option", "mpp_option", "read_mpp", "read_roi", "roi_option"]

F = TypeVar("F", bound=Callable[..., Any])

SLIDE: Final = click.Path(path_type=Path)
"""A slide: a file or a folder. Whether it is there is the slide layer's business (exit code 3)."""


def read_mpp(text: str) -> float | tuple[float, float]:
    """Read a pixel size: ``0.23``, or ``0.23,0.25`` for x and y.

    Raises
    ------
    click.BadParameter
        If it is neither.
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in {1, 2}:
        msg = f"{text!r} is neither a number nor two numbers X,Y"
        raise click.BadParameter(msg)
    return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


def read_roi(text: str) -> Region:
    """Read a rectangle ``X,Y,W,H`` in level-0 pixels.

    Raises
    ------
    click.BadParameter
        If it is none.
    """
    try:
        x, y, width, height = (float(part) for part in text.split(","))
        return Region(x, y, width, height)
    except ValueError:
        msg = f"{text!r} is not X,Y,W,H in level-0 pixels with a width and height above 0"
        raise click.BadParameter(msg) from None


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def mpp_option(command: F) -> F:
    """Add ``--mpp``."""
    return click.option(
        "--mpp",
        type=read_mpp,
        metavar="M",
        help="Pixel size in µm per pixel (or X,Y) where the slide does not state it.",
    )(command)


def roi_option(command: F) -> F:
    """Add ``--roi``."""
    return click.option(
        "--roi",
        type=read_roi,
        metavar="X,Y,W,H",
        help="Only this rectangle, level-0 pixels from the top-left corner.",
    )(command)
