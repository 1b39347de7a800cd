"""One made slide and one fake model."""

from __future__ import annotations

from pathlib import Path

import pytest
from made_runs import FakeRegistry, fake_model, write_slide

from napari_her2.pipelines.request import PredictRequest


@pytest.fixture(scope="session")
def _made(tmp_path_factory) -> bytes:
    return write_slide(tmp_path_factory.mktemp("made") / "slide.tif").read_bytes()


@pytest.fixture
def slide_path(tmp_path, _made) -> Path:
    path = tmp_path / "Fall ä 1.tif"
    path.write_bytes(_made)
    return path


@pytest.fixture
def request_for(slide_path, tmp_path):
    def make(*model_ids: str, **changes) -> PredictRequest:
        options = {"out": tmp_path / "out", **changes}
        return PredictRequest(slide_path, model_ids or ("fake-er",), **options)

    return make


@pytest.fixture
def registry() -> FakeRegistry:
    return FakeRegistry(fake_model())
