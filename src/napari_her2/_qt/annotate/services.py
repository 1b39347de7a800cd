"""What the dock needs of the rest of the program, in one place that tests can replace."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import (
    BUILT_IN,
    ClassSchema,
    built_in_schemas,
    read_schema,
    write_schema,
)
from napari_her2.errors import Her2Error
from napari_her2.settings import LOGGER, get_settings

if TYPE_CHECKING:
    from napari_her2._qt.open_slide import OpenSlide

__all__ = ["AnnotateServices", "keep_schema", "known_schemas", "rescue_labels"]


def _schema_folder() -> Path:
    return get_settings().data_dir / "schemas"


def known_schemas() -> list[ClassSchema]:
    """The schemas that come along, as edited by the user, and the user's own."""
    found = {schema.id: schema for schema in built_in_schemas()}
    for path in sorted(_schema_folder().glob("*.json")):
        try:
            schema = read_schema(path)
        except Her2Error as error:
            LOGGER.warning("%s", error.sentence)
            continue
        found[schema.id] = schema
    order = {name: i for i, name in enumerate(BUILT_IN)}
    return sorted(found.values(), key=lambda s: (order.get(s.id, len(order)), s.name))


def keep_schema(schema: ClassSchema) -> Path:
    """Keep a schema for later; one that comes along is kept as the user's version of it.

    Raises
    ------
    CannotWriteError, DiskFullError
        What was there stays.
    """
    folder = _schema_folder()
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{schema.id}.json"
    write_schema(path, schema)
    return path


def _open_book(entry: OpenSlide, author: str) -> Any:
    from napari_her2.annotations.book import open_book

    size, mpp = entry.slide.size, entry.mpp
    return open_book(
        entry.slide_id,
        (size.width, size.height),
        None if mpp is None else (mpp.x, mpp.y),
        author=author,
        quickhash=entry.slide.content_key(),
    )


def _read(path: Path, entry: OpenSlide, schema: ClassSchema) -> Any:
    from napari_her2.annotations.interchange import read_annotations

    size, mpp = entry.slide.size, entry.mpp
    return read_annotations(
        path,
        slide_size=(size.width, size.height),
        mpp=None if mpp is None else (mpp.x, mpp.y),
        schema=schema,
    )


def _write(
    path: Path, annotations: Sequence[Annotation], to: Any, entry: OpenSlide, schema: ClassSchema
) -> Any:
    from napari_her2.annotations.interchange import write_annotations

    return write_annotations(path, annotations, to=to, slide=entry.slide, schema=schema)


def _label_set(request: Any, cancel: Any) -> Any:
    from napari_her2.pipelines.label_set import make_label_set

    return make_label_set(request, cancel)


def rescue_labels(book: Any) -> Path | None:
    """Write labels that could not be saved to the temporary folder; where, or None."""
    folder = Path(tempfile.mkdtemp(prefix="napari-her2-labels-")) / "labels"
    try:
        book.save_elsewhere(folder)
        book.close()
    except Her2Error:
        LOGGER.error("labels could not be saved anywhere")
        book.close(give_up=True)
        return None
    LOGGER.warning("labels that could not be saved in their place are kept in %s", folder)
    return folder


@dataclass(frozen=True, slots=True)
class AnnotateServices:
    """The functions that the dock calls.

    Attributes
    ----------
    open_book : callable
        (OpenSlide, author) -> AnnotationBook.
    read, write : callable
        Files of annotations in and out.
    schemas, keep_schema : callable
        The class schemas there are, and keeping one.
    make_label_set : callable
        (LabelSetRequest, cancel) -> iterator of events.
    """

    open_book: Callable[..., Any] = _open_book
    read: Callable[..., Any] = _read
    write: Callable[..., Any] = _write
    schemas: Callable[[], list[ClassSchema]] = known_schemas
    keep_schema: Callable[[ClassSchema], Path] = keep_schema
    make_label_set: Callable[..., Any] = _label_set
