"""``selfcheck``: numbers this program must reproduce, checked on this computer."""

from __future__ import annotations

from typing import Any, Final

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["selfcheck"]

PARTS: Final = ("arch",)
"""What can be checked; ``all`` runs every part."""


@click.command(epilog="Example: napari-her2 selfcheck arch")
@click.argument("part", type=click.Choice([*PARTS, "all"]), default="all")
@json_option
def selfcheck(part: str, as_json: bool) -> int:
    """Rebuild published figures: arch = parameter counts of the papers' networks."""
    with clean_stdout():
        from napari_her2.models.selfcheck import check_arch

        sources = {"arch": check_arch}
        names = PARTS if part == "all" else (part,)
        checks: list[dict[str, Any]] = [
            {"id": c.id, "expected": c.expected, "got": c.got, "tolerance": c.tolerance, "ok": c.ok}
            for name in names
            for c in sources[name]()
        ]
    lines = [
        f"{'ok  ' if c['ok'] else 'FAIL'} {c['id']}: expected {c['expected']}, got {c['got']}"
        for c in checks
    ]
    emit({"checks": checks}, lines, as_json=as_json)
    return 0 if all(c["ok"] for c in checks) else 1
