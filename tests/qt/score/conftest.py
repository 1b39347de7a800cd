"""The Score dock over the real pipeline with made cells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture(scope="session")
def ihc_bytes(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from made_scores import write_ihc

    return write_ihc(tmp_path_factory.mktemp("made") / "ihc.tif").read_bytes()


@pytest.fixture
def ihc_path(tmp_path: Path, ihc_bytes: bytes) -> Path:
    path = tmp_path / "Fall ö 2.tif"
    path.write_bytes(ihc_bytes)
    return path


@pytest.fixture
def score_desk(qtbot: Any, ihc_path: Path) -> Iterator[Any]:
    """A window with a stained slide and all docks."""
    from made_scores import ScoreDesk

    desk = ScoreDesk(qtbot)
    desk.open(ihc_path)
    yield desk
    desk.close()
