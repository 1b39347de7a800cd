from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_her2.errors import BadModelError, UsageError
from napari_her2.models.card import read_card
from napari_her2.models.networks.inception import InceptionV3
from napari_her2.models.protocols import TileModel
from napari_her2.models.tile_models import TorchTileModel, choose_device, load_tile_model


@pytest.fixture
def tiles() -> np.ndarray:
    return np.random.default_rng(1).integers(0, 256, (5, 96, 96, 3), dtype=np.uint8)


def test_probabilities_are_those_of_the_network(
    make_model: Callable[..., Path], tiles: np.ndarray, tiny_network: InceptionV3
) -> None:
    folder = make_model()
    model = load_tile_model(read_card(folder / "card.json"), folder, "cpu")
    got = model.predict(tiles)
    x = torch.from_numpy(tiles).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.7, 0.6, 0.7]), torch.tensor([0.2, 0.2, 0.2])
    with torch.no_grad():
        logits = tiny_network((x - mean.view(1, 3, 1, 1)) / std.view(1, 3, 1, 1))
    np.testing.assert_allclose(got, logits.softmax(1).numpy(), atol=2e-5)
    np.testing.assert_allclose(got.sum(1), 1, atol=1e-6)
    assert got.dtype == np.float32
    assert isinstance(model, TileModel)


def test_a_tiles_score_does_not_depend_on_its_batch(
    make_model: Callable[..., Path], tiles: np.ndarray
) -> None:
    folder = make_model()
    model = load_tile_model(read_card(folder / "card.json"), folder, "cpu")
    together = model.predict(tiles)
    assert len(np.unique(together)) > 5
    alone = np.concatenate([model.predict(tiles[i : i + 1]) for i in range(len(tiles))])
    np.testing.assert_array_equal(together, alone)
    np.testing.assert_array_equal(together, model.predict(tiles[::-1].copy())[::-1])


def test_a_tiles_score_does_not_depend_on_the_number_of_threads(
    make_model: Callable[..., Path], tiles: np.ndarray, tmp_path: Path
) -> None:
    folder = make_model()
    np.save(tmp_path / "tiles.npy", tiles)
    code = (
        "import sys, pathlib, numpy as np, torch\n"
        "folder, data, threads = pathlib.Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])\n"
        "torch.set_num_threads(threads)\n"
        "from napari_her2.models.card import read_card\n"
        "from napari_her2.models.tile_models import load_tile_model\n"
        "model = load_tile_model(read_card(folder / 'card.json'), folder, 'cpu')\n"
        "print(model.predict(np.load(data)).tobytes().hex())\n"
        "assert torch.get_num_threads() == threads"
    )
    arguments = [sys.executable, "-c", code, str(folder), str(tmp_path / "tiles.npy")]
    answers = {
        subprocess.run(
            [*arguments, threads], check=True, capture_output=True, text=True, timeout=120
        ).stdout.strip()
        for threads in ("1", "3")
    }
    here = load_tile_model(read_card(folder / "card.json"), folder, "cpu").predict(tiles)
    assert answers == {here.tobytes().hex()}


def test_tiles_of_another_shape_are_a_programming_error(make_model: Callable[..., Path]) -> None:
    folder = make_model()
    model = load_tile_model(read_card(folder / "card.json"), folder, "cpu")
    for wrong in (np.zeros((1, 64, 64, 3), np.uint8), np.zeros((1, 96, 96, 3), np.float32)):
        with pytest.raises(ValueError, match="uint8 of shape"):
            model.predict(wrong)
    assert model.predict(np.zeros((0, 96, 96, 3), np.uint8)).shape == (0, 3)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: not enough memory: you tried to"),
        RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
    ],
    ids=["cuda", "windows", "linux"],
)
def test_out_of_memory_is_a_memory_error(
    make_model: Callable[..., Path], tiles: np.ndarray, error: Exception
) -> None:
    class Hungry(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            raise error

    folder = make_model()
    model = TorchTileModel(read_card(folder / "card.json"), Hungry(), torch.device("cpu"))
    with pytest.raises(MemoryError):
        model.predict(tiles)


def test_other_faults_of_the_network_are_not_called_memory(
    make_model: Callable[..., Path], tiles: np.ndarray
) -> None:
    class Broken(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            msg = "sizes do not match"
            raise RuntimeError(msg)

    folder = make_model()
    model = TorchTileModel(read_card(folder / "card.json"), Broken(), torch.device("cpu"))
    with pytest.raises(RuntimeError, match="sizes do not match"):
        model.predict(tiles)


def test_devices() -> None:
    assert choose_device("cpu").type == "cpu"
    assert choose_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")
    for wrong in ("quantum", "meta", "cuda:77"):
        with pytest.raises(UsageError, match="no device"):
            choose_device(wrong)


@pytest.mark.parametrize(
    "change",
    [
        {"architecture": "resnet9000"},
        {"tile_model": {"width": 900}},
        {"tile_model": {"width": "wide"}},
        {"transform": [{"name": "Normalize", "arguments": {"mean": [0.5]}}]},
        {"transform": [{"name": "Normalize", "arguments": {"mean": [0] * 3, "std": [0] * 3}}]},
        {"transform": [{"name": "Resize", "arguments": {"size": 10**9}}]},
        {"tile_model": {"width": 0.2}},
        {"num_classes": 2, "class_names": ["a", "b"], "class_roles": {}},
    ],
    ids=str,
)
def test_cards_that_do_not_fit_are_refused(
    make_model: Callable[..., Path], change: dict[str, object]
) -> None:
    folder = make_model(**change)
    with pytest.raises(BadModelError, match="can't be used"):
        load_tile_model(read_card(folder / "card.json"), folder, "cpu")
