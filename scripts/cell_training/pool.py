"""Cells to learn from and to be measured on: found by the program on synthetic HER2 slides.

A slide is a strip of tiles in one pair of stains. Cells are what the program's own detection finds;
a cell's class is that of the true cell within 3 µm, if each is the other's nearest. What was found
on a patch of DAB precipitate and is no true cell counts as artefact: its dust has no centre in the
truth. What else matches nothing is left out. Drawn once into a cache outside the repository.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from napari_her2.cells.calibration import calibrate
from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.crops import cut_crops
from napari_her2.cells.features import feature_matrix
from napari_her2.cells.membrane import measure_cells
from napari_her2.cells.stitching import detect_tile
from napari_her2.geometry import Region
from napari_her2.settings import get_settings
from napari_her2.slides import open_array
from napari_her2.synthetic.ihc import GENERATOR, IhcScene
from napari_her2.synthetic.layout import COARSE_UM
from napari_her2.tiles.tissue import find_tissue

MPP = 0.49
TILE_PX = 2000
TILE_UM = MPP * TILE_PX
MATCH_UM = 3.0
EXTRA = ("membrane_od", "membrane_completeness")
"""Measured columns that can join the network."""


@dataclass(frozen=True)
class Split:
    """Slides of one purpose; ``tiles`` of each slide in turn."""

    name: str
    first_seed: int
    tiles: tuple[int, ...]

    @property
    def seeds(self) -> range:
        """Seeds of the slides."""
        return range(self.first_seed, self.first_seed + len(self.tiles))


PAPER = Split("paper", 31_000, (3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 3, 2, 2, 2))
"""As many tiles and slides as in the paper: 44 of 18."""

TRAIN = Split("train", 32_000, (2,) * 30)
"""More slides, so that the demo models meet more stains."""

TEST = Split("test", 39_000, (2,) * 10)
"""Kept back."""

OTHER_SIZES = Split("sizes", 39_100, (1,) * 4)
"""Kept back, drawn at several pixel sizes."""


@dataclass(frozen=True)
class Cells:
    """Labelled cells; the first axis of all arrays.

    Attributes
    ----------
    crops : ndarray of uint8
        Shape (n, 44, 44, 2): haematoxylin and DAB.
    features : ndarray of float32
        Shape (n, 18).
    extra : ndarray of float32
        Shape (n, 2): :data:`EXTRA`.
    label : ndarray of int
        Index into ``CELL_CLASSES``.
    tile, slide : ndarray of int
        Where from: number of the tile over all slides, seed of the slide.
    membrane : ndarray of int
        Class by the weight-free classifier.
    """

    crops: NDArray[np.uint8]
    features: NDArray[np.float32]
    extra: NDArray[np.float32]
    label: NDArray[np.int64]
    tile: NDArray[np.int64]
    slide: NDArray[np.int64]
    membrane: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.label)

    def take(self, index: NDArray[Any]) -> Cells:
        """Some rows."""
        return Cells(**{k: v[index] for k, v in vars(self).items()})

    @staticmethod
    def join(parts: Sequence[Cells]) -> Cells:
        """One after another."""
        names = vars(parts[0])
        return Cells(**{k: np.concatenate([getattr(p, k) for p in parts]) for k in names})


@dataclass(frozen=True)
class Found:
    """How detection met the truth: cells found, true cells, pairs, and the latter two by class."""

    found: int
    true: int
    paired: int
    true_by_class: tuple[int, ...]
    paired_by_class: tuple[int, ...]


def cache_folder(given: Path | None) -> Path:
    """Where drawn cells are kept."""
    return given or get_settings().cache_dir / "cell-training"


def load(split: Split, cache: Path, mpp: float = MPP) -> tuple[Cells, list[Found]]:
    """All labelled cells of a split, drawn and found at ``mpp`` where the cache has them not."""
    parts, met, first = [], [], 0
    for seed, tiles in zip(split.seeds, split.tiles, strict=True):
        cells, found = _slide(seed, tiles, cache, mpp)
        parts.append(Cells(**{**vars(cells), "tile": cells.tile + first}))
        met.append(found)
        first += tiles
    return Cells.join(parts), met


def balanced(cells: Cells, per_class: int, seed: int) -> Cells:
    """About equally many cells of each class, spread over the tiles as evenly as these allow."""
    rng = np.random.default_rng(seed)
    chosen = []
    for k in range(len(CELL_CLASSES)):
        rows = rng.permutation(np.flatnonzero(cells.label == k))
        # The first of every tile, then the second of every tile, ...
        order = np.argsort(cells.tile[rows], kind="stable")
        tiles = cells.tile[rows][order]
        turn = np.arange(len(rows)) - np.searchsorted(tiles, tiles)
        chosen.append(rows[order][np.argsort(turn, kind="stable")][:per_class])
    return cells.take(np.sort(np.concatenate(chosen)))


def _slide(seed: int, tiles: int, cache: Path, mpp: float) -> tuple[Cells, Found]:
    key = hashlib.sha256(repr((GENERATOR, seed, tiles, mpp, _code())).encode()).hexdigest()
    path = cache / f"slide-{seed}-{mpp:g}-{key[:12]}.npz"
    if not path.exists():
        cells, found = _draw(seed, tiles, mpp)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".part.npz")
        np.savez(partial, **vars(cells), met=np.array([found.found, found.true, found.paired]),
                 true_by_class=np.array(found.true_by_class),
                 paired_by_class=np.array(found.paired_by_class))  # fmt: skip
        partial.replace(path)
        print(
            f"slide {seed}: {found.found} found, {found.true} true, {found.paired} pairs",
            flush=True,
        )
    with np.load(path) as kept:
        names = Cells.__dataclass_fields__
        met = Found(
            *(int(v) for v in kept["met"]),
            *(tuple(int(v) for v in kept[k]) for k in ("true_by_class", "paired_by_class")),
        )
        return Cells(**{k: kept[k] for k in names}), met


_DO_NOT_MEASURE = frozenset(
    {"classifiers", "convnet", "handmade", "handmade_fit", "nuclear", "nuclear_summary"}
    | {"protocols", "runtime"}
)


def _code() -> str:
    """Changes when detection or measurement does, so that the cache is not older than the code."""
    import napari_her2.cells as package

    paths = sorted(Path(package.__path__[0]).glob("*.py"))
    text = "".join(p.read_text(encoding="utf-8") for p in paths if p.stem not in _DO_NOT_MEASURE)
    return hashlib.sha256(text.encode()).hexdigest()


def _draw(seed: int, tiles: int, mpp: float) -> tuple[Cells, Found]:
    from napari_her2.cells.membrane_classifier import MembraneClassifier

    scene = IhcScene(seed, (TILE_UM * tiles, TILE_UM), full=True)
    rgb = scene.render(mpp)
    with open_array(rgb, mpp=mpp, slide_id=f"seed-{seed}") as slide:
        calibration = calibrate(slide, find_tissue(slide), "her2-ihc")

        def measure(planes: Any, nuclei: Any, kept: NDArray[np.intp]) -> dict[str, Any]:
            columns = measure_cells(planes, nuclei, calibration, calibration.mpp, kept)
            crops = cut_crops(planes, nuclei.centres_yx[kept], calibration.mpp)
            return {**columns, "crops": crops}

        whole = Region(0, 0, rgb.shape[1], rgb.shape[0])
        table = detect_tile(slide, calibration, whole, measure)
    truth = scene.cell_table()
    inside = np.isin(truth["class"], CELL_CLASSES)
    at = np.stack([truth["x_um"], truth["y_um"]], 1)[inside]
    names = truth["class"][inside]
    # Cells whose centre lies off the picture can't be found.
    on = ((at >= 0) & (at < np.array([rgb.shape[1], rgb.shape[0]]) * mpp)).all(1)
    at, names = at[on], names[on]
    found = np.stack([table["x_px"], table["y_px"]], 1) * mpp
    rows, pairs = _pairs(found, at)
    number = {name: k for k, name in enumerate(CELL_CLASSES)}
    of_truth = np.array([number[n] for n in names], np.int64)
    paired = np.bincount(of_truth[pairs], minlength=len(CELL_CLASSES))
    label = np.full(len(found), -1, np.int64)
    dirt = _on_precipitate(scene, found) & ~np.isfinite(
        cKDTree(at[of_truth != number["artefact"]]).query(found, distance_upper_bound=MATCH_UM)[0]
    )
    label[dirt] = number["artefact"]
    label[rows] = of_truth[pairs]
    rows = np.flatnonzero(label >= 0)
    label = label[rows]
    kept = table.take(rows)
    cells = Cells(
        kept["crops"],
        feature_matrix(kept),
        np.stack([np.asarray(kept[n], np.float32) for n in EXTRA], 1),
        label,
        np.clip((kept["x_px"] * mpp // TILE_UM).astype(np.int64), 0, tiles - 1),
        np.full(len(rows), seed, np.int64),
        MembraneClassifier().classify(kept).argmax(1).astype(np.int64),
    )
    k = len(CELL_CLASSES)
    return cells, Found(
        len(found), len(at), int(paired.sum()),
        tuple(np.bincount(of_truth, minlength=k).tolist()), tuple(paired.tolist()),
    )  # fmt: skip


def _on_precipitate(scene: IhcScene, at_um: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which places lie on a patch of DAB precipitate."""
    rows, columns = scene.artefact_map.shape
    x = np.clip((at_um[:, 0] / COARSE_UM).astype(np.intp), 0, columns - 1)
    y = np.clip((at_um[:, 1] / COARSE_UM).astype(np.intp), 0, rows - 1)
    return np.asarray(scene.artefact_map[y, x])


def _pairs(
    found: NDArray[np.float64], true: NDArray[np.float64]
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Rows of found and true cells that are each other's nearest within the limit."""
    distance, nearest = cKDTree(true).query(found, distance_upper_bound=MATCH_UM)
    _, back = cKDTree(found).query(true, distance_upper_bound=MATCH_UM)
    rows = np.flatnonzero(np.isfinite(distance))
    rows = rows[back[nearest[rows]] == rows]
    return rows, nearest[rows]
