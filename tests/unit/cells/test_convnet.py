"""The cell network is the paper's, and its classifier loads and runs by name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from napari_her2.cells.classes import CELL_CLASSES
from napari_her2.cells.classifiers import list_classifiers, load_classifier
from napari_her2.cells.convnet import NetworkClassifier
from napari_her2.cells.protocols import CellClassifier
from napari_her2.cells.table import CellTable
from napari_her2.errors import BadModelError, ModelIntegrityError, ModelNotFoundError, UsageError
from napari_her2.models.arrays import write_arrays
from napari_her2.models.networks.cell_convnet import CellConvNet
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS, state_shapes
from napari_her2.models.registry import Registry
from napari_her2.models.selfcheck import check_arch

CROPS = np.random.default_rng(1).integers(0, 255, (7, 44, 44, 2), np.uint8)
TABLE = CellTable(
    {"x_px": np.arange(7.0), "y_px": np.arange(7.0), "membrane_od": np.linspace(0, 1, 7)}
)


def card_fields(**changes: Any) -> dict[str, Any]:
    """Fields of a cell network's card."""
    fields = {
        "architecture": "paper-466283", "num_classes": 7, "patch_size_pixels": 44,
        "spacing_um_px": 0.49, "class_names": list(CELL_CLASSES),
        "transform": [
            {"name": "ToTensor"},
            {"name": "Normalize", "arguments": {"mean": [0.1, 0.05], "std": [0.1, 0.2]}},
        ],
        "id": "cells", "name": "Cells", "version": "1", "biomarker": "HER2", "stain": "H-DAB",
        "organ": "breast", "class_roles": {}, "selector": {"kind": "cells"}, "licence": "x",
        "source": "x", "training_data": "x", "status": "user-unvalidated", "intended_use": "x",
    }  # fmt: skip
    return {**fields, **changes}


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "data", tmp_path / "none")


def install(registry: Registry, tmp_path: Path, seed: int = 0, **changes: Any) -> CellConvNet:
    """Install a network of seeded weights; give it."""
    torch.manual_seed(seed)
    fields = card_fields(**changes)
    extra = fields.get("tile_model", {}).get("extra_features", [])
    at = fields.get("tile_model", {}).get("extra_at", "hidden")
    network = CellConvNet(CELL_NETWORKS[fields["architecture"]], len(extra), at).eval()
    folder = tmp_path / "made"
    folder.mkdir()
    state = {k: v.numpy() for k, v in network.state_dict().items()}
    fields["weights_sha256"] = write_arrays(folder / "weights.safetensors", state)
    (folder / "card.json").write_text(json.dumps(fields), encoding="utf-8")
    registry.add(folder)
    return network


@pytest.mark.parametrize(("name", "published"), [("paper-466283", 466_283), ("rgb-7", 466_007)])
def test_parameter_counts_are_those_of_the_two_readings(name: str, published: int) -> None:
    shape = CELL_NETWORKS[name]
    network = CellConvNet(shape)
    assert sum(p.numel() for p in network.parameters()) == published
    for extra, at in ((0, "hidden"), (2, "hidden"), (2, "output")):
        state = CellConvNet(shape, extra, at).state_dict()  # type: ignore[arg-type]
        assert state_shapes(shape, extra, at) == {k: tuple(v.shape) for k, v in state.items()}  # type: ignore[arg-type]
    checks = {c.id: c for c in check_arch()}
    assert checks[f"P2 cell network parameters, {name}"].got == published


def test_maps_shrink_by_rounding_up_and_the_eighth_output_is_never_predicted() -> None:
    network = CellConvNet().eval()
    sides = []
    for convolution in (network.conv1, network.conv2, network.conv3):
        convolution.register_forward_hook(lambda _m, _i, out: sides.append(out.shape[-1]))
    with torch.no_grad():
        network.output.bias[7] = 1e6
        logits = network(torch.randn(5, 2, 44, 44))
    assert sides == [44, 22, 11]
    assert network.hidden.in_features == 25 * 6 * 6
    assert bool((logits[:, 7] == -torch.inf).all())
    assert bool(torch.isfinite(logits[:, :7]).all())
    assert bool((logits.softmax(1)[:, 7] == 0).all())


def test_training_moves_all_but_the_masked_unit() -> None:
    torch.manual_seed(0)
    network = CellConvNet().train()
    loss = torch.nn.functional.cross_entropy(
        network(torch.randn(8, 2, 44, 44)), torch.arange(8) % 7
    )
    loss.backward()
    assert bool(torch.isfinite(loss))
    grad = network.output.weight.grad
    assert grad is not None
    assert bool((grad[7] == 0).all())
    assert bool((grad[:7].abs().sum(1) > 0).all())
    assert network.conv1.weight.grad is not None
    assert bool(network.conv1.weight.grad.abs().sum() > 0)


