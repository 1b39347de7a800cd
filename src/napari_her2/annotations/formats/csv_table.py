"""CSV, read and written: one row for each object, shapes as well-known text.

A text that a spreadsheet would take for a formula is written with an apostrophe before it, and read
back without.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

import shapely

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.drafts import annotations_of
from napari_her2.annotations.formats.intake import Intake
from napari_her2.annotations.formats.limits import MAX_BYTES, no_collection, text_of
from napari_her2.annotations.formats.table_rows import columns_of, drafts_of

__all__ = ["read_csv", "write_csv"]

_FORMULA: Final = re.compile(r"'*[=+\-@\t\r]")
_QUOTED: Final = re.compile(r"'+[=+\-@\t\r]")


def read_csv(data: bytes, intake: Intake) -> list[Annotation]:
    """Read a table separated by commas, semicolons or tabs; the first row holds the headings.

    Raises
    ------
    BadAnnotationsError
        If it has no column that says where the objects lie.
    """
    content, utf8 = text_of(data)
    if not utf8:
        intake.note("note_encoding")
    text = content.decode("utf-8", "replace")
    first = text.split("\n", 1)[0]
    separator = max(",;\t", key=first.count)
    # The module's own limit of 128 kB a cell is less than a large outline.
    was = csv.field_size_limit(MAX_BYTES)
    try:
        with no_collection():
            rows = list(csv.reader(io.StringIO(text), delimiter=separator))
    except csv.Error as e:
        reason = f"it is no table: {e}"
        raise intake.refuse(reason) from None
    finally:
        csv.field_size_limit(was)
    rows = [r for r in rows if any(r)]
    if not rows:
        raise intake.refuse("it is empty")
    headings = rows[0]
    longer = sum(len(r) > len(headings) for r in rows[1:])
    if longer:
        intake.skip("too_many_columns", longer)
    columns = {
        h: [_unquoted(r[i]) if i < len(r) else "" for r in rows[1:]]
        for i, h in enumerate(_unquoted(h) for h in headings)
    }
    return annotations_of(drafts_of(columns, intake), intake)


def write_csv(f: BinaryIO, annotations: Sequence[Annotation]) -> None:
    """Write a table into an open file: UTF-8 with a byte order mark, for spreadsheets."""
    columns = columns_of(annotations, lambda g: shapely.to_wkt(g, rounding_precision=-1))
    text = io.TextIOWrapper(f, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow([_quoted(h) for h in columns])
    writer.writerows([_quoted(c) for c in row] for row in zip(*columns.values(), strict=True))
    text.flush()
    text.detach()


def _quoted(cell: Any) -> Any:
    if isinstance(cell, str):
        return f"'{cell}" if _FORMULA.match(cell) else cell
    return repr(cell) if isinstance(cell, float) else cell


def _unquoted(cell: str) -> str:
    return cell[1:] if _QUOTED.match(cell) else cell
