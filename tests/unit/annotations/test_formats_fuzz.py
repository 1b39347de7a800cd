"""Importers meet damaged files: the result is fit to keep, or one sentence."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutated_files import ids_written_and_read, mutated, read_or_refuse, whole_files

FORMATS = (
    "geojson", "old", "csv", "parquet", "coco", "imagescope", "asap", "cytomine", "sectra", "wkt",
)  # fmt: skip


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return whole_files(tmp_path_factory.mktemp("whole"))


@pytest.mark.parametrize("kind", FORMATS)
def test_a_whole_file_is_read(tmp_path, whole, kind):
    (tmp_path / "file").write_bytes(whole[kind])
    found = read_or_refuse(tmp_path / "file")
    assert found is not None
    assert found.annotations


@pytest.mark.parametrize("kind", FORMATS)
@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**32 - 1))
def test_a_damaged_file_ends_in_objects_or_in_a_sentence(tmp_path, whole, kind, seed):
    (tmp_path / "file").write_bytes(mutated(whole[kind], random.Random(seed)))
    found = read_or_refuse(tmp_path / "file")
    kept = [] if found is None else [a.id for a in found.annotations]
    assert ids_written_and_read(found, tmp_path) == kept


@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.binary(max_size=60)
    | st.sampled_from([b"[", b"{", b"<", b"PAR1", b"PK\x03\x04", b"POINT", b"a,b\n", b"\xff\xfe"])
)
def test_any_bytes_end_in_objects_or_in_a_sentence(tmp_path, data):
    (tmp_path / "file").write_bytes(data)
    found = read_or_refuse(tmp_path / "file")
    kept = [] if found is None else [a.id for a in found.annotations]
    assert ids_written_and_read(found, tmp_path) == kept
