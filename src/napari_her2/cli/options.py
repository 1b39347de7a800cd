"""Options that several commands share, and the types they are read as."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from napari_her2.geometry import Region

__all__ = ["MPP", "ROI", "SLIDE", "json_option", "mpp_option", "roi_option"]

F = TypeVar("F", bound=Callable[..., Any])

SLIDE: Final = click.Path(path_type=Path)
"""A slide: a file or a folder. Whether it is there is the slide layer's business (exit code 3)."""


class _Mpp(click.ParamType):
    """``0.23`` or ``0.23,0.25`` (x, y)."""

    name = "µm/px"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float | tuple[float, float]:
        if isinstance(value, (float, tuple)):
            return value
        try:
            numbers = [float(part) for part in str(value).split(",")]
        except ValueError:
            numbers = []
        if len(numbers) not in {1, 2}:
            self.fail(f"{value!r} is neither a number nor two numbers X,Y", param, ctx)
        return numbers[0] if len(numbers) == 1 else (numbers[0], numbers[1])


class _Roi(click.ParamType):
    """``X,Y,W,H`` in level-0 pixels."""

    name = "X,Y,W,H"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Region:
        if isinstance(value, Region):
            return value
        try:
            x, y, width, height = (float(part) for part in str(value).split(","))
            return Region(x, y, width, height)
        except ValueError:
            self.fail(
                f"{value!r} is not X,Y,W,H in level-0 pixels with a width and height above 0",
                param,
                ctx,
            )


MPP: Final = _Mpp()
ROI: Final = _Roi()


def json_option(command: F) -> F:
    """Add ``--json``."""
    return click.option(
        "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
    )(command)


def mpp_option(command: F) -> F:
    """Add ``--mpp``."""
    return click.option(
        "--mpp",
        type=MPP,
        help="Pixel size in µm per pixel (or X,Y) where the slide does not state it.",
    )(command)


def roi_option(command: F) -> F:
    """Add ``--roi``."""
    return click.option(
        "--roi", type=ROI, help="Only this rectangle, level-0 pixels from the top-left corner."
    )(command)
