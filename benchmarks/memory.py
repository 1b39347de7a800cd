"""Memory of a process that opens a large slide and looks at 50 random viewports.

    python benchmarks/memory.py SLIDE [--viewports 50] [--json OUT]

Limits: a layer in under 1 s, process growth under 300 MB, no level read whole.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import psutil

from napari_her2.layers import slide_layer
from napari_her2.slides import open_slide


def main() -> int:
    """Measure and print."""
    p = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    p.add_argument("slide", type=Path)
    p.add_argument("--viewports", type=int, default=50)
    p.add_argument("--json", type=Path)
    a = p.parse_args()
    process = psutil.Process()
    before = process.memory_info().rss
    read_before = process.io_counters().read_chars if hasattr(process, "io_counters") else 0
    start = time.perf_counter()
    slide = open_slide(a.slide)
    data, _, _ = slide_layer(slide)
    opened = time.perf_counter() - start
    rng = np.random.default_rng(0)
    peak = 0
    for i in range(a.viewports):
        level = data[int(rng.integers(len(data)))] if i % 2 else data[0]
        h, w = level.shape[:2]
        y, x = int(rng.integers(max(h - 1000, 1))), int(rng.integers(max(w - 1200, 1)))
        np.asarray(level[y : y + 1000, x : x + 1200])
        peak = max(peak, process.memory_info().rss)
    read = (
        process.io_counters().read_chars if hasattr(process, "io_counters") else 0
    ) - read_before
    out = {
        "open_s": round(opened, 3),
        "growth_mb": round((peak - before) / 1e6, 1),
        "read_mb": round(read / 1e6, 1),
        "file_mb": round(a.slide.stat().st_size / 1e6, 1),
        "ok": opened < 1.0 and peak - before < 300e6,
    }
    print(json.dumps(out))
    if a.json:
        a.json.write_text(json.dumps(out), encoding="utf-8")
    return 0 if out["ok"] else 1


if __name__ == "__main__":
    raise SystemExit(main())
