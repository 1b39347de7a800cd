"""Where annotations are kept: a folder of its own for each slide, whatever it is called."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from made_annotations import square

from napari_her2.annotations.areas import area_mm2
from napari_her2.annotations.book import open_book, read_book
from napari_her2.annotations.edits import add
from napari_her2.annotations.folders import default_folder, folder_beside
from napari_her2.annotations.kept import stored_annotations
from napari_her2.annotations.recovery import clock_text
from napari_her2.errors import BadAnnotationsError
from napari_her2.settings import get_settings, reset_settings


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("NAPARI_HER2_DATA", str(tmp_path))
    reset_settings()
    yield get_settings().data_dir / "annotations"
    reset_settings()


def identity(name, size=(100, 80), quickhash=None):
    return {"slide_id": name, "width": size[0], "height": size[1], "quickhash": quickhash}


def draw(name, size=(100, 80)):
    with open_book(name, size, (0.5, 0.25)) as book:
        book.apply(add([square(0, note=f"{name} {size}")]))
        return book.folder


def test_slides_of_one_name_get_folders_of_their_own(data):
    assert draw("CMU-1") == data / "CMU-1"
    assert draw("CMU-1", (7, 7)) == data / "CMU-1~2"
    assert default_folder(identity("CMU-1")) == data / "CMU-1"
    assert default_folder(identity("CMU-1", (9, 9))) == data / "CMU-1~3"
    with open_book("CMU-1", (7, 7)) as book:
        assert [a.note for a in book.store] == ["CMU-1 (7, 7)"]


def test_a_namesake_with_other_pixels_is_said_and_never_shown(data):
    with open_book("1", (100, 80), quickhash="aa") as book:
        book.apply(add([square(0)]))
        first = book.folder
    with open_book("1", (100, 80), quickhash="bb") as book:
        assert len(book.store) == 0
        (note,) = book.notes
        assert str(first) in note
        book.apply(add([square(9)]))
    with open_book("1", (100, 80), quickhash="bb") as book:
        assert (book.notes, len(book.store)) == ([], 1)
    with pytest.raises(BadAnnotationsError, match="other pixels"):
        open_book("1", (100, 80), None, first, quickhash="bb")


@pytest.mark.parametrize("name", ["..", "a/b", "C:\\x", "con", "", "x" * 500, " .hidden", "LPT1.x"])
def test_no_name_leads_outside_or_to_a_device(data, name):
    folder = default_folder(identity(name))
    assert folder.parent == data
    assert folder.name not in {"", ".", "..", "con"}
    assert len(folder.name) <= 130
    with open_book(name, (100, 80)) as book:
        book.apply(add([square(0)]))
    assert folder.is_dir()


def test_the_folder_beside_a_slide():
    assert folder_beside(Path("slides/CMU-1.svs")) == Path("slides/CMU-1.svs.annotations")


def test_annotations_are_read_without_being_opened(data):
    folder = draw("CMU-1")
    found, annotations = stored_annotations(folder)
    assert found == {**identity("CMU-1"), "mpp": [0.5, 0.25]}
    assert read_book(folder) == annotations
    book = open_book("CMU-1", (100, 80))
    book.apply(add([square(50)]))
    assert len(read_book(folder)) == 2
    for path in folder.glob("snapshot-*"):
        path.unlink()
    assert stored_annotations(folder)[0] == found
    assert len(read_book(folder)) == 2
    book.close()
    with pytest.raises(BadAnnotationsError, match="it holds none"):
        read_book(data)


def test_times_are_told_with_the_day_unless_it_is_today():
    today = dt.datetime.now().astimezone().replace(hour=14, minute=2, second=31)
    assert clock_text(today.isoformat()) == "14:02"
    assert clock_text(today.isoformat(), seconds=True) == "14:02:31"
    assert clock_text("2001-05-06T07:08:09+00:00") == "2001-05-06 07:08"
    assert clock_text("whenever") == "whenever"


def test_areas_in_square_millimetres():
    assert area_mm2(4e6, 0.5) == pytest.approx(1.0)
    assert area_mm2(4e6, (0.5, 0.25)) == pytest.approx(0.5)
    assert area_mm2(4e6, None) is None
