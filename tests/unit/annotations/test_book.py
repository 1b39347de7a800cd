"""Annotations as they are kept: saved at each action, found again, undone, never overwritten."""

from __future__ import annotations

import datetime as dt

import numpy as np
import pytest
import shapely

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.book import open_book
from napari_her2.annotations.edits import add, reclass, remove
from napari_her2.errors import AnnotationsBusyError, BadAnnotationsError

SIZE = (46000, 32914)


def now():
    return dt.datetime(2026, 3, 1, 14, 2, 31, tzinfo=dt.UTC)


def square(x, name="tumour 3+", **more):
    return Annotation(geometry=shapely.box(x, 0, x + 10, 10), class_name=name, **more)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "CMU-1"


def opened(folder, **more):
    more = {"slide_id": "CMU-1", "slide_size": SIZE, "author": "R1", "now": now} | more
    return open_book(mpp=0.5, folder=folder, **more)


def crash(book):
    """What a kill leaves: files as they are, no claim that counts."""
    book._ledger._let_go()
    book._ledger._claim.release()


def test_what_was_drawn_is_there_again_with_its_history(folder):
    with opened(folder) as book:
        a, b = book.stamp(square(0, note="edge")), book.stamp(square(20))
        book.apply(add([a], "Polygon"))
        book.apply(add([b], "Polygon"))
        book.apply(reclass([a], "tumour 2+", modified=book.now()))
        book.undo()
        assert book.state == "saved"
    with opened(folder) as book:
        assert book.recovered is None
        assert list(book.store) == [a, b]
        assert (a.author, a.created) == ("R1", "2026-03-01T14:02:31+00:00")
        assert book.store.history == ("Polygon", "Polygon")
        book.redo()
        assert book.store.get(a.id).class_name == "tumour 2+"
        for _ in range(3):
            book.undo()
        assert len(book.store) == 0
        assert not book.store.can_undo
    with opened(folder) as book:
        for _ in range(2):
            book.redo()
        assert list(book.store) == [a, b]


def test_an_untouched_book_leaves_nothing_behind(folder):
    opened(folder).close()
    assert not folder.exists()


def test_after_a_crash_all_is_there_and_said(folder):
    book = opened(folder)
    a, b = square(0), square(20)
    book.apply(add([a]))
    book.snapshot()
    book.apply(add([b]))
    crash(book)
    with opened(folder) as again:
        assert again.recovered.n == 1
        assert again.recovered.latest == "2026-03-01T14:02:31+00:00"
        assert "1 edits were recovered" in again.recovered.sentence
        assert list(again.store) == [a, b]
        again.recovered.keep()
        assert again.recovered is None
    assert opened(folder).recovered is None


def test_discarded_edits_can_be_brought_back_and_are_kept_aside(folder):
    book = opened(folder)
    a, b, c = square(0), square(20), square(40)
    book.apply(add([a, b]))
    book.snapshot()
    book.apply(remove([a]))
    book.apply(reclass([b], "tumour 0"))
    book.apply(add([c]))
    crash(book)
    with opened(folder) as again:
        assert again.recovered.n == 3
        again.recovered.discard()
        assert list(again.store) == [a, b]
        again.undo()
        assert [x.class_name for x in again.store] == ["tumour 0", "tumour 3+"]
        again.redo()
    assert len(list(folder.glob("discarded-*.bin"))) == 1
    with opened(folder) as again:
        assert again.recovered is None
        assert list(again.store) == [a, b]


def test_a_second_window_is_read_only_until_the_first_is_closed(folder):
    first = opened(folder)
    a = square(0)
    first.apply(add([a]))
    second = opened(folder)
    assert "Labels of CMU-1 are open in another window since" in second.read_only
    assert second.recovered is None
    assert list(second.store) == [a]
    with pytest.raises(AnnotationsBusyError):
        second.store.apply(add([square(20)]))
    assert list(second.store) == [a]
    second.close()
    first.apply(add([square(30)]))
    first.close()
    with opened(folder) as third:
        assert third.read_only is None
        assert len(third.store) == 2


def test_annotations_of_another_slide_are_refused(folder):
    with opened(folder) as book:
        book.apply(add([square(0)]))
    with pytest.raises(BadAnnotationsError, match="46,000 x 32,914") as e:
        opened(folder, slide_size=(97792, 65536))
    assert e.value.message_id == "foreign_ann"
    with pytest.raises(BadAnnotationsError) as e:
        opened(folder, slide_id="CMU-2")
    assert e.value.message_id == "foreign_ann_name"
    opened(folder).close()


def test_numbers_of_numpy_are_kept_and_what_no_file_can_hold_changes_nothing(folder):
    measured = {"DAB": np.float32(0.25), "n": np.int64(3)}
    with opened(folder) as book:
        book.apply(add([square(0, measurements=measured)]))
        with pytest.raises(TypeError, match="not a JSON value"):
            book.apply(add([square(20, properties={"x": object()})]))
        assert len(book.store) == 1
        assert book.store.history == ("Add",)
    with opened(folder) as book:
        assert dict(book.store.all()[0].measurements) == {"DAB": 0.25, "n": 3}
