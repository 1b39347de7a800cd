"""Sampling, augmentation, rates and weights to start from."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from napari_her2.errors import CannotTrainError, UsageError
from napari_her2.models.networks.inception import InceptionV3
from napari_her2.training.augment import (
    GEOMETRY,
    HE_FULL,
    IHC_FULL,
    NOTHING,
    augment_rgb,
    augment_stains,
    turned,
)
from napari_her2.training.figures import macro_auc, macro_f1
from napari_her2.training.hardware import choose_hardware
from napari_her2.training.initialise import start_file, start_of
from napari_her2.training.learner import seed_of
from napari_her2.training.request import TrainRequest
from napari_her2.training.sampling import Sampler, one_cycle

RNG = np.random.default_rng(0)
TILES = RNG.integers(0, 256, (6, 40, 40, 3), dtype=np.uint8)
ASKED = TrainRequest(Path("labels"), "stage1", width=0.1)


def test_every_item_comes_once_an_epoch_in_an_order_of_its_own():
    label = np.arange(40) % 4
    sampler = Sampler(label, 8, 1, balance=False)
    epochs = [np.concatenate([sampler.rows(e * 5 + k) for k in range(5)]) for e in range(2)]
    for rows in epochs:
        assert sorted(rows) == list(range(40))
    assert epochs[0].tolist() != epochs[1].tolist()
    # Asked for out of turn, as after a resume, the rows are the same.
    assert Sampler(label, 8, 1, balance=False).rows(7).tolist() == epochs[1][16:24].tolist()


def test_balance_draws_rare_classes_as_often_as_frequent_ones():
    label = np.array([0] * 90 + [1] * 10)
    rows = np.concatenate([Sampler(label, 20, 3, balance=True).rows(k) for k in range(5)])
    assert (label[rows] == 1).sum() == 50
    assert len(set(rows[label[rows] == 1])) == 10


def test_the_rate_rises_once_and_falls_to_nearly_nothing():
    rates = [one_cycle(k, 100, 0.03) for k in range(100)]
    top = int(np.argmax(rates))
    assert rates[top] == pytest.approx(0.03)
    assert 20 <= top <= 30
    assert rates[0] == pytest.approx(0.03 / 25)
    assert rates[-1] < 1e-6
    assert rates[:top] == sorted(rates[:top])


def test_seeds_of_neighbouring_steps_have_nothing_in_common():
    seeds = {seed_of(1, 2, k) for k in range(1000)}
    assert len(seeds) == 1000
    assert all(0 <= s < 2**63 for s in seeds)
    bits = np.array([[(s >> b) & 1 for b in range(63)] for s in sorted(seeds)])
    assert np.abs(bits.mean(0) - 0.5).max() < 0.1


@pytest.mark.parametrize("how", [NOTHING, GEOMETRY, HE_FULL])
def test_a_picture_is_changed_by_seed_and_step_alone(how):
    first, again = (augment_rgb(TILES, how, 1, 9) for _ in range(2))
    assert np.array_equal(first, again)
    assert first.dtype == np.float32
    assert 0 <= first.min() <= first.max() <= 1
    # The picture's own generator: its neighbours do not matter.
    assert np.array_equal(augment_rgb(TILES[:2], how, 1, 9), first[:2])
    if how is not NOTHING:
        assert not np.array_equal(first, augment_rgb(TILES, how, 1, 10))
    else:
        assert np.array_equal(first, TILES / np.float32(255))


def test_turning_moves_pixels_and_changes_none():
    ways = turned(np.repeat(TILES[:1], 8, 0), np.arange(8))
    assert len({w.tobytes() for w in ways}) == 8
    for w in ways:
        assert np.array_equal(np.sort(w.reshape(-1, 3), 0), np.sort(TILES[0].reshape(-1, 3), 0))


def test_full_augmentation_changes_colour_a_little_and_keeps_form():
    tile = np.clip(TILES[:1].astype(int) // 3 + 120, 0, 255).astype(np.uint8)
    plain = augment_rgb(tile, NOTHING, 1, 0)[0]
    how = replace(HE_FULL, turn=False, mix=0.0, grey=0.0)
    colour = [augment_rgb(tile, how, 1, k)[0] for k in range(8)]
    means = np.array([c.mean((0, 1)) - plain.mean((0, 1)) for c in colour])
    assert 0.01 < np.abs(means).mean() < 0.12
    for c in colour:
        assert np.corrcoef(c.ravel(), plain.ravel())[0, 1] > 0.7


def test_some_pictures_lose_their_colour_and_no_other():
    how = replace(NOTHING, grey=0.25)
    many = np.repeat(TILES[:1], 80, 0)
    out = augment_rgb(many, how, 1, 0)
    lost = np.ptp(out, -1).max((1, 2)) < 1e-5
    assert 8 < lost.sum() < 35
    assert np.allclose(out[~lost], np.maximum(TILES[0], 1) / 255, atol=0.01)


def test_stains_get_a_little_stronger_or_weaker():
    crops = np.full((200, 8, 8, 2), 100, np.uint8)
    out = augment_stains(crops, IHC_FULL, 1, 0)
    gain = out[:, 0, 0, :] / (100 / 255)
    assert abs(gain.mean() - 1) < 0.03
    assert 0.07 < gain.std() < 0.13


def test_quick_figures():
    truth = np.array([0, 0, 1, 1])
    assert macro_f1(truth, truth) == 1
    assert macro_f1(truth, np.array([0, 1, 1, 1])) == pytest.approx((2 / 3 + 0.8) / 2)
    probs = np.array([[0.9, 0.1], [0.6, 0.4], [0.4, 0.6], [0.7, 0.3]])
    assert macro_auc(truth, probs) == pytest.approx(0.75)
    assert macro_auc(np.zeros(4, int), probs) == 0.5


def test_hardware_that_is_not_there_is_a_sentence():
    assert choose_hardware("cpu", "32", 3).threads == 3
    # float16 needs a scaled loss, which there is on CUDA only.
    assert choose_hardware("cpu", "16").precision == "bf16-mixed"
    if not torch.cuda.is_available():
        with pytest.raises(UsageError):
            choose_hardware("cuda")


# ---- weights to start from


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """Weights as torchvision names them: another number of classes and an auxiliary head."""
    torch.manual_seed(3)
    path = tmp_path_factory.mktemp("start") / "imagenet.safetensors"
    state = InceptionV3(5, 0.1, aux=True).state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    return path


def shapes():
    return {k: tuple(v.shape) for k, v in InceptionV3(3, 0.1).state_dict().items()}


def test_weights_of_another_task_start_all_but_the_head(foreign):
    found = start_of(replace(ASKED, start_from=str(foreign)), shapes(), head=("fc.",))
    assert found is not None
    assert "fc.weight" not in found
    assert not any(k.startswith("AuxLogits") for k in found)
    network = InceptionV3(3, 0.1)
    missing = network.load_state_dict(found, strict=False).missing_keys
    assert {m.rsplit(".", 1)[0] for m in missing if "num_batches" not in m} == {"fc"}


@pytest.mark.parametrize("name", ["inception_v3_google.pth", "a.ckpt", "https://x.org/a.pt?b=1"])
def test_pickles_are_refused_with_the_way_to_convert_them(name, tmp_path):
    with pytest.raises(CannotTrainError) as found:
        start_file(replace(ASKED, start_from=name))
    assert found.value.message_id == "start_pickle"
    assert "safetensors.torch.save_file" in found.value.sentence


def test_an_address_needs_a_hash_and_a_yes_and_must_match(foreign):
    data = foreign.read_bytes()
    sha256 = hashlib.sha256(data).hexdigest()
    asked = []

    def fetch(url, limit):
        asked.append(url)
        return data

    address = replace(ASKED, start_from="https://example.org/w.safetensors")
    for request, reason in (
        (address, "start_no_hash"),
        (replace(address, start_sha256=sha256), "start_offline"),
        (replace(address, start_sha256="0" * 64, download=True), "bad_start"),
        (replace(address, start_from="http://example.org/w", start_sha256=sha256), "bad_start"),
    ):
        with pytest.raises(CannotTrainError) as found:
            start_file(request, fetch)
        assert found.value.message_id == reason
    assert len(asked) == 1
    good = replace(address, start_sha256=sha256, download=True)
    assert start_file(good, fetch).read_bytes() == data
    # Fetched once: afterwards it is there without the network.
    assert start_file(replace(good, download=False)).read_bytes() == data
    assert len(asked) == 2


@pytest.mark.parametrize("change", ["missing", "shape", "foreign", "cut"])
def test_weights_that_do_not_fit_are_a_sentence(change, foreign, tmp_path):
    state = InceptionV3(3, 0.1).state_dict()
    name = "Mixed_7c.branch1x1.conv.weight"
    if change == "missing":
        del state[name]
    elif change == "shape":
        state[name] = state[name][:1]
    elif change == "foreign":
        state["more.weight"] = torch.zeros(2)
    path = tmp_path / "w.safetensors"
    save_file({k: v.contiguous() for k, v in state.items()}, path)
    if change == "cut":
        path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(CannotTrainError) as found:
        start_of(replace(ASKED, start_from=str(path)), shapes(), head=("fc.",))
    assert found.value.message_id == "bad_start"


def test_what_is_neither_file_nor_model_is_a_sentence():
    with pytest.raises(CannotTrainError, match="neither a file nor a model"):
        start_file(replace(ASKED, start_from="no-such-model"))
