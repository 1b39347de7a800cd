"""Fixtures every test may use: an environment of its own, and the shared data where it is there."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def isolated_environment(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Keep each test away from the user's models, caches and napari settings."""
    from napari_her2.settings import reset_settings

    base = tmp_path_factory.mktemp("user")
    monkeypatch.setenv("NAPARI_HER2_DATA", str(base / "data"))
    monkeypatch.setenv("NAPARI_HER2_CACHE", str(base / "cache"))
    monkeypatch.setenv("NAPARI_CONFIG", str(base / "napari.yaml"))
    monkeypatch.setenv("NAPARI_ENSURE_PLUGIN_MAIN_THREAD", "1")
    reset_settings()
    yield
    reset_settings()


def _shared_data() -> Path | None:
    given = os.environ.get("NAPARI_HER2_SHARED_DATA")
    folder = Path(given) if given else REPO.parent / "shared" / "data"
    return folder if folder.is_dir() else None


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real slides; the test is skipped where there is none."""
    folder = _shared_data()
    if folder is None:
        pytest.skip("no shared data: set NAPARI_HER2_SHARED_DATA, or put it at ../shared/data")
    return folder


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The root of the checkout."""
    return REPO
