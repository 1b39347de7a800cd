"""What an import or export yields: objects, and a list of what could not be kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from napari_her2.annotations.annotation import Annotation

__all__ = ["NO_CLASS", "Exported", "Imported", "Skipped", "count_classes"]

NO_CLASS = "unclassified"
"""Name under which objects without a class are counted."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something that was not kept.

    Attributes
    ----------
    reason : str
        For people.
    n : int
        How many objects it concerns.
    id : str
        Message id of the reason.
    """

    reason: str
    n: int
    id: str = ""


@dataclass(frozen=True, slots=True)
class Imported:
    """What a file held.

    Attributes
    ----------
    annotations : tuple of Annotation
        In the order of the file, ids unique, level-0 pixels.
    skipped : tuple of Skipped
        What could not be read, by reason.
    repaired : int
        Outlines that crossed themselves and were repaired: one annotation each, perhaps of several
        parts.
    format : str
        Name of the format, e.g. ``QuPath GeoJSON``.
    slide_size : (int, int) or None
        Width and height of level 0 where the file states it.
    mpp : (float, float) or None
        Micrometres per pixel in x and y where the file states it.
    notes : tuple of str
        Sentences on what was changed or looks odd.
    """

    annotations: tuple[Annotation, ...]
    skipped: tuple[Skipped, ...] = ()
    repaired: int = 0
    format: str = ""
    slide_size: tuple[int, int] | None = None
    mpp: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()

    @property
    def classes(self) -> dict[str, int]:
        """Objects of each class, most first."""
        return count_classes(self.annotations)


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written.

    Attributes
    ----------
    objects : int
        Objects written.
    classes : mapping of str to int
        Objects of each class.
    skipped : tuple of Skipped
        Objects, or properties of objects, that the format has no place for.
    files : tuple of Path
        What lies there now.
    """

    objects: int
    classes: Mapping[str, int]
    skipped: tuple[Skipped, ...] = ()
    files: tuple[Path, ...] = ()


def count_classes(annotations: tuple[Annotation, ...] | list[Annotation]) -> dict[str, int]:
    """Objects of each class, most first; those without one as :data:`NO_CLASS`."""
    return dict(Counter(a.class_name or NO_CLASS for a in annotations).most_common())
