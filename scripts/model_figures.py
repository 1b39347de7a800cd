"""Write the demo models' validation figures into docs/models.md, from their cards.

``python scripts/model_figures.py`` rewrites the table; with ``--check`` it only says whether the
page is up to date.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PAGE = REPO / "docs" / "models.md"
CARDS = REPO / "src" / "napari_her2" / "models" / "demo"
START, END = "<!-- figures: start", "<!-- figures: end -->"


def table() -> str:
    """The figures as a Markdown table."""
    lines = ["| model | figure | value (95 % CI) | n | on |", "|---|---|---|---|---|"]
    for path in sorted(CARDS.glob("*/card.json")):
        card = json.loads(path.read_text(encoding="utf-8"))
        if card["selector"].get("kind") == "cells":
            continue  # docs/cell_models.md has theirs
        for v in card["validation"]:
            ci = "" if v["ci95"] is None else f" ({v['ci95'][0]:.2f}–{v['ci95'][1]:.2f})"
            lines.append(
                f"| {card['biomarker']}, `{card['id']}` {card['version']} | {v['metric']} "
                f"| {v['value']:.2f}{ci} | {v['n']} {v['unit']} | {v['site']}, {v['date']} |"
            )
    return "\n".join(lines)


def filled(page: str) -> str:
    """The page with its table made anew."""
    first = page.index("\n", page.index(START)) + 1
    return page[:first] + table() + "\n" + page[page.index(END) :]


def main() -> int:
    """Write or check the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; 1 if it is stale")
    check = parser.parse_args().check
    old = PAGE.read_text(encoding="utf-8")
    new = filled(old)
    if check:
        return int(new != old)
    PAGE.write_text(new, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
