"""Proof that the networks are the papers': counts and lengths rebuilt from the code."""

from __future__ import annotations

from typing import Any

from napari_her2.models.aggregators import P1_STAGE2, RatioHistogramAggregator
from napari_her2.scoring.checks import Check

__all__ = ["Check", "check_arch"]


def _exact(name: str, expected: Any, got: Any) -> Check:
    return Check(name, expected, got, 0.0, expected == got)


def check_arch() -> list[Check]:
    """Rebuild the architectures and compare them with what was published.

    Returns
    -------
    list of Check
        Inception-V3 (torchvision's published parameter counts; 35.0 GFLOP network of P1 and P4),
        its shapes at 512 px, the lengths of P1's stage-2 vectors, and the two readings of P2's
        cell network (466,283 as printed; 466,007 from RGB with seven outputs). Built without
        memory for weights, so it takes well under a second after torch is imported.
    """
    import torch

    from napari_her2.models.networks.cell_convnet import CellConvNet
    from napari_her2.models.networks.cell_shapes import CELL_NETWORKS
    from napari_her2.models.networks.inception import InceptionV3

    with torch.device("meta"):
        plain = InceptionV3(1000).eval()
        aux = InceptionV3(1000, aux=True).eval()
        p1 = InceptionV3(3).eval()
        features = p1.features(torch.empty(1, 3, 512, 512))
        logits = p1(torch.empty(2, 3, 512, 512))

    def parameters(network: torch.nn.Module) -> int:
        return sum(p.numel() for p in network.parameters())

    checks = [
        _exact("inception-v3 parameters, 1000 classes", 23_834_568, parameters(plain)),
        _exact("inception-v3 parameters, 1000 classes, aux", 27_161_264, parameters(aux)),
        _exact("inception-v3 state-dict entries, aux", 580, len(aux.state_dict())),
        # 2,049,000 of the 1000-class network are its head; a 3-class head holds 3 x 2049.
        _exact("P1 stage 1 parameters, 3 classes", 23_834_568 - 2_049_000 + 6_147, parameters(p1)),
        _exact("P1 stage 1 Mixed_7c at 512 px", [1, 2048, 14, 14], list(features.shape)),
        _exact("P1 stage 1 output at 512 px", [2, 3], list(logits.shape)),
    ]
    for name, published in (("paper-466283", 466_283), ("rgb-7", 466_007)):
        with torch.device("meta"):
            cells = CellConvNet(CELL_NETWORKS[name]).eval()
            scored = cells(torch.empty(2, CELL_NETWORKS[name].channels, 44, 44))
        checks.append(_exact(f"P2 cell network parameters, {name}", published, parameters(cells)))
        shape = CELL_NETWORKS[name]
        what = f"P2 cell network output at 44 px, {shape.channels} channels"
        checks.append(_exact(what, [2, shape.outputs], list(scored.shape)))
    for biomarker, expected in (("ER", 11), ("PR", 11), ("HER2", 15)):
        bins = int(P1_STAGE2[biomarker]["bins"])
        zeros = (0.0,) * (1 + 2 * bins)
        stage2 = RatioHistogramAggregator(0, 1, bins, zeros, 0.0)
        checks.append(_exact(f"P1 stage 2 features, {biomarker}", expected, stage2.n_features))
    return checks
