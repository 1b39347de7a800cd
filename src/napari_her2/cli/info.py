"""``info``: what a slide is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from napari_her2.cli.options import SLIDE, json_option, mpp_option
from napari_her2.cli.output import clean_stdout, emit

if TYPE_CHECKING:
    from napari_her2.slides.base import Slide

__all__ = ["describe", "info"]


@click.command(epilog="Example: napari-her2 info slide.svs --json")
@click.argument("slide", type=SLIDE)
@mpp_option
@json_option
def info(slide: Path, mpp: float | tuple[float, float] | None, as_json: bool) -> None:
    """Say what a slide is: size, levels, pixel size and its source, stain."""
    with clean_stdout():
        from napari_her2.slides import open_slide

        with open_slide(slide, mpp=mpp) as opened:
            document = describe(opened)
    emit(document, _lines(document), as_json=as_json)


def describe(slide: Slide) -> dict[str, Any]:
    """Give the document of ``info``.

    Only an allow-list of facts: properties such as scan dates, bar codes or file names inside the
    slide can identify the patient and are left out.
    """
    facts = slide.info
    mpp = facts.mpp
    stain, confidence, warnings = _stain(slide)
    return {
        "path": facts.path,
        "slide": facts.slide_id,
        "backend": facts.backend,
        "vendor": facts.vendor,
        "width": facts.size.width,
        "height": facts.size.height,
        "levels": [
            {"width": v.width, "height": v.height, "downsample": v.downsample} for v in slide.levels
        ],
        "mpp": {
            "x": mpp.x if mpp else None,
            "y": mpp.y if mpp else None,
            "source": mpp.source if mpp else None,
        },
        "objective_power": facts.objective_power,
        "associated_images": list(facts.associated_images),
        "has_icc_profile": facts.has_icc_profile,
        "stain_guess": stain,
        "stain_confidence": confidence,
        "warnings": [*facts.warnings, *warnings],
    }


def _stain(slide: Slide) -> tuple[str, float | None, list[str]]:
    """Guess the stain; a slide too damaged to look at is still described."""
    from napari_her2.errors import Her2Error
    from napari_her2.stains.guess import guess_stain
    from napari_her2.tiles.tissue import find_tissue

    try:
        guess = guess_stain(slide, find_tissue(slide))
    except Her2Error as error:
        return "unknown", None, [error.sentence]
    return guess.stain, guess.confidence, []


def _lines(d: dict[str, Any]) -> list[str]:
    mpp = d["mpp"]
    lines = [
        f"{d['slide']}  ({d['backend']}, {d['vendor']})",
        f"  {d['width']} x {d['height']} px, {len(d['levels'])} level(s): "
        + ", ".join(f"{v['downsample']:.4g}" for v in d["levels"]),
    ]
    if mpp["x"] is None:
        lines.append("  pixel size unknown: give it with --mpp")
    else:
        size_mm = d["width"] * mpp["x"] / 1000, d["height"] * mpp["y"] / 1000
        both = " x ".join(dict.fromkeys((f"{mpp['x']:.3g}", f"{mpp['y']:.3g}")))
        lines.append(
            f"  {both} µm/px (source: {mpp['source']}), {size_mm[0]:.2f} x {size_mm[1]:.2f} mm"
        )
    if d["objective_power"]:
        lines.append(f"  objective {d['objective_power']:g}x")
    if d["stain_confidence"] is None:
        lines.append("  stain unknown")
    else:
        lines.append(f"  looks like {d['stain_guess']} ({d['stain_confidence']:.2f})")
    if d["associated_images"]:
        lines.append("  also holds: " + ", ".join(d["associated_images"]))
    lines += [f"  warning: {w}" for w in d["warnings"]]
    return lines
