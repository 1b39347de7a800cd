from __future__ import annotations

import pytest
import torch

from napari_her2.models.networks.inception import MIN_INPUT_PX, InceptionV3, fuse_batch_norm
from napari_her2.models.selfcheck import check_arch

# Names and shapes of torchvision's published inception_v3 state dict.
TORCHVISION = {
    "Conv2d_1a_3x3.conv.weight": (32, 3, 3, 3),
    "Conv2d_1a_3x3.bn.running_var": (32,),
    "Conv2d_2b_3x3.conv.weight": (64, 32, 3, 3),
    "Conv2d_3b_1x1.conv.weight": (80, 64, 1, 1),
    "Conv2d_4a_3x3.bn.num_batches_tracked": (),
    "Mixed_5b.branch1x1.conv.weight": (64, 192, 1, 1),
    "Mixed_5b.branch5x5_2.conv.weight": (64, 48, 5, 5),
    "Mixed_5b.branch_pool.conv.weight": (32, 192, 1, 1),
    "Mixed_5c.branch3x3dbl_1.conv.weight": (64, 256, 1, 1),
    "Mixed_5d.branch3x3dbl_3.bn.bias": (96,),
    "Mixed_6a.branch3x3.conv.weight": (384, 288, 3, 3),
    "Mixed_6a.branch3x3dbl_3.conv.weight": (96, 96, 3, 3),
    "Mixed_6b.branch7x7_2.conv.weight": (128, 128, 1, 7),
    "Mixed_6b.branch7x7dbl_5.conv.weight": (192, 128, 1, 7),
    "Mixed_6c.branch7x7dbl_2.conv.weight": (160, 160, 7, 1),
    "Mixed_6e.branch_pool.conv.weight": (192, 768, 1, 1),
    "AuxLogits.conv0.conv.weight": (128, 768, 1, 1),
    "AuxLogits.conv1.conv.weight": (768, 128, 5, 5),
    "AuxLogits.fc.weight": (1000, 768),
    "Mixed_7a.branch3x3_2.conv.weight": (320, 192, 3, 3),
    "Mixed_7a.branch7x7x3_3.conv.weight": (192, 192, 7, 1),
    "Mixed_7b.branch3x3_2a.conv.weight": (384, 384, 1, 3),
    "Mixed_7b.branch3x3dbl_1.conv.weight": (448, 1280, 1, 1),
    "Mixed_7c.branch3x3dbl_3b.conv.weight": (384, 384, 3, 1),
    "Mixed_7c.branch1x1.conv.weight": (320, 2048, 1, 1),
    "fc.weight": (1000, 2048),
    "fc.bias": (1000,),
}


def test_state_dict_has_torchvisions_names_and_shapes() -> None:
    with torch.device("meta"):
        state = InceptionV3(1000, aux=True).state_dict()
    assert len(state) == 580
    for name, shape in TORCHVISION.items():
        assert tuple(state[name].shape) == shape, name
    assert len([n for n in state if n.endswith(".conv.weight")]) == 96


def test_published_parameter_counts_are_rebuilt() -> None:
    checks = check_arch()
    assert all(c.ok for c in checks), [c for c in checks if not c.ok]
    got = {c.id: c.got for c in checks}
    assert got["inception-v3 parameters, 1000 classes"] == 23_834_568
    assert got["inception-v3 parameters, 1000 classes, aux"] == 27_161_264
    assert [got[f"P1 stage 2 features, {b}"] for b in ("ER", "PR", "HER2")] == [11, 11, 15]


@pytest.mark.parametrize(("side", "positions"), [(MIN_INPUT_PX, 1), (299, 8), (512, 14)])
def test_any_input_from_75_px_works(side: int, positions: int) -> None:
    with torch.device("meta"):
        network = InceptionV3(3, 0.2).eval()
        features = network.features(torch.empty(1, 3, side, side))
        assert features.shape == (1, network.feature_channels, positions, positions)
        assert network.head(features).shape == (1, 3)


def test_smaller_input_than_75_px_leaves_nothing() -> None:
    with torch.device("meta"), pytest.raises(RuntimeError):
        InceptionV3(3, 0.2).eval()(torch.empty(1, 3, MIN_INPUT_PX - 2, MIN_INPUT_PX - 2))


def test_forward_is_head_of_features_and_aux_is_optional(tiny_network: InceptionV3) -> None:
    network = tiny_network
    x = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        assert torch.equal(network(x), network.head(network.features(x)))
    with pytest.raises(ValueError, match="auxiliary"):
        network.forward_with_aux(x)
    with torch.device("meta"):
        main, aux = (
            InceptionV3(3, 0.2, aux=True).train().forward_with_aux(torch.empty(2, 3, 299, 299))
        )
    assert main.shape == aux.shape == (2, 3)


def test_fused_batch_norm_gives_the_same_logits(tiny_network: InceptionV3) -> None:
    network = tiny_network
    x = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        before = network(x)
        after = fuse_batch_norm(network)(x)
    assert before.std() > 0.05
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-4)
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in network.modules())
