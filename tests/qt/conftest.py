"""Docks on a viewer model: no graphics needed, only Qt."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QLocale


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dialogs on their own and no animation."""
    QLocale.setDefault(QLocale("en_US"))
    monkeypatch.setenv("NAPARI_HER2_ACCEPT_NOTICE", "1")
    monkeypatch.setenv("NAPARI_HER2_REDUCED_MOTION", "1")


@pytest.fixture(scope="session")
def slide_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from made_windows import made_slide

    return made_slide(tmp_path_factory.mktemp("made")).read_bytes()


@pytest.fixture
def slide_path(tmp_path: Path, slide_bytes: bytes) -> Path:
    path = tmp_path / "Fall ä 1.tif"
    path.write_bytes(slide_bytes)
    return path


@pytest.fixture
def desk(qtbot: Any, slide_path: Path) -> Iterator[Any]:
    """A window with one slide and both docks."""
    from made_windows import Desk, trio

    d = Desk(qtbot, trio())
    d.open(slide_path)
    yield d
    d.close()
