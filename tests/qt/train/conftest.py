"""The Train dock over a training that takes no time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def train_desk(qtbot: Any) -> Iterator[Any]:
    """A window with a label set and the Train dock."""
    from made_training import TrainDesk, made_set

    made_set()
    desk = TrainDesk(qtbot)
    desk.ready()
    yield desk
    desk.close()
