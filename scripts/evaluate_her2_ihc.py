"""Measures the weight-free HER2 scoring on real images and on synthetic slides not seen before.

    python scripts/evaluate_her2_ihc.py --data ../shared/data            real images
    python scripts/evaluate_her2_ihc.py --seeds 951 952 953              synthetic slides

Prints the tables of docs/membrane_measurement.md. Everything runs through the program's own
pipeline; nothing is kept on disk but synthetic slides in a folder that is deleted.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.stats import spearmanr
from sklearn.metrics import roc_auc_score

from napari_her2.cells.classes import CELL_CLASSES, TUMOUR_CLASSES
from napari_her2.pipelines.cells import score_cells
from napari_her2.pipelines.cells_cached import load_cells
from napari_her2.pipelines.cells_request import CellsRequest
from napari_her2.pipelines.events import Outcome
from napari_her2.scoring.rules import Organ
from napari_her2.synthetic.writing import write_slide

MEASURES = ("h_score", "mean_membrane_od", "mean_membrane_completeness", "membrane_connectivity")
MATCH_UM = 3.0
SYNTHETIC_PX, SYNTHETIC_UM = 2048, 0.5


def document_of(request: CellsRequest) -> dict[str, Any]:
    """What the program says of one image."""
    for event in score_cells(request, partials=False):
        if isinstance(event, Outcome):
            return dict(event.document)
    msg = f"no outcome for {request.slide}"
    raise RuntimeError(msg)


def labels(folder: Path, name: str, column: str) -> list[tuple[Path, str]]:
    """Files of a data set with one of their labels."""
    with (folder / "labels.csv").open(encoding="utf-8") as f:
        return [(folder / row[name], row[column]) for row in csv.DictReader(f)]


def score_table(
    files: Sequence[tuple[Path, str]], mpp: float, organ: Organ = "breast"
) -> list[dict[str, Any]]:
    """Score images, print a row for each, give the documents with their labels."""
    print(f"\n{mpp} µm/px, {organ}\n")
    print("| image | label | ihc | tumour cells | % 0 | 1+ | 2+ | 3+ | H | OD | compl. | conn. |")
    print("|---|---|---|---|---|---|---|---|---|---|---|---|")
    out = []
    for path, label in files:
        d = document_of(CellsRequest(path, mpp=mpp, organ=organ)) | {"label": label}
        percent = " | ".join(f"{d['percent'][s]:.0f}" for s in ("0", "1+", "2+", "3+"))
        figures = " | ".join(
            "-" if d[m] is None else f"{d[m]:.0f}" if m == "h_score" else f"{d[m]:.2f}"
            for m in MEASURES
        )
        print(f"| {path.stem[:12]} | {label} | {d['ihc'] or 'not assessable'} "
              f"| {d['tumour_cells']} | {percent} | {figures} |")  # fmt: skip
        out.append(d)
    return out


def cores(folder: Path) -> None:
    """Gastro-oesophageal cores: status and rank."""
    grades = labels(folder, "filename", "ihc_score")
    status = {p.name: int(v) for p, v in labels(folder, "filename", "her2_status")}
    found = score_table(grades, 0.23, "gea")
    truth = np.array([int(d["label"]) for d in found])
    positive = np.array([status[Path(d["slide"]).name] for d in found])
    print(f"\n| measure | AUC of HER2 status (n = {len(found)}) | Spearman with ihc_score |")
    print("|---|---|---|")
    for name in MEASURES:
        value = np.array([d[name] or 0.0 for d in found])
        rank = float(spearmanr(truth, value).statistic)
        print(f"| {name} | {roc_auc_score(positive, value):.2f} | {rank:.2f} |")


def fields(folder: Path, sizes: Iterable[float], keep: str = "") -> None:
    """Breast fields at several assumed pixel sizes: medians of the H-score by label."""
    files = [f for f in labels(folder, "file", _score_column(folder)) if keep in f[0].name]
    for mpp in sizes:
        found = score_table(files, mpp)
        by_label = {
            s: [d["h_score"] for d in found if d["label"] == s and d["h_score"] is not None]
            for s in ("0", "1+", "2+", "3+")
        }
        print("\nMedian H-score:", ", ".join(
            f"{s}: {np.median(v):.0f} (n = {len(v)})" for s, v in by_label.items() if v
        ))  # fmt: skip


def _score_column(folder: Path) -> str:
    with (folder / "labels.csv").open(encoding="utf-8") as f:
        return next(c for c in next(csv.reader(f)) if c in ("her2_score", "her2_wsi_score"))


def synthetic(seeds: Sequence[int]) -> None:
    """Classes, completeness and density of matched cells, seeds pooled; specks are left out."""
    by_slide, errors, densities = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for seed in seeds:
            slide = Path(folder) / f"{seed}.svs"
            truth = write_slide("her2-ihc", SYNTHETIC_PX, seed, slide, mpp=SYNTHETIC_UM)
            d = document_of(CellsRequest(slide, out=Path(folder) / "out"))
            table = pq.read_table(truth.cells)
            true = table.filter(pc.invert(table["speck"])).to_pydict()
            found = load_cells(Path(d["run_dir"]))
            true_yx = np.stack([true["y_px"], true["x_px"]], axis=1)
            distance, index = cKDTree(found.points_yx).query(true_yx)
            first = np.full(len(found), -1)
            order = np.argsort(-distance)
            first[index[order]] = order
            near = (distance <= MATCH_UM / SYNTHETIC_UM) & (first[index] == np.arange(len(index)))
            name = np.array(true["class"])[near]
            row = np.array([CELL_CLASSES.index(n) for n in name])
            counts = np.zeros((len(CELL_CLASSES), len(CELL_CLASSES)))
            np.add.at(counts, (row, found["class"][index[near]]), 1)
            by_slide.append(counts)
            tumour = np.isin(name, TUMOUR_CLASSES)
            share = np.array(true["membrane_completeness"], float)[near][tumour]
            error = np.abs(found["membrane_completeness"][index[near]][tumour] - share)
            errors.append(error)
            densities.append(
                np.stack([
                    found["membrane_od"][index[near]][tumour],
                    np.array(true["membrane_od"], float)[near][tumour],
                ])
            )  # fmt: skip
            print(f"seed {seed}: {near.sum()} of {len(true_yx)} cells matched, "
                  f"completeness MAE {error.mean():.3f}")  # fmt: skip
    print(f"\nCompleteness MAE {np.concatenate(errors).mean():.3f} "
          f"(n = {sum(map(len, errors))} tumour cells)")  # fmt: skip
    od = np.concatenate(densities, axis=1)
    stained = od[1] > 0.08
    ratio = od[0][stained] / od[1][stained]
    low, middle, high = np.percentile(ratio, (25, 50, 75))
    print(f"Membrane OD, measured to true: {middle:.2f} (quartiles {low:.2f} to {high:.2f})")
    counts = np.sum(by_slide, axis=0)
    limits = np.percentile(resampled_diagonals(np.array(by_slide)), (2.5, 97.5), axis=0)
    print("Scores of tumour cells called tumour, diagonal (95 % limits over slides):", ", ".join(
        f"{v:.3f} ({low:.3f}-{high:.3f})"
        for v, low, high in zip(diagonal(counts), *limits, strict=True)
    ))  # fmt: skip
    print("\n| true \\ found | " + " | ".join(CELL_CLASSES) + " | n |")
    print("|---" * (len(CELL_CLASSES) + 2) + "|")
    for name, row in zip(CELL_CLASSES, counts, strict=True):
        share = row / max(row.sum(), 1)
        print(f"| {name} | " + " | ".join(f"{v:.2f}" for v in share) + f" | {row.sum():.0f} |")


def diagonal(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    """Share of the cells of each score that got it, of those called tumour."""
    part = counts[..., :4, :4]
    return np.asarray(np.diagonal(part, axis1=-2, axis2=-1) / np.maximum(part.sum(-1), 1))


def resampled_diagonals(by_slide: NDArray[np.float64], times: int = 2000) -> NDArray[np.float64]:
    """Diagonals of slides drawn with replacement: cells of one slide are alike."""
    n = len(by_slide)
    drawn = np.random.default_rng(0).integers(0, n, (times, n))
    return diagonal(by_slide[drawn].sum(1))


def main() -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, help="folder of the real data sets")
    parser.add_argument("--seeds", type=int, nargs="*", default=[], help="synthetic slides")
    given = parser.parse_args()
    if given.data:
        print("\n## Gastro-oesophageal cores")
        cores(given.data / "her2-ihc-gea-cores")
        print("\n## Microscope fields of breast")
        fields(given.data / "her2-ihc-ezeher", (0.25, 0.33, 0.5))
        print("\n## Tiles of breast slides")
        fields(given.data / "her2-bci-pairs", (0.25, 0.46), "IHC")
    if given.seeds:
        print("\n## Synthetic slides")
        synthetic(given.seeds)


if __name__ == "__main__":
    main()
