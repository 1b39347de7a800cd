"""Why objects, or what hangs on them, were left out: parts of sentences, listed with a number."""

from __future__ import annotations

from collections import Counter
from typing import Final

from napari_her2.annotations.formats.outcome import Skipped

__all__ = ["REASONS", "skipped_of"]

REASONS: Final[dict[str, str]] = {
    # import
    "no_shape": "without a shape",
    "bad_shape": "shape that is not readable",
    "not_finite": "coordinates that are not finite numbers",
    "far": "coordinates beyond any slide",
    "few_points": "too few points for an outline",
    "no_area": "outline without area",
    "not_object": "entry that is no annotation",
    "cut_off": "cut off at the end of the file",
    "members": "entries about the file as a whole",
    "lone_hole": "hole that lies in no region",
    "crowd": "coded area that is not readable",
    "too_many_columns": "cells of a row without a heading",
    # export
    "no_place_class": "class (the format has no place for it)",
    "no_place_name": "name (the format has no place for it)",
    "no_place_note": "note, author or dates (the format has no place for them)",
    "no_place_measurements": "measurements (the format has no place for them)",
    "no_place_twice": "second measurement of one name (the format has no place for it)",
    "no_place_nucleus": "outline of the nucleus (the format has no place for it)",
    "no_place_properties": "further properties (the format has no place for them)",
    "no_place_id": "id (the format has no place for it)",
    "no_place_lock": "lock or colour (the format has no place for it)",
    "points_and_lines": "points and lines (the format holds areas only)",
    "without_class": "without a class (the format holds classes only)",
    "outside": "outside the slide",
    "overlap": "wholly covered by objects drawn later",
    "too_small": "smaller than a pixel of the mask",
    "lines": "lines (the format holds areas and points only)",
    "two_classes": "tile that two classes cover",
    "no_tile": "too small for a tile",
    "unreadable_tile": "tile of the slide that is not readable",
}
"""By id. Each follows a number: ``3: outline without area``."""


def skipped_of(counts: Counter[str]) -> tuple[Skipped, ...]:
    """The list for people, most first; nothing for a count of 0."""
    return tuple(Skipped(REASONS[r], n, r) for r, n in counts.most_common() if n)
