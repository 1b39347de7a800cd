"""Measures the demo models on held-out synthetic slides.

    python scripts/evaluate_demo_models.py                  prints and writes docs/demo_models.*
    python scripts/evaluate_demo_models.py --write          also puts the figures into the cards

Held-out seeds are never used in training. Tiles are found, read and scored by the program's own
code. Intervals are 95 % bootstrap intervals over slides.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from demo_training.export import dumps
from demo_training.figures import slide_figures, slide_rows, tile_figures
from demo_training.pool import BIOMARKERS, TEST, TUNE, build, cache_folder
from demo_training.scoring import score_all

from napari_her2.messages import NOTICE
from napari_her2.models.card import ModelCard
from napari_her2.models.registry import DEMO_DIR, LoadedModel, Registry
from napari_her2.models.weights import write_atomic
from napari_her2.synthetic.he import GENERATOR

DOCS = Path(__file__).parents[1] / "docs"


def measure(models: dict[str, LoadedModel], cache: Path) -> dict[str, Any]:
    """All figures of all models."""
    tile_models = {b: m.tile_model for b, m in models.items()}
    reference = score_all(build(TUNE, cache), {})
    test = score_all(build(TEST, cache), tile_models)
    figures: dict[str, Any] = {}
    slides: dict[str, Any] = {}
    for biomarker, model in models.items():
        figures[biomarker] = tile_figures(test, reference, biomarker)
        if model.aggregator is not None:
            figures[biomarker] |= slide_figures(test, biomarker, model.aggregator)
            slides[biomarker] = slide_rows(test, biomarker, model.aggregator)
    return {
        "notice": NOTICE,
        "generator": GENERATOR,
        "held_out_seeds": [TEST.seeds[0], TEST.seeds[-1]],
        "slide_um": TEST.sizes_um[0],
        "source_um_per_px": sorted(set(TEST.sources_mpp)),
        "weights_sha256": {b: m.card.weights_sha256 for b, m in models.items()},
        "figures": figures,
        "slides": slides,
    }


def write_card(folder: Path, figures: dict[str, Any], date: str) -> None:
    """Put the figures into a card."""
    path = folder / "card.json"
    fields = json.loads(path.read_text(encoding="utf-8"))
    fields["validation"] = [
        {
            "metric": name,
            "value": figure["value"],
            "ci95": figure["ci95"],
            "n": figure["n"],
            "unit": figure["unit"],
            "site": "synthetic",
            "date": date,
        }
        for name, figure in figures.items()
    ]
    card = ModelCard.model_validate(fields)
    write_atomic(path, dumps(card.model_dump(mode="json")))


PAGE = """\
# The demo models, measured

{notice}

Three independent Inception-V3 of a fifth of the usual width, trained by
`scripts/train_demo_models.py` on synthetic tissue only. They show how the program works. Their
numbers say nothing about real tissue.

Held-out synthetic slides: seeds {first}-{last} of generator {generator}, {side:g} mm a side, drawn
at {sources} um/px; none of them was used in training. A tile is a field of 1024 um; its truth is
the class that covers most of its tissue (the second row takes the truth of the 512 um heatmap cell
in its middle instead). Brackets: 95 % bootstrap interval over whole slides. Made by
`python scripts/evaluate_demo_models.py`.

{table}

The baseline is a logistic regression on the mean red, green and blue of a tile, fitted on other
slides: the status shows in form, not in colour.

That HER2 does as well as ER here is a property of the generator. In the study behind the method
(Gamble 2021) HER2 from H&E reached a slide AUC of 0.60.
"""


def page(result: dict[str, Any]) -> str:
    """The figures as a page."""
    names = list(next(iter(result["figures"].values())))
    table = ["| figure | " + " | ".join(result["figures"]) + " |"]
    table.append("|---|" + "---|" * len(result["figures"]))
    for name in names:
        cells = [cell(figures[name]) for figures in result["figures"].values()]
        table.append(f"| {name} | " + " | ".join(cells) + " |")
    return PAGE.format(
        notice=NOTICE,
        first=result["held_out_seeds"][0],
        last=result["held_out_seeds"][1],
        generator=result["generator"],
        side=result["slide_um"] / 1000,
        sources=" and ".join(f"{m:g}" for m in result["source_um_per_px"]),
        table="\n".join(table),
    )


def cell(figure: dict[str, Any]) -> str:
    """One figure with interval and n."""
    low, high = figure["ci95"]
    text = f"{figure['value']:.3f} ({low:.3f}-{high:.3f}); {figure['n']:,} {figure['unit']}"
    if figure.get("not_assessable"):
        text += f", {figure['not_assessable']} not assessable"
    return text


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--cache", type=Path, help="folder of drawn slides, outside the repository")
    parser.add_argument("--models", type=Path, default=DEMO_DIR, help="folder of the three models")
    parser.add_argument("--out", type=Path, default=DOCS)
    parser.add_argument("--write", action="store_true", help="put the figures into the cards")
    parser.add_argument("--date", default="2026-11-20")
    arguments = parser.parse_args()
    registry = Registry(demo_dir=arguments.models)
    models = {b: registry.load(f"demo-{b.lower()}", "cpu") for b in BIOMARKERS}
    result = measure(models, cache_folder(arguments.cache))
    if arguments.write:
        for biomarker, figures in result["figures"].items():
            write_card(arguments.models / f"demo-{biomarker.lower()}", figures, arguments.date)
    arguments.out.mkdir(parents=True, exist_ok=True)
    (arguments.out / "demo_models.json").write_bytes(dumps(result))
    (arguments.out / "demo_models.md").write_text(page(result), encoding="utf-8")
    print(page(result))


if __name__ == "__main__":
    main()
