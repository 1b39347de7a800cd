"""``tissue``: where the tissue is and what spoils it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from napari_her2.cli.options import SLIDE, json_option, mpp_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["tissue"]


@click.command(epilog="Example: napari-her2 tissue slide.svs --out slide.tissue.geojson")
@click.argument("slide", type=SLIDE)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Also write the outline here (GeoJSON)."
)
@mpp_option
@json_option
def tissue(
    slide: Path, out: Path | None, mpp: float | tuple[float, float] | None, as_json: bool
) -> None:
    """Outline the tissue; flag pen marks, blur and folds."""
    with clean_stdout():
        from napari_her2.results.atomic import write_json
        from napari_her2.slides import open_slide
        from napari_her2.tiles.tissue import find_tissue

        with open_slide(slide, mpp=mpp) as opened:
            mask = find_tissue(opened)
            document: dict[str, Any] = {
                "slide": opened.slide_id,
                "tissue_fraction": mask.fraction,
                "area_mm2": mask.area_mm2,
                "flags": list(mask.flags),
                "geojson": mask.to_geojson(),
            }
        if out is not None:
            write_json(out, document["geojson"])
            document["geojson_file"] = out
    emit(document, _lines(document), as_json=as_json)


def _lines(d: dict[str, Any]) -> list[str]:
    area = "area unknown (no pixel size)" if d["area_mm2"] is None else f"{d['area_mm2']:.3g} mm2"
    lines = [
        f"{d['slide']}: tissue covers {d['tissue_fraction'] * 100:.1f} % of the slide, {area}",
        "  flags: " + (", ".join(d["flags"]) or "none"),
    ]
    if "geojson_file" in d:
        lines.append(f"  outline written to {d['geojson_file']}")
    return lines
