"""Cells a second of the cell network in each runtime against eager torch in the plain layout.

    python benchmarks/convnet.py [--threads 1] [--cells 2048]

The yardstick is the same network in eager float32 with channels first and batches of 512, fed with
ready float crops; smaller batches alone, which stay in cache, are the first row.
Ours is fed with the bytes that crops are kept as, so turning them into floats is in its time.
Candidates take turns; the median of the ratios within each round counts. Wanted: torch alone 2x,
OpenVINO (where installed) 4x, both within 1e-4 of the yardstick's logits. bfloat16 runs only when
asked for by name; it is shown without a wish. The last row is what cutting the crops costs.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import torch

from napari_her2.cells.convnet import network_of
from napari_her2.cells.crops import CropSource
from napari_her2.cells.runtime import BATCH, RUNTIMES, CellNetwork, make_runtime, run_cells
from napari_her2.models.arrays import read_arrays
from napari_her2.models.networks.cell_convnet import CellConvNet
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS, state_shapes
from napari_her2.models.registry import Registry
from pairing import compare, report

LEAST = {"torch": 2.0, "openvino": 4.0}
TOLERANCE = 1e-4
PLAIN_BATCH = 512


def demo_network() -> tuple[CellNetwork, CellConvNet]:
    """The shipped network, as numbers and as a module."""
    model = Registry().resolve("demo-her2-cells")
    shape = CELL_NETWORKS[model.card.architecture]
    weights = read_arrays(
        model.weights_path,
        state_shapes(shape),
        sha256=model.card.weights_sha256,
        model=model.card.id,
    )
    network = network_of(model.card, weights)
    module = CellConvNet(shape).eval()
    module.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in network.weights.items()})
    return network, module


def main() -> int:
    """Take turns and print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cells", type=int, default=2048)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    network, module = demo_network()
    rng = np.random.default_rng(0)
    planes = SimpleNamespace(
        haematoxylin=rng.gamma(0.8, 0.15, (2128, 2128)).astype(np.float32),
        second=rng.gamma(0.8, 0.15, (2128, 2128)).astype(np.float32),
    )
    source = CropSource(planes, 0.49)
    centres = rng.uniform(60, 2060, (args.cells, 2))
    crops = source.cut(centres)
    plain = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous().float()
    plain = plain * torch.from_numpy(network.factor).view(1, -1, 1, 1)
    plain = plain + torch.from_numpy(network.shift).view(1, -1, 1, 1)

    def eager(batch: int = PLAIN_BATCH) -> np.ndarray:
        with torch.inference_mode():
            parts = [module(part)[:, : network.shape.used] for part in plain.split(batch)]
            return torch.cat(parts).numpy()

    def running(name: str) -> Callable[[], np.ndarray]:
        runtime = make_runtime(network, name, args.threads)
        return lambda: run_cells(runtime, crops, None)

    has_openvino = importlib.util.find_spec("openvino") is not None
    names = [n for n in RUNTIMES if n != "auto" and (has_openvino or "openvino" not in n)]
    small = f"torch eager NCHW, batches of {BATCH}"
    candidates = {"eager": eager, small: lambda: eager(BATCH), **{n: running(n) for n in names}}
    candidates["crops"] = lambda: source.cut(centres)
    wanted = eager()
    off = {n: float(np.abs(candidates[n]() - wanted).max()) for n in names}
    rates: dict[str, list[float]] = {n: [] for n in candidates}
    for i in range(args.rounds):
        order = list(candidates)
        for name in order if i % 2 else order[::-1]:
            start = time.perf_counter()
            candidates[name]()
            rates[name].append(args.cells / (time.perf_counter() - start))
    rows = []
    for name in (small, *names, "crops"):
        ratios = [a / b for a, b in zip(rates[name], rates["eager"], strict=True)]
        what = f"{name}, {args.threads} thread(s)"
        rows.append(
            compare(what, rates[name], f"torch eager NCHW, batches of {PLAIN_BATCH}",
                    rates["eager"], ratios,
                    unit="cells/s", least=LEAST.get(name, 0.0))
        )  # fmt: skip
        if name in off:
            ratio = off[name] / TOLERANCE
            rows.append(
                compare(f"{name}: largest difference of a logit", [off[name]], "allowed",
                        [TOLERANCE], [ratio], unit="", limit=1.0 if name in LEAST else None,
                        least=None if name in LEAST else 0.0)
            )  # fmt: skip
    return report(rows, args.json)


if __name__ == "__main__":
    sys.exit(main())
