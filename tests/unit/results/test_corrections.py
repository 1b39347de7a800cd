"""Corrected cells are on the disk at once, come back after a crash, and never meet another run."""

from __future__ import annotations

import datetime as dt
import json

import numpy as np
import pytest

from napari_her2.errors import CannotWriteError, RunDamagedError
from napari_her2.results.corrections import CorrectionsFile, cells_digest

WHO = {"run": "r1", "slide": "s1", "cells": "3-0a", "classes": ["tumour 0", "tumour 1+"]}


def clock():
    return dt.datetime(2026, 11, 20, 14, 2, 31, tzinfo=dt.UTC)


def opened(folder, author="AB", **changed):
    return CorrectionsFile(folder, {**WHO, **changed}, author, clock)


def test_a_correction_is_on_the_disk_when_the_call_returns(tmp_path):
    file = opened(tmp_path)
    assert not file.path.exists()
    file.set(10.5, 20.25, "tumour 0", "tumour 1+")
    header, line = (json.loads(x) for x in file.path.read_text().splitlines())
    assert header == {"schema": 1, **WHO}
    assert line == {
        "action": "set", "x_px": 10.5, "y_px": 20.25, "from": "tumour 0", "to": "tumour 1+",
        "author": "AB", "time": "2026-11-20T14:02:31+00:00",
    }  # fmt: skip


def test_undo_and_redo_outlive_the_window(tmp_path):
    file = opened(tmp_path)
    file.set(1, 1, "tumour 0", "tumour 1+")
    file.set(2, 2, "tumour 1+", "tumour 0")
    assert file.undo().x_px == 2
    again = opened(tmp_path)
    assert again.can_undo
    assert again.can_redo
    assert [c.x_px for c in again.labels()] == [1]
    assert again.redo().x_px == 2
    assert [c.x_px for c in opened(tmp_path).labels()] == [1, 2]
    again.undo()
    again.undo()
    assert again.undo() is None
    assert len(opened(tmp_path)) == 0
    again.set(3, 3, "tumour 0", "tumour 1+")
    assert again.redo() is None


def test_labels_tell_the_first_class_and_the_last(tmp_path):
    file = opened(tmp_path)
    file.set(1, 1, "tumour 0", "tumour 1+")
    file.set(1, 1, "tumour 1+", "tumour 2+")
    file.set(5, 5, "stroma", "immune")
    file.set(5, 5, "immune", "stroma")
    assert [(c.was, c.now) for c in file.labels()] == [("tumour 0", "tumour 2+")]


def test_half_a_line_at_the_end_is_cut_off(tmp_path):
    file = opened(tmp_path)
    file.set(1, 1, "tumour 0", "tumour 1+")
    whole = file.path.read_bytes()
    for torn in (b'{"action": "se', b'{"action": "undo"}'):
        file.path.write_bytes(whole + torn)
        again = opened(tmp_path)
        assert [c.x_px for c in again.labels()] == [1]
        again.set(2, 2, "tumour 0", "tumour 1+")
        assert [c.x_px for c in opened(tmp_path).labels()] == [1, 2]
        again.undo()


@pytest.mark.parametrize("changed", [{"cells": "3-0b"}, {"run": "r2"}, {"slide": "s2"},
                                     {"classes": ["tumour 0"]}])  # fmt: skip
def test_corrections_of_another_run_are_refused_and_left_alone(tmp_path, changed):
    file = opened(tmp_path)
    file.set(1, 1, "tumour 0", "tumour 1+")
    before = file.path.read_bytes()
    with pytest.raises(RunDamagedError) as caught:
        opened(tmp_path, **changed)
    assert caught.value.message_id == "foreign_corrections"
    assert file.path.read_bytes() == before


def test_a_line_that_makes_no_sense_is_told_not_guessed(tmp_path):
    file = opened(tmp_path)
    file.set(1, 1, "tumour 0", "tumour 1+")
    for line in ('{"action": "redo"}', '{"action": "set"}', "nonsense"):
        text = file.path.read_text()
        file.path.write_text(text + line + "\n")
        with pytest.raises(RunDamagedError, match="line 3"):
            opened(tmp_path)
        file.path.write_text(text)


def test_a_second_window_does_not_write_over_the_first(tmp_path):
    one = opened(tmp_path)
    one.set(1, 1, "tumour 0", "tumour 1+")
    two = opened(tmp_path, author="CD")
    two.set(2, 2, "tumour 0", "tumour 1+")
    with pytest.raises(CannotWriteError) as caught:
        one.set(3, 3, "tumour 0", "tumour 1+")
    assert caught.value.message_id == "corrections_elsewhere"
    assert [c.x_px for c in one.labels()] == [1]
    assert [(c.x_px, c.author) for c in opened(tmp_path).labels()] == [(1, "AB"), (2, "CD")]


def test_what_could_not_be_written_was_not_corrected(tmp_path, monkeypatch):
    file = opened(tmp_path)
    file.set(1, 1, "tumour 0", "tumour 1+")
    before = file.path.read_bytes()

    def full(_fd):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("napari_her2.results.corrections.os.fsync", full)
    with pytest.raises(CannotWriteError):
        file.set(2, 2, "tumour 0", "tumour 1+")
    with pytest.raises(CannotWriteError):
        file.undo()
    monkeypatch.undo()
    assert file.path.read_bytes() == before
    assert [c.x_px for c in file.labels()] == [1]


def test_the_digest_of_cells_knows_their_places_but_not_their_order():
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 1e5, (2, 1000))
    order = rng.permutation(1000)
    one = cells_digest(x, y)
    assert cells_digest(x[order], y[order]) == one
    assert cells_digest(x.astype(np.float32), y.astype(np.float32)) == one
    assert cells_digest(y, x) != one
    moved = x.copy()
    moved[3] += 0.1
    assert cells_digest(moved, y) != one
    swapped = y.copy()
    swapped[[0, 1]] = y[[1, 0]]
    assert cells_digest(x, swapped) != one
    assert cells_digest(x[:-1], y[:-1]) != one
    assert cells_digest([], []) == "0-" + 16 * "0"