def test_classifier_gives_the_networks_probabilities(registry: Registry, tmp_path: Path) -> None:
    network = install(registry, tmp_path)
    classifier = load_classifier("cells", runtime="torch", registry=registry)
    assert isinstance(classifier, CellClassifier)
    assert isinstance(classifier, NetworkClassifier)
    assert (classifier.channels, classifier.crop_px, classifier.crop_mpp) == ("stains", 44, 0.49)
    probs = classifier.classify(TABLE, CROPS)
    x = torch.from_numpy(CROPS).permute(0, 3, 1, 2) / 255
    x = (x - torch.tensor([0.1, 0.05]).view(2, 1, 1)) / torch.tensor([0.1, 0.2]).view(2, 1, 1)
    with torch.no_grad():
        wanted = network(x).softmax(1)[:, :7].numpy()
    np.testing.assert_allclose(probs, wanted, atol=1e-5)
    np.testing.assert_allclose(probs.sum(1), 1, atol=1e-6)
    assert classifier.classify(TABLE.take(np.zeros(0, int)), CROPS[:0]).shape == (0, 7)
    with pytest.raises(ValueError, match="crops"):
        classifier.classify(TABLE)
    with pytest.raises(ValueError, match="crops must be"):
        classifier.classify(TABLE, CROPS[:3])


@pytest.mark.parametrize("at", ["hidden", "output"])
def test_measured_membrane_can_join(registry: Registry, tmp_path: Path, at: str) -> None:
    tile_model = {
        "extra_features": ["membrane_od"],
        "extra_at": at,
        "extra_mean": [0.5],
        "extra_scale": [0.2],
    }
    install(registry, tmp_path, tile_model=tile_model)
    classifier = load_classifier("cells", runtime="torch", registry=registry)
    same = np.repeat(CROPS[:1], 7, 0)
    probs = classifier.classify(TABLE, same)
    assert len(np.unique(probs[:, 0])) == 7
    unknown = TABLE.with_columns({"membrane_od": np.full(7, np.nan)})
    average = TABLE.with_columns({"membrane_od": np.full(7, 0.5)})
    assert (classifier.classify(unknown, same) == classifier.classify(average, same)).all()


def test_cell_models_stay_out_of_the_way_of_tile_models(registry: Registry, tmp_path: Path) -> None:
    install(registry, tmp_path)
    assert [name for name, _ in list_classifiers(registry)] == ["membrane", "cells"]
    assert registry.verify("cells")
    with pytest.raises(ModelNotFoundError):
        registry.resolve("HER2")
    with pytest.raises(UsageError, match="single cells"):
        registry.load("cells")
    with pytest.raises(UsageError, match="single cells"):
        registry.set_default("HER2", "cells")
    with pytest.raises(ModelNotFoundError, match="membrane, cells"):
        load_classifier("nothing", registry=registry)
    with pytest.raises(UsageError, match="no runtime called fast"):
        load_classifier("cells", runtime="fast", registry=registry)
    with pytest.raises(UsageError, match="scores tiles"):
        load_classifier("demo-her2", registry=Registry())


def test_files_that_do_not_fit_are_refused(registry: Registry, tmp_path: Path) -> None:
    install(registry, tmp_path)
    folder = registry.resolve("cells").folder
    fields = json.loads((folder / "card.json").read_text())

    def load_with(**changes: Any) -> None:
        (folder / "card.json").write_text(json.dumps({**fields, **changes}))
        load_classifier("cells", runtime="torch", registry=registry)

    with pytest.raises(BadModelError, match="normalise 2 channels"):
        load_with(transform=[{"name": "ToTensor"}])
    with pytest.raises(BadModelError, match="shape"):
        load_with(architecture="rgb-7")
    with pytest.raises(BadModelError, match="44 px"):
        load_with(patch_size_pixels=64)
    with pytest.raises(BadModelError, match="extra features"):
        load_with(tile_model={"extra_features": "membrane_od"})
    with pytest.raises(BadModelError, match="extra_scale"):
        load_with(tile_model={"extra_features": [], "extra_scale": [0]})
    (folder / "card.json").write_text(json.dumps(fields))
    (folder / "weights.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelIntegrityError):
        load_classifier("cells", runtime="torch", registry=registry)


def test_digest_tells_weights_and_runtime_apart(registry: Registry, tmp_path: Path) -> None:
    install(registry, tmp_path)
    one = load_classifier("cells", runtime="torch", registry=registry)
    again = load_classifier("cells", runtime="torch", registry=registry)
    other = load_classifier("cells", runtime="torch-bf16", registry=registry)
    assert one.digest == again.digest != other.digest
