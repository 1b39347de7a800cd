from __future__ import annotations

import json
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from napari_her2.errors import BadModelError, CannotWriteError, ModelIntegrityError
from napari_her2.models.weights import (
    check_against,
    parse_header,
    read_weights,
    sha256_of,
    write_atomic,
    write_weights,
)

SHAPES = {"a.weight": (2, 3), "a.bias": (2,), "bn.num_batches_tracked": ()}


def tensors() -> dict[str, torch.Tensor]:
    return {
        "a.weight": torch.arange(6.0).view(2, 3) / 7,
        "a.bias": torch.tensor([1.5, -1 / 3]),
        "bn.num_batches_tracked": torch.tensor(9),
    }


def pack(header: object, body: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + body


def test_round_trip_is_exact_and_counters_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    sha256 = write_weights(path, tensors())
    assert sha256 == sha256_of(path.read_bytes())
    got = read_weights(path, SHAPES, sha256=sha256, model="m")
    assert set(got) == {"a.weight", "a.bias"}
    assert torch.equal(got["a.weight"], tensors()["a.weight"])
    assert [p.name for p in tmp_path.iterdir()] == ["w.safetensors"]


def test_half_stores_matrices_small_and_vectors_whole(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors(), half=True)
    kinds = {n: e.dtype for n, e in parse_header(path.read_bytes(), "m").items()}
    assert kinds == {"a.weight": "F16", "a.bias": "F32"}
    got = read_weights(path, SHAPES, sha256=None, model="m")
    assert got["a.weight"].dtype == torch.float32
    assert torch.equal(got["a.weight"], tensors()["a.weight"].half().float())
    assert torch.equal(got["a.bias"], tensors()["a.bias"])


def test_changed_bytes_fail_the_hash(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    sha256 = write_weights(path, tensors())
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    with pytest.raises(ModelIntegrityError, match=sha256[:12]):
        read_weights(path, SHAPES, sha256=sha256, model="m")


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({**SHAPES, "b.weight": (1,)}, "b.weight is missing"),
        ({**SHAPES, "a.weight": (3, 2)}, r"shape \[2, 3\], not \[3, 2\]"),
        ({"a.weight": (2, 3)}, "a.bias does not belong"),
    ],
)
def test_other_architectures_are_refused(
    tmp_path: Path, expected: dict[str, tuple[int, ...]], message: str
) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, tensors())
    with pytest.raises(BadModelError, match=message):
        read_weights(path, expected, sha256=None, model="m")


def test_nan_weights_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    write_weights(path, {**tensors(), "a.bias": torch.tensor([np.nan, 0.0])})
    with pytest.raises(BadModelError, match=r"a\.bias holds NaN"):
        read_weights(path, SHAPES, sha256=None, model="m")


def test_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(BadModelError, match=r"w\.safetensors is missing"):
        read_weights(tmp_path / "w.safetensors", SHAPES, sha256=None, model="m")


def _one(**changes: object) -> dict[str, object]:
    return {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8], **changes}}


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00\x00",
        struct.pack("<Q", 2**63) + b"{}",
        pack(b"{"),
        pack(b"[" * 200_000),
        pack([1, 2]),
        pack({"a": 5}, b"12345678"),
        pack(_one(), b"1234567"),
        pack(_one(), b"123456789"),
        pack(_one(shape=[3]), b"12345678"),
        pack(_one(shape=[-2]), b"12345678"),
        pack(_one(shape=[2**62, 2**62]), b"12345678"),
        pack(_one(shape=[True, 2]), b"12345678"),
        pack(_one(shape=[2.0]), b"12345678"),
        pack(_one(dtype="pickle"), b"12345678"),
        pack(_one(data_offsets=[8, 0]), b"12345678"),
        pack(_one(data_offsets=[0, 8, 8]), b"12345678"),
        pack(_one(data_offsets=[4, 12]), b"123456789012"),
        pack({**_one(), "b": _one()["a"]}, b"12345678"),
    ],
)
def test_hostile_headers_are_refused_before_mapping(data: bytes) -> None:
    with pytest.raises(BadModelError):
        parse_header(data, "m")


def test_too_many_entries_are_refused() -> None:
    many = {f"t{i}": {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]} for i in range(20_001)}
    with pytest.raises(BadModelError, match="table of tensors"):
        parse_header(pack(many), "m")


def test_integers_where_weights_belong_are_refused() -> None:
    entries = parse_header(pack(_one(dtype="I64", shape=[1]), b"12345678"), "m")
    with pytest.raises(BadModelError, match="I64"):
        check_against(entries, {"a": (1,)}, "m")


def test_failed_write_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(b"old")
    with pytest.raises(CannotWriteError):
        write_atomic(target / "below", b"new")
    assert target.read_bytes() == b"old"
    write_atomic(target, b"new")
    assert target.read_bytes() == b"new"
    assert [p.name for p in tmp_path.iterdir()] == ["file"]
