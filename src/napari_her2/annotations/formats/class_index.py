"""Numbers for classes, where a format holds numbers: masks, COCO, tiles."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.formats.colours import Rgb, colour_of_class, to_hex
from napari_her2.annotations.schema import ClassSchema

__all__ = ["ClassIndex", "class_index"]


@dataclass(frozen=True, slots=True)
class ClassIndex:
    """Classes in the order of their numbers; the first has number 1, 0 is "nothing drawn".

    Attributes
    ----------
    names : tuple of str
        Names as in the annotations.
    colours : tuple of (int, int, int)
        One for each.
    """

    names: tuple[str, ...]
    colours: tuple[Rgb, ...]

    def number(self, name: str | None) -> int:
        """Number of a class; 0 for None."""
        return 0 if name is None else self.names.index(name) + 1

    def rows(self) -> list[dict[str, Any]]:
        """The table that lies beside a mask."""
        return [{"index": 0, "class": None, "colour": "#000000"}] + [
            {"index": i, "class": name, "colour": to_hex(rgb)}
            for i, (name, rgb) in enumerate(zip(self.names, self.colours, strict=True), start=1)
        ]


def class_index(annotations: Sequence[Annotation], schema: ClassSchema | None) -> ClassIndex:
    """Number the classes: those of the schema in its order, then others by name.

    All classes of the schema get a number, whether they occur or not, so that masks of several
    slides agree.
    """
    known = list(schema.names) if schema is not None else []
    given: dict[str, Rgb] = {}
    for a in annotations:
        if a.class_name is not None and (a.class_name not in given) and a.class_colour:
            given[a.class_name] = a.class_colour
    others = sorted({a.class_name for a in annotations if a.class_name is not None} - set(known))
    names = tuple(known + others)
    # The schema's colour goes before a file's: masks of several slides look alike.
    colours = tuple(colour_of_class(n, None if n in known else given.get(n), schema) for n in names)
    return ClassIndex(names, colours)
