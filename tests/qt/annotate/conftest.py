"""The Annotate dock on a viewer model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def labels_desk(qtbot: Any, slide_path: Any) -> Iterator[Any]:
    from made_labels import LabelDesk

    desk = LabelDesk(qtbot, slide_path)
    yield desk
    desk.close()
