"""``selfcheck``: numbers this program must reproduce, checked on this computer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from napari_her2.scoring.checks import Check

__all__ = ["selfcheck"]

PARTS: Final = ("arch", "papers")
"""What can be checked; ``all`` runs every part."""

_COLUMN = 11


def _arch() -> list[Check]:
    from napari_her2.models import selfcheck as networks

    return networks.check_arch()


def _papers() -> list[Check]:
    from napari_her2.scoring import published

    return published.check_papers()


_SOURCES: Final[dict[str, Callable[[], list[Check]]]] = {"arch": _arch, "papers": _papers}


@click.command(epilog="Example: napari-her2 selfcheck papers")
@click.argument("part", type=click.Choice([*PARTS, "all"]), default="all")
@json_option
def selfcheck(part: str, as_json: bool) -> int:
    """Rebuild published figures: arch = parameter counts, papers = tables, with their slips."""
    with clean_stdout():
        names = PARTS if part == "all" else (part,)
        checks = [c for name in names for c in _SOURCES[name]()]
    emit({"checks": [c.to_json() for c in checks]}, _table(checks), as_json=as_json)
    return 0 if all(c.ok for c in checks) else 1


def _table(checks: Sequence[Check]) -> list[str]:
    """One line a check, in columns; slips say what the paper prints; a count at the end."""
    name_width = max((len(c.id) for c in checks), default=5)
    lines = [_row("", "check".ljust(name_width), "expected", "got", "")]
    for c in checks:
        mark = "FAIL" if not c.ok else "slip" if c.slip else "ok"
        end = f"± {c.tolerance:g}" if c.tolerance else ""
        if c.slip:
            end = f"{end}  printed: {_text(c.printed)}".strip()
        lines.append(_row(mark, c.id.ljust(name_width), _text(c.expected), _text(c.got), end))
    good, slips = sum(c.ok for c in checks), sum(c.slip for c in checks)
    lines.append(f"{good} of {len(checks)} in order; {slips} show a slip of a paper")
    return lines


def _row(mark: str, name: str, expected: str, got: str, end: str) -> str:
    """Values wider than a column push the rest of their own line only."""
    line = f"{mark:4}  {name}  {expected:>{_COLUMN}}  {got:>{_COLUMN}}"
    return f"{line}  {end}".rstrip()


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    if isinstance(value, list | tuple):
        return ", ".join(_text(v) for v in value) or "none"
    return str(value)
