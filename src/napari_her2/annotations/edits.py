"""One action on annotations, in a form that can be undone, written down and done again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.lossless import annotations_from_json, annotations_to_json

__all__ = ["Edit", "add", "lock", "note", "reclass", "remove", "rename", "replace"]


@dataclass(frozen=True, slots=True)
class Edit:
    """Takes some annotations away and puts others there, both at once.

    One shape for every action: drawing adds, deleting removes, changing replaces an annotation by
    one of the same id, splitting replaces one by two, merging several by one, an import adds
    100,000. An annotation that is replaced by one of its id keeps its place in the order.

    Attributes
    ----------
    label : str
        What the action is called in the list of edits.
    removed : tuple of Annotation
        As they were before.
    added : tuple of Annotation
        As they are afterwards.
    """

    label: str
    removed: tuple[Annotation, ...] = ()
    added: tuple[Annotation, ...] = ()

    def __post_init__(self) -> None:
        for side in (self.removed, self.added):
            if len({a.id for a in side}) != len(side):
                msg = "an edit names one annotation twice"
                raise ValueError(msg)

    def __bool__(self) -> bool:
        return bool(self.removed or self.added)

    def inverse(self) -> Edit:
        """The edit that takes this one back."""
        return Edit(self.label, removed=self.added, added=self.removed)

    @property
    def ids(self) -> frozenset[str]:
        """Ids of all annotations it touches."""
        return frozenset(a.id for side in (self.removed, self.added) for a in side)

    @property
    def classes(self) -> frozenset[str | None]:
        """Names of all classes it touches."""
        return frozenset(a.class_name for side in (self.removed, self.added) for a in side)

    def to_json(self) -> dict[str, Any]:
        """As JSON values; nothing is rounded."""
        return {
            "label": self.label,
            "removed": annotations_to_json(self.removed),
            "added": annotations_to_json(self.added),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Edit:
        """The edit of :meth:`to_json`.

        Raises
        ------
        ValueError
            If it is none.
        """
        try:
            label, removed, added = document["label"], document["removed"], document["added"]
        except (KeyError, TypeError) as e:
            msg = f"not an edit: {e}"
            raise ValueError(msg) from None
        return cls(str(label), annotations_from_json(removed), annotations_from_json(added))


def add(annotations: Iterable[Annotation], label: str = "Add") -> Edit:
    """Put annotations there: drawn, or imported all at once."""
    return Edit(label, added=tuple(annotations))


def remove(annotations: Iterable[Annotation], label: str = "Delete") -> Edit:
    """Take annotations away."""
    return Edit(label, removed=tuple(annotations))


def replace(
    old: Annotation | Iterable[Annotation],
    new: Annotation | Iterable[Annotation],
    label: str = "Change",
) -> Edit:
    """Put other annotations in the place of some: one for one, split, merged.

    Parameters
    ----------
    old, new : Annotation or iterable of Annotation
        A new one with the id of an old one is that one, changed.
    label : str
        What the action is called.
    """
    return Edit(label, _tuple(old), _tuple(new))


def reclass(
    annotations: Iterable[Annotation],
    class_name: str | None,
    *,
    modified: str = "",
    label: str = "Change class",
) -> Edit:
    """Give annotations another class (None takes it away).

    The colour that a file gave to the old class goes with it. Those that have the class already
    are left out.
    """
    return _changed(
        (a for a in annotations if a.class_name != class_name),
        label,
        modified,
        class_name=class_name,
        class_colour=None,
    )


def lock(annotations: Iterable[Annotation], locked: bool = True, *, label: str = "") -> Edit:
    """Lock annotations, or unlock them."""
    which = (a for a in annotations if a.locked != locked)
    return _changed(which, label or ("Lock" if locked else "Unlock"), "", locked=locked)


def note(
    annotations: Iterable[Annotation], text: str, *, modified: str = "", label: str = "Note"
) -> Edit:
    """Write the note of annotations anew."""
    return _changed((a for a in annotations if a.note != text), label, modified, note=text)


def rename(
    annotations: Iterable[Annotation], name: str, *, modified: str = "", label: str = "Rename"
) -> Edit:
    """Give annotations another name."""
    return _changed((a for a in annotations if a.name != name), label, modified, name=name)


def _changed(annotations: Iterable[Annotation], label: str, modified: str, **to: Any) -> Edit:
    old = tuple(annotations)
    if modified:
        to["modified"] = modified
    return Edit(label, old, tuple(dataclasses.replace(a, **to) for a in old))


def _tuple(given: Annotation | Iterable[Annotation]) -> tuple[Annotation, ...]:
    return (given,) if isinstance(given, Annotation) else tuple(given)
