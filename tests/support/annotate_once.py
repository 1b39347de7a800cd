"""Draws on a slide until it is killed; says after each action that it was done."""

from __future__ import annotations

import sys
from itertools import count
from pathlib import Path

from made_annotations import square

from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add


def main() -> None:
    book = open_book("CMU-1", (46000, 32914), 0.5, Path(sys.argv[1]), author="R1")
    for n in count(len(book.store)):
        book.apply(add([square(20.0 * n, note=f"stroke {n}")], "Brush"))
        sys.stdout.write(f"{n + 1}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
