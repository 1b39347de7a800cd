"""What a format has no place for: counted, so that it is listed and not lost without a word."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any, Final

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.qupath import KEPT

__all__ = ["losses"]

_FIELDS: Final[dict[str, Callable[[Annotation], Any]]] = {
    "class": lambda a: a.class_name,
    "name": lambda a: a.name,
    "note": lambda a: a.note or a.author or a.created or a.modified or a.propagated_from,
    "measurements": lambda a: a.measurements,
    "nucleus": lambda a: a.nucleus is not None,
    "properties": lambda a: a.properties.keys() - {KEPT},
    "lock": lambda a: a.locked or a.colour is not None,
    "id": lambda a: a.id,
}


def losses(annotations: Iterable[Annotation], kept: Collection[str]) -> Counter[str]:
    """Count objects that have something a format has no place for.

    Parameters
    ----------
    annotations : iterable of Annotation
        What is written.
    kept : collection of str
        What the format keeps, of ``class, name, note, measurements, nucleus, properties, lock,
        id``.

    Returns
    -------
    Counter
        Objects by key of ``REASONS``.
    """
    asked = [(f"no_place_{name}", has) for name, has in _FIELDS.items() if name not in kept]
    return Counter(reason for a in annotations for reason, has in asked if has(a))
