"""A real window under a display; few tests, because each costs a second or more."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from qtpy.QtCore import QLocale


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all of these, and skip them where there is no display."""
    here = Path(__file__).parent
    blind = sys.platform.startswith("linux") and not os.environ.get("DISPLAY")
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.viewer)
            if blind:
                item.add_marker(pytest.mark.skip(reason="no display: run under xvfb-run"))


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """No dialogs on their own and no animation."""
    QLocale.setDefault(QLocale("en_US"))
    monkeypatch.setenv("NAPARI_HER2_ACCEPT_NOTICE", "1")
    monkeypatch.setenv("NAPARI_HER2_REDUCED_MOTION", "1")


@pytest.fixture
def slide_path(tmp_path: Path) -> Path:
    from made_windows import made_slide

    return made_slide(tmp_path)


@pytest.fixture
def real_desk(make_napari_viewer: Callable[..., Any]) -> Iterator[Callable[..., Any]]:
    """Makes a real viewer with both docks on fake models."""
    from made_windows import RealDesk, trio

    desks: list[RealDesk] = []

    def make(*, pause: float = 0.0) -> RealDesk:
        desk = RealDesk(make_napari_viewer(show=True), trio(pause=pause))
        desks.append(desk)
        return desk

    yield make
    for desk in desks:
        desk.session.close()
    # pytest keeps the factory; it must not keep the windows, whose leaks are looked for next.
    desks.clear()
