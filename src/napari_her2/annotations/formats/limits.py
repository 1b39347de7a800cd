"""How large a file of annotations may be, and how its text is taken in.

Generous for what people and programs draw, tight enough that a file made to fill the memory ends in
a sentence.
"""

from __future__ import annotations

import gc
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic_core import from_json

from napari_her2.errors import BadAnnotationsError

__all__ = [
    "FURTHEST_PX",
    "MAX_BYTES",
    "MAX_DEPTH",
    "MAX_OBJECTS",
    "MAX_POINTS",
    "Json",
    "load_json",
    "no_collection",
    "read_file",
    "text_of",
]

MAX_BYTES: Final = 2 * 1024**3
"""Of a file, and of what it unpacks to."""

MAX_POINTS: Final = 50_000_000
"""Corners of all outlines of a file together."""

MAX_OBJECTS: Final = 5_000_000

MAX_DEPTH: Final = 200
"""Brackets or elements inside each other (pydantic's own limit for JSON)."""

FURTHEST_PX: Final = 1e8
"""No slide is wider: what lies further out is no place."""

_ZIP_ERRORS: Final = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, NotImplementedError,
    RuntimeError,
)  # fmt: skip


class Json(NamedTuple):
    """A JSON document, and how much of it was there.

    Attributes
    ----------
    document : object
        Lists, dicts, strings, numbers.
    whole : bool
        False where the text ends too early or is damaged further on.
    cut : bool
        Whether an entry was left out because the text stops within it.
    utf8 : bool
        Whether the text was Unicode.
    """

    document: Any
    whole: bool
    cut: bool
    utf8: bool


def read_file(path: Path, kind: str = "annotations") -> bytes:
    """Content of a file, or of the one file in a zip.

    Raises
    ------
    BadAnnotationsError
        If it is not there, can't be read or is too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise BadAnnotationsError("annotations_too_large", name=path.name, limit="2 GiB")
        data = path.read_bytes()
    except OSError as e:
        reason = e.strerror or type(e).__name__
        raise BadAnnotationsError(
            "bad_annotations", name=path.name, kind=kind, reason=reason
        ) from None
    if data.startswith(b"PK\x03\x04"):
        return _unzip(path, kind)
    return data


def _unzip(path: Path, kind: str) -> bytes:
    """QuPath writes large exports as a zip with one GeoJSON file."""
    try:
        with zipfile.ZipFile(path) as archive:
            inside = [i for i in archive.infolist() if not i.is_dir()]
            if len(inside) != 1:
                raise BadAnnotationsError(
                    "bad_annotations", name=path.name, kind=kind,
                    reason=f"the zip holds {len(inside)} files instead of one",
                )  # fmt: skip
            with archive.open(inside[0]) as f:
                data = f.read(MAX_BYTES + 1)
    except _ZIP_ERRORS:
        raise BadAnnotationsError(
            "bad_annotations", name=path.name, kind=kind, reason="the zip is damaged"
        ) from None
    if len(data) > MAX_BYTES:
        raise BadAnnotationsError("annotations_too_large", name=path.name, limit="2 GiB")
    return data


def text_of(data: bytes) -> tuple[bytes, bool]:
    """The same text as UTF-8 without byte order mark, and whether it was UTF-8 or UTF-16."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace").encode("utf-8", errors="replace"), True
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1").encode(), False
    return data, True


@contextmanager
def no_collection() -> Iterator[None]:
    """Hold Python's garbage collection: millions of new objects, none of them garbage.

    Without this, reading 100,000 cells takes five times as long.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def load_json(data: bytes) -> Json:
    """Read JSON; of a damaged or cut file, what stands before the damage.

    Raises
    ------
    ValueError
        If nothing can be made of it; the text says why.
    """
    text, utf8 = text_of(data)
    with no_collection():
        try:
            return Json(from_json(text), True, False, utf8)
        except ValueError as e:
            reason = str(e)
        text = text[: _offset(text, reason)].rstrip(b", \t\r\n")
        # Where the text stops between two entries, none of them is cut off.
        for end in (b"", b"]", b"]}"):
            try:
                return Json(from_json(text + end), False, False, utf8)
            except ValueError:
                continue
        try:
            document = _without_last(from_json(text, allow_partial=True))
        except ValueError:
            raise ValueError(reason) from None
    if not document:
        raise ValueError(reason)
    return Json(document, False, True, utf8)


def _offset(text: bytes, reason: str) -> int:
    """Where in the text an error of pydantic's parser lies: ``... at line 3 column 7``."""
    words = reason.split()
    try:
        line, column = int(words[-3]), int(words[-1])
    except (ValueError, IndexError):
        return len(text)
    if "EOF" in words:
        return len(text)
    at = 0
    for _ in range(line - 1):
        at = text.find(b"\n", at) + 1
    return max(at + column - 1, 0)


def _without_last(document: Any) -> Any:
    """Take off the entry that the text stops in: half an outline is another outline."""
    if isinstance(document, dict) and document and document.get("type") != "Feature":
        last = next(reversed(document))
        if isinstance(document[last], list) and document[last]:
            document[last].pop()
        else:
            del document[last]
        return document
    if isinstance(document, list) and document:
        document.pop()
        return document
    msg = "it ends too early"
    raise ValueError(msg)
