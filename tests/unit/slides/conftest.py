"""Slides made once for all tests of this part."""

from __future__ import annotations

from pathlib import Path

import made_slides as made
import numpy as np
import pytest


@pytest.fixture(scope="session")
def image() -> np.ndarray:
    """1201 x 901 px: odd sides, so that no level is an exact fraction."""
    return made.picture(901, 1201, seed=1)


@pytest.fixture(scope="session")
def aperio_made(tmp_path_factory: pytest.TempPathFactory, image: np.ndarray) -> Path:
    """An Aperio-like slide under a name that is not ASCII; not to be changed."""
    folder = tmp_path_factory.mktemp("Präparate été 標本")
    return made.write_aperio(folder / "Fall_Ärztin 標本.svs", image)


@pytest.fixture
def aperio(tmp_path: Path, aperio_made: Path) -> Path:
    """A copy to damage."""
    path = tmp_path / "slide.svs"
    path.write_bytes(aperio_made.read_bytes())
    return path
