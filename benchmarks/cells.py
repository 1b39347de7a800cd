"""Finding cells: CPU time, memory and agreement with the truth, against scikit-image's pipeline.

    python benchmarks/cells.py [--rounds 5] [--seed 7] [--json OUT]

Two fields at 0.5 µm/px: 2000 x 2000 px of synthetic HER2 immunohistochemistry (truth known), and
scikit-image's own photograph ``data.immunohistochemistry()``, mirrored to 2048 px. The peer takes
the steps that its documentation shows: ``rgb2hed``, Gaussian, Otsu, exact distance transform,
``peak_local_max``, watershed of the whole mask, ``regionprops_table``. Both run on one thread in
this process and take turns; CPU seconds count. Memory is the growth of a child process.
Wanted: at most 1/6 of the peer's CPU time on the synthetic field and 1/3.5 on the photograph, and
at most 0.4 of its memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Before numpy: one thread each.
os.environ["OMP_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import cv2
import numpy as np
import psutil

from napari_her2.cells.calibration import Calibration, calibrate
from napari_her2.cells.detection import find_nuclei
from napari_her2.cells.stain_planes import stain_planes
from napari_her2.slides import open_slide
from napari_her2.slides.array_backend import ArraySlide
from napari_her2.tiles.tissue import find_tissue
from pairing import Row, compare, report

UM = 0.5
HIT_PX = 6.0
SMOOTH_PX, LEAST_PX, APART_PX = 1.5, 40, 4


def peer(rgb: np.ndarray) -> np.ndarray:
    """Centres, row and column, by scikit-image alone."""
    from scipy import ndimage as ndi
    from skimage.color import rgb2hed
    from skimage.feature import peak_local_max
    from skimage.filters import gaussian, threshold_otsu
    from skimage.measure import regionprops_table
    from skimage.morphology import remove_small_objects
    from skimage.segmentation import watershed

    haematoxylin = gaussian(rgb2hed(rgb)[..., 0], SMOOTH_PX)
    mask = haematoxylin > threshold_otsu(haematoxylin)
    mask = remove_small_objects(mask, max_size=LEAST_PX - 1)
    distance = ndi.gaussian_filter(ndi.distance_transform_edt(mask), 1.0)
    peaks = peak_local_max(
        distance, min_distance=APART_PX, labels=mask.astype(int), exclude_border=False
    )
    seeds = np.zeros(mask.shape, np.int32)
    seeds[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    labels = watershed(-distance, seeds, mask=mask)
    table = regionprops_table(labels, properties=("centroid", "area"))
    return np.stack([table["centroid-0"], table["centroid-1"]], axis=1)


def ours(rgb: np.ndarray, calibration: Calibration) -> np.ndarray:
    """Centres, row and column, as the product finds them."""
    return find_nuclei(stain_planes(rgb, calibration), calibration).centres_yx


def synthetic(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A field and the centres of its cells, row and column."""
    import pyarrow.parquet as pq

    from napari_her2.synthetic.writing import write_slide

    with tempfile.TemporaryDirectory() as folder:
        truth = write_slide("her2-ihc", 2000, seed, Path(folder) / "field.svs", mpp=UM)
        with open_slide(truth.slide) as slide:
            rgb = slide.read(0, 0, 0, 2000, 2000).rgb
        table = pq.read_table(truth.cells)
    return np.ascontiguousarray(rgb), np.stack([table["y_px"], table["x_px"]], axis=1) - 0.5


def photograph() -> np.ndarray:
    """The photograph of 512 px, mirrored until it is 2048 px wide."""
    from skimage import data

    one = data.immunohistochemistry()
    four = np.block([[[one], [one[:, ::-1]]], [[one[::-1]], [one[::-1, ::-1]]]])
    return np.ascontiguousarray(np.tile(four, (2, 2, 1)))


