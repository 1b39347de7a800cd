"""Drawing, and kill -9 at any moment: at most the last action is lost, and that is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from napari_her2.annotations.book import open_book

SUPPORT = Path(__file__).parents[1] / "support"


def draw_and_die(folder: Path, actions: int, more_seconds: float) -> int:
    """Kill a drawing program; how many actions it said it had done."""
    with subprocess.Popen(
        [sys.executable, str(SUPPORT / "annotate_once.py"), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": str(SUPPORT)},
    ) as victim:
        assert victim.stdout is not None
        said = [victim.stdout.readline() for _ in range(actions)]
        second = open_book("CMU-1", (46000, 32914), 0.5, folder, author="R2")
        assert "open in another window since" in (second.read_only or "")
        time.sleep(more_seconds)
        os.kill(victim.pid, signal.SIGKILL)
        said += victim.stdout.readlines()
    return int([s for s in said if s.endswith("\n")][-1])


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL")
def test_kill_9_while_drawing_loses_at_most_the_last_action(tmp_path):
    folder = tmp_path / "CMU-1"
    for attempt, seconds in enumerate((0.0, 0.0313, 0.0077)):
        done = draw_and_die(folder, 5, seconds)
        # What was said to be done is there; one more may have been on its way.
        book = open_book("CMU-1", (46000, 32914), 0.5, folder, author="R2")
        assert book.read_only is None
        assert done <= len(book.store) <= done + 1
        assert [a.note for a in book.store] == [f"stroke {n}" for n in range(len(book.store))]
        assert [a.geometry.bounds[0] for a in book.store] == [
            20.0 * n for n in range(len(book.store))
        ]
        assert book.recovered is not None
        there = len(book.store)
        assert book.recovered.n == there
        # The next session must not depend on this one having been closed.
        if attempt < 2:
            book._ledger._claim.release()
    for _ in range(there):
        book.undo()
    assert len(book.store) == 0
    rows = book.audit()
    assert all(r.follows for r in rows)
    assert [r.action for r in rows] == ["edit"] * there + ["undo"] * there
    book.close()
