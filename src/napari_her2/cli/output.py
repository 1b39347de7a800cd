"""What a command prints: one JSON document on stdout, or lines for a person; the rest on stderr."""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from napari_her2.messages import NOTICE

__all__ = ["clean_stdout", "emit", "plain"]


def plain(value: Any) -> Any:
    """Turn a value into what JSON can hold: paths to strings, NaN to null, arrays to numbers."""
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [plain(v) for v in value]
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return value


def emit(
    document: Mapping[str, Any], lines: Iterable[str], *, as_json: bool, result: bool = True
) -> None:
    """Print a result.

    Parameters
    ----------
    document : mapping
        What ``--json`` prints. The research-use notice is added under ``notice``.
    lines : iterable of str
        What a person reads instead.
    as_json : bool
        Whether ``--json`` was given.
    result : bool
        Whether there is anything to interpret; only then the notice goes to stderr, so that an
        error is one sentence and nothing else.
    """
    if result:
        click.echo(NOTICE, err=True)
    if as_json:
        # ASCII only, so that no terminal encoding and no odd file name can break the document.
        click.echo(json.dumps(plain({**document, "notice": NOTICE}), indent=2, allow_nan=False))
    else:
        for line in lines:
            click.echo(line)


@contextlib.contextmanager
def clean_stdout() -> Iterator[None]:
    """Send everything that anything prints on stdout meanwhile to stderr.

    Also what C libraries and child processes write, so that ``--json`` stays one document.
    """
    with contextlib.redirect_stdout(sys.stderr):
        try:
            sys.__stdout__.flush()  # type: ignore[union-attr]
            kept = os.dup(1)
        except (AttributeError, OSError, ValueError):
            # No stdout at the level of the system (embedded, or closed): nothing to protect.
            yield
            return
        try:
            os.dup2(2, 1)
            yield
        finally:
            sys.stderr.flush()
            os.dup2(kept, 1)
            os.close(kept)
