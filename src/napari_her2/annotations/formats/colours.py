"""Colours as other tools write them."""

from __future__ import annotations

from typing import Any

from napari_her2.annotations.schema import ClassSchema

__all__ = [
    "Rgb",
    "colour_of_class",
    "from_aperio",
    "from_hex",
    "from_java",
    "from_list",
    "to_aperio",
    "to_hex",
    "to_java",
]

Rgb = tuple[int, int, int]

_UNKNOWN_CLASSES: tuple[Rgb, ...] = (
    (0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233), (213, 94, 0),
    (240, 228, 66),
)  # fmt: skip


def from_java(value: Any) -> Rgb | None:
    """Red, green, blue of Java's packed ARGB, a signed 32-bit number; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        packed = int(value) & 0xFFFFFFFF
    except (ValueError, OverflowError):
        return None
    return (packed >> 16) & 255, (packed >> 8) & 255, packed & 255


def to_java(rgb: Rgb) -> int:
    """Java's packed ARGB, opaque: below zero."""
    return ((rgb[0] << 16) | (rgb[1] << 8) | rgb[2]) - 0x1000000


def from_list(value: Any) -> Rgb | None:
    """Red, green, blue of ``[r, g, b]`` or ``[r, g, b, alpha]``; None if it is none."""
    if not isinstance(value, (list, tuple)) or len(value) not in {3, 4}:
        return None
    try:
        r, g, b = (int(v) for v in value[:3])
    except (ValueError, TypeError, OverflowError):
        return None
    return (r, g, b) if all(0 <= v <= 255 for v in (r, g, b)) else None


def from_hex(value: Any) -> Rgb | None:
    """Red, green, blue of ``#RRGGBB``; None if it is none."""
    if not isinstance(value, str) or len(value) != 7 or not value.startswith("#"):
        return None
    try:
        packed = int(value[1:], 16)
    except ValueError:
        return None
    return from_java(packed)


def to_hex(rgb: Rgb) -> str:
    """``#RRGGBB``."""
    return "#{:02X}{:02X}{:02X}".format(*rgb)


def from_aperio(value: Any) -> Rgb | None:
    """Red, green, blue of ImageScope's ``LineColor``: blue is the highest byte."""
    try:
        r, g, b = (int(value) & 0xFFFFFF).to_bytes(3, "little")
    except (ValueError, TypeError, OverflowError):
        return None
    return r, g, b


def to_aperio(rgb: Rgb) -> int:
    """ImageScope's ``LineColor``."""
    return rgb[0] | (rgb[1] << 8) | (rgb[2] << 16)


def colour_of_class(name: str, given: Rgb | None, schema: ClassSchema | None) -> Rgb:
    """The colour to write for a class: the file's own, else the schema's, else one by its name.

    QuPath does not open a file in which a class has no colour.
    """
    if given is not None:
        return given
    known = schema.find(name) if schema is not None else None
    if known is not None:
        return known.rgb
    return _UNKNOWN_CLASSES[sum(name.encode()) % len(_UNKNOWN_CLASSES)]
