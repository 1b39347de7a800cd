"""Every runtime gives the logits of the plain network; the choice is automatic and named."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
import torch

from napari_her2.cells import runtime as runtimes
from napari_her2.cells.runtime import BATCH, CellNetwork, choose_runtime, make_runtime, run_cells
from napari_her2.errors import MissingExtraError, UsageError
from napari_her2.models.networks.cell_convnet import CellConvNet
from napari_her2.models.networks.cell_shapes import CELL_NETWORKS, ExtraAt

HAS_OPENVINO = importlib.util.find_spec("openvino") is not None
needs_openvino = pytest.mark.skipif(not HAS_OPENVINO, reason="openvino is not installed")
FLOAT32 = ["torch", pytest.param("openvino", marks=needs_openvino)]


def made(name: str, n_extra: int = 0, at: ExtraAt = "hidden") -> tuple[CellConvNet, CellNetwork]:
    """A network whose logits have a spread like a trained one's."""
    torch.manual_seed(5)
    shape = CELL_NETWORKS[name]
    module = CellConvNet(shape, n_extra, at).eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.mul_(1.6)
    weights = {k: v.numpy() for k, v in module.state_dict().items()}
    mean, std = (0.1, 0.05, 0.2)[: shape.channels], (0.12, 0.2, 0.3)[: shape.channels]
    return module, CellNetwork(shape, weights, mean, std, n_extra, at)


def plain(
    module: CellConvNet, network: CellNetwork, crops: np.ndarray, extra: np.ndarray | None
) -> np.ndarray:
    """Eager float32 in the plain layout, straight from the definition."""
    x = torch.from_numpy(crops).permute(0, 3, 1, 2).contiguous() / 255
    x = (x - torch.tensor(network.mean).view(1, -1, 1, 1)) / torch.tensor(network.std).view(
        1, -1, 1, 1
    )
    with torch.no_grad():
        logits = module(x, None if extra is None else torch.from_numpy(extra))
    return np.asarray(logits[:, : network.shape.used])


@pytest.mark.parametrize("runtime", FLOAT32)
@pytest.mark.parametrize(
    ("name", "n_extra", "at"),
    [("paper-466283", 0, "hidden"), ("rgb-7", 0, "hidden"), ("paper-466283", 2, "hidden"),
     ("paper-466283", 2, "output")],
)  # fmt: skip
def test_float32_runtimes_equal_the_plain_network(
    runtime: str, name: str, n_extra: int, at: ExtraAt
) -> None:
    module, network = made(name, n_extra, at)
    rng = np.random.default_rng(2)
    crops = rng.integers(0, 255, (BATCH + 37, 44, 44, network.shape.channels), np.uint8)
    extra = rng.normal(0, 1, (len(crops), n_extra)).astype(np.float32) if n_extra else None
    wanted = plain(module, network, crops, extra)
    got = run_cells(make_runtime(network, runtime), crops, extra)
    assert wanted.std() > 0.05
    np.testing.assert_allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize(
    "runtime", ["torch-bf16", pytest.param("openvino-bf16", marks=needs_openvino)]
)
def test_bfloat16_is_near_and_only_by_name(runtime: str) -> None:
    module, network = made("paper-466283")
    crops = np.random.default_rng(2).integers(0, 255, (40, 44, 44, 2), np.uint8)
    got = run_cells(make_runtime(network, runtime), crops, None)
    wanted = plain(module, network, crops, None)
    assert np.abs(got - wanted).max() <= 0.15 * wanted.std()
    assert choose_runtime("auto") in ("torch", "openvino")


@pytest.mark.parametrize("runtime", FLOAT32)
def test_a_cell_gets_the_same_number_in_whatever_company(runtime: str) -> None:
    _, network = made("paper-466283")
    made_runtime = make_runtime(network, runtime, threads=1)
    crops = np.random.default_rng(2).integers(0, 255, (BATCH + 9, 44, 44, 2), np.uint8)
    whole = run_cells(made_runtime, crops, None)
    assert (run_cells(made_runtime, crops[BATCH:], None) == whole[BATCH:]).all()
    assert (run_cells(made_runtime, crops[::-1], None) == whole[::-1]).all()


@needs_openvino
def test_processes_side_by_side_do_not_share_one_core() -> None:
    _, network = made("paper-466283")
    runtime = runtimes._OpenVinoRuntime(network, "openvino", 1)
    compiled = runtime._request.get_compiled_model()
    # Bound to cores, all workers would sit on the first one.
    assert not compiled.get_property("ENABLE_CPU_PINNING")


def test_openvino_is_chosen_where_it_is_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda _name: None)
    assert choose_runtime("auto") == "torch"
    with pytest.raises(MissingExtraError, match=r"napari-her2\[fast\]"):
        choose_runtime("openvino")
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda _name: object())
    assert choose_runtime("auto") == "openvino"
    assert choose_runtime("torch") == "torch"
    with pytest.raises(UsageError, match="torch-bf16"):
        choose_runtime("int8")


def test_a_broken_openvino_stops_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_args: object) -> None:
        msg = "a library is missing"
        raise ImportError(msg)

    monkeypatch.setattr(runtimes, "_OpenVinoRuntime", broken)
    monkeypatch.setattr(runtimes.importlib.util, "find_spec", lambda _name: object())
    _, network = made("rgb-7")
    assert make_runtime(network, "auto").name == "torch"
    with pytest.raises(ImportError):
        make_runtime(network, "openvino")
