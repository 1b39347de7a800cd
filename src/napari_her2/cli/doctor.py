"""``doctor``: what is wrong with the installation and how to mend it."""

from __future__ import annotations

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["doctor"]


@click.command(epilog="Example: napari-her2 doctor")
@json_option
def doctor(as_json: bool) -> int:
    """Check the installation; say how to mend what is wrong."""
    with clean_stdout():
        from napari_her2.cli.checkup import run_checks

        checks = run_checks()
    lines = []
    for check in checks:
        mark = "ok  " if check.ok else ("FAIL" if check.needed else "note")
        lines.append(f"{mark} {check.name}: {check.found}")
        if check.advice:
            lines.append(f"     {check.advice}")
    document = {
        "checks": [
            {"name": c.name, "ok": c.ok, "advice": c.advice, "found": c.found, "needed": c.needed}
            for c in checks
        ]
    }
    emit(document, lines, as_json=as_json)
    return 0 if all(c.ok or not c.needed for c in checks) else 1
