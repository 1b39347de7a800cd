"""The few facts of OME-XML that matter: pixel size, objective power, names of images."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from napari_her2.settings import LOGGER
from napari_her2.slides.base import PixelSize
from napari_her2.slides.mpp import stated

__all__ = ["OmePixels", "ome_pixels", "to_microns"]

_MAX_BYTES = 32 * 2**20
_MAX_DEPTH = 64

_MICRONS = {
    "": 1.0, "µm": 1.0, "μm": 1.0, "um": 1.0, "micrometer": 1.0, "micrometre": 1.0,
    "micron": 1.0, "nm": 1e-3, "nanometer": 1e-3, "nanometre": 1e-3, "mm": 1e3,
    "millimeter": 1e3, "millimetre": 1e3, "cm": 1e4, "centimeter": 1e4, "centimetre": 1e4,
    "m": 1e6, "meter": 1e6, "metre": 1e6, "inch": 25400.0, "in": 25400.0,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class OmePixels:
    """What OME-XML says of one image."""

    mpp: PixelSize | None = None
    power: float | None = None
    properties: dict[str, str] = field(default_factory=dict)


def to_microns(value: str | float | None, unit: str | None) -> float | None:
    """A length in micrometres; None where the unit is none of length (``pixel``, say)."""
    factor = _MICRONS.get((unit or "").strip().lower() if unit else "")
    try:
        return None if value is None or factor is None else float(value) * factor
    except ValueError:
        return None


def ome_pixels(xml: str, index: int) -> OmePixels:
    """Read pixel size and objective power of one image.

    Parameters
    ----------
    xml : str
        OME-XML. Entities and document types are refused; so are very large or deep documents.
    index : int
        Which ``Image`` element.
    """
    if len(xml) > _MAX_BYTES:
        return OmePixels()
    images: list[dict[str, str]] = []
    pixels: list[dict[str, str]] = []
    objectives: dict[str, float] = {}
    refs: list[str] = []
    depth = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > _MAX_DEPTH:
            reason = "too deep"
            raise ValueError(reason)
        name = tag.rsplit(":", 1)[-1]
        if name == "Image":
            images.append(attributes)
            refs.append("")
        elif name == "Pixels" and images:
            pixels.append(attributes)
        elif name == "ObjectiveSettings" and refs:
            refs[-1] = attributes.get("ID", "")
        elif name == "Objective":
            power = attributes.get("NominalMagnification", "")
            if re.fullmatch(r"\d+(\.\d+)?", power):
                objectives[attributes.get("ID", "")] = float(power)

    def end(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    def refuse(*_args: object) -> None:
        reason = "document types are not read"
        raise ValueError(reason)

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = refuse
    try:
        parser.Parse(xml.encode("utf-8"), True)
    except (expat.ExpatError, ValueError):
        LOGGER.info("OME-XML could not be read; its pixel size is not used")
        return OmePixels()
    if not 0 <= index < len(pixels):
        return OmePixels()
    p = pixels[index]
    x = to_microns(p.get("PhysicalSizeX"), p.get("PhysicalSizeXUnit"))
    y = to_microns(p.get("PhysicalSizeY"), p.get("PhysicalSizeYUnit"))
    mpp = None if x is None or y is None else stated(x, y, "ome-xml")
    properties = {
        f"ome.{k}": v for k, v in p.items() if k.startswith(("PhysicalSize", "Size", "Type"))
    }
    properties["ome.Image.Name"] = images[index].get("Name", "") if index < len(images) else ""
    reference = refs[index] if index < len(refs) else ""
    return OmePixels(mpp, objectives.get(reference), properties)
