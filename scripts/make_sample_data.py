"""Draws the sample slides of ``sample_data/`` again; same seeds, same pixels.

python scripts/make_sample_data.py [FOLDER]
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2

from napari_her2.synthetic import Truth, write_slide

_SIDE_PX = 3_200
_LARGEST_FILE = 1_500_000
_LARGEST_FOLDER = 6_000_000


def main() -> int:
    """Write every sample; fails if one is too large to ship."""
    cv2.setNumThreads(1)  # the same order of sums everywhere
    root = Path(__file__).resolve().parents[1]
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else root / "sample_data"
    folder.mkdir(parents=True, exist_ok=True)
    he = {
        "he-er-positive": (9_000_031, {"ER": True, "PR": True, "HER2": False}),
        "he-her2-positive": (9_000_002, {"ER": False, "PR": False, "HER2": True}),
        "he-triple-negative": (9_000_021, {"ER": False, "PR": False, "HER2": False}),
    }
    for name, (seed, statuses) in he.items():
        report(
            write_slide(
                "he", _SIDE_PX, seed, folder / f"{name}.svs", mpp=1.0, statuses=statuses,
                heterogeneous=False, quality=31, tumour_share=0.6,
            )
        )  # fmt: skip
    report(
        write_slide(
            "her2-ihc", 2048, 9_000_103, folder / "her2-ihc.svs", mpp=0.25, quality=70,
            tumour_share=0.95,
        )
    )  # fmt: skip
    report(
        write_slide(
            "he", 900, 9_000_005, folder / "he-no-mpp.svs", mpp=1.0, state_mpp=False, quality=55,
            downsamples=(1, 4), label=False,
        )
    )  # fmt: skip
    pair = write_slide(
        "pair", 1280, 9_000_006, folder / "pair.svs", mpp=1.0, quality=50, downsamples=(1, 4),
        statuses={"ER": True, "PR": True, "HER2": True}, label=False,
    )  # fmt: skip
    report(pair)
    # Nuclei of the H&E samples can be drawn again from the seed; they would double the folder.
    for table in (*(folder / f"{n}.svs.cells.parquet" for n in he), pair.cells):
        table.unlink(missing_ok=True)
    files = [f for f in folder.iterdir() if f.is_file() and not f.name.startswith(".")]
    total = sum(f.stat().st_size for f in files)
    print(f"{len(files)} files, {total / 1e6:.2f} MB")
    too_large = [f.name for f in files if f.stat().st_size > _LARGEST_FILE]
    if too_large or total > _LARGEST_FOLDER:
        print(f"too large to ship: {too_large or 'the folder'}")
        return 1
    return 0


def report(truth: Truth) -> None:
    """Say what was written."""
    print(f"{truth.slide.name}: {truth.slide.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    raise SystemExit(main())