def f1(found: np.ndarray, truth: np.ndarray) -> float:
    """Agreement, nearest pairs first, each used once, within 6 px (3 µm)."""
    from scipy.spatial import cKDTree

    near = cKDTree(truth).sparse_distance_matrix(cKDTree(found), HIT_PX, output_type="coo_matrix")
    used = (np.zeros(len(truth), bool), np.zeros(len(found), bool))
    for k in np.argsort(near.data):
        i, j = near.row[k], near.col[k]
        if not used[0][i] and not used[1][j]:
            used[0][i] = used[1][j] = True
    return 2 * int(used[0].sum()) / (len(found) + len(truth))


def cpu_pairs(
    name: str, a: Callable[[], object], b: Callable[[], object], rounds: int, least: float
) -> Row:
    """Take turns; how many times less CPU time ``a`` takes than ``b``."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds + 1):
        for which in (0, 1) if i % 2 else (1, 0):
            start = time.process_time()
            (a, b)[which]()
            if i:
                seconds[which].append(time.process_time() - start)
    ratios = [y / x for x, y in zip(*seconds, strict=True)]
    return compare(name, seconds[0], "scikit-image", seconds[1], ratios, unit="CPU s", least=least)


def growth(which: str, rgb: np.ndarray, calibration: Calibration) -> None:
    """Print by how much this process grows at most while it looks at a field, MiB."""
    run = (lambda x: ours(x, calibration)) if which == "ours" else peer
    run(np.ascontiguousarray(rgb[:256, :256]))
    process, done, top = psutil.Process(), threading.Event(), [0]

    def watch() -> None:
        while not done.is_set():
            top[0] = max(top[0], process.memory_info().rss)
            time.sleep(0.001)

    base = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    run(rgb)
    done.set()
    watcher.join()
    print(max(top[0] - base, 0) / 2**20)


def memory_row(field: str, seed: int) -> Row:
    """Growth of a child process for each."""
    mib = []
    for which in ("ours", "peer"):
        command = [sys.executable, __file__, "--grow", which, "--field", field, "--seed", str(seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        mib.append(float(done.stdout.split()[-1]))
    return compare(
        f"memory on the {field} field", mib[:1], "scikit-image", mib[1:], [mib[0] / mib[1]],
        unit="MiB", limit=0.4,
    )  # fmt: skip


def prepared(rgb: np.ndarray) -> Calibration:
    """The calibration of a field."""
    slide = ArraySlide([rgb], (UM, UM), "field")
    return calibrate(slide, find_tissue(slide, qc=False), "her2-ihc")


def main() -> int:
    """Measure and print."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("--rounds", type=int, default=5)
    p.add_argument("--seed", type=int, default=7, help="of the synthetic field")
    p.add_argument("--json", type=Path)
    p.add_argument("--grow", choices=("ours", "peer"), help=argparse.SUPPRESS)
    p.add_argument("--field", choices=("synthetic", "photograph"), help=argparse.SUPPRESS)
    a = p.parse_args()
    cv2.setNumThreads(1)
    if a.grow:
        rgb = synthetic(a.seed)[0] if a.field == "synthetic" else photograph()
        growth(a.grow, rgb, prepared(rgb))
        return 0
    rows = []
    for name, least in (("synthetic", 6.0), ("photograph", 3.5)):
        rgb, truth = synthetic(a.seed) if name == "synthetic" else (photograph(), None)
        calibration = prepared(rgb)
        rows.append(
            cpu_pairs(
                f"4 Mpx of the {name} field",
                lambda rgb=rgb, c=calibration: ours(rgb, c),
                lambda rgb=rgb: peer(rgb),
                a.rounds,
                least,
            )
        )
        rows.append(memory_row(name, a.seed))
        found = {"ours": ours(rgb, calibration), "scikit-image": peer(rgb)}
        for who, centres in found.items():
            agreement = "" if truth is None else f", F1 {f1(centres, truth):.3f}"
            print(f"{name}: {who} finds {len(centres)} cells{agreement}")
    return report(rows, a.json)


if __name__ == "__main__":
    raise SystemExit(main())
