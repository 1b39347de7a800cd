"""Checkpoints without pickle: the same values come back, damage is a sentence."""

from __future__ import annotations

import math

import pytest
import torch

from napari_her2.errors import CannotTrainError
from napari_her2.training.checkpoint_io import SafeCheckpointIO, read_checkpoint

IO = SafeCheckpointIO()


def states():
    shared = torch.arange(6.0)
    return {
        "state_dict": {"a": torch.randn(3, 2), "half": torch.ones(2, dtype=torch.bfloat16)},
        "optimizer_states": [
            {
                "state": {0: {"step": torch.tensor(7.0), "m": shared}, 1: {"m": shared}},
                "param_groups": [{"lr": 0.1, "betas": (0.9, 0.999), "params": [0, 1], "x": None}],
            }
        ],
        "loops": {"done": 3, "best": math.inf, "flag": True, "name": "µ"},
        "kernel": torch.randn(4, 3, 2, 2).contiguous(memory_format=torch.channels_last),
        "empty": torch.zeros(0, 3),
    }


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, torch.Tensor):
        assert a.dtype == b.dtype
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for x, y in zip(a, b, strict=True):
            same(x, y)
    else:
        assert a == b


def test_everything_comes_back_as_it_was(tmp_path):
    before = states()
    path = tmp_path / "last.safetensors"
    IO.save_checkpoint(before, path)
    after = IO.load_checkpoint(path)
    same(before, after)
    assert after["kernel"].stride() == before["kernel"].stride()
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]
    IO.remove_checkpoint(path)
    assert not path.exists()


def test_names_that_look_like_our_marks_are_data(tmp_path):
    path = tmp_path / "c"
    odd = {"$tensor": "t000000", "inner": {"$tuple": [1]}}
    IO.save_checkpoint(odd, path)
    assert read_checkpoint(path) == odd


def test_what_only_a_pickle_could_hold_is_refused_and_the_old_file_stays(tmp_path):
    path = tmp_path / "c"
    IO.save_checkpoint({"a": 1}, path)
    with pytest.raises(TypeError, match="object"):
        IO.save_checkpoint({"a": object()}, path)
    assert read_checkpoint(path) == {"a": 1}


@pytest.mark.parametrize("at", [3, 40, -3])
def test_a_damaged_file_is_one_sentence(tmp_path, at):
    path = tmp_path / "c"
    IO.save_checkpoint(states(), path)
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(CannotTrainError, match="checkpoint"):
        read_checkpoint(path)


def test_a_file_cut_short_and_a_missing_one_are_sentences(tmp_path):
    path = tmp_path / "c"
    IO.save_checkpoint(states(), path)
    path.write_bytes(path.read_bytes()[:-20])
    for each in (path, tmp_path / "absent"):
        with pytest.raises(CannotTrainError) as found:
            read_checkpoint(each)
        assert found.value.message_id == "bad_checkpoint"
