"""The store: whatever is done to it can be undone; places and counts are always right."""

from __future__ import annotations

import time

import numpy as np
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from made_annotations import NAMES, circles, square

from napari_her2.annotations import places
from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit, add, reclass, remove, replace
from napari_her2.annotations.store import AnnotationStore, Tally
from napari_her2.geometry import Region

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "reclass", "swap", "undo", "redo"]),
        st.integers(0, 1 << 30),
        circles(),
    ),
    max_size=25,
)


def counted(annotations):
    out: dict[str | None, list[float]] = {}
    for a in annotations:
        row = out.setdefault(a.class_name, [0, 0.0, 0])
        row[0] += 1
        row[1] += a.geometry.area
        row[2] += a.geometry.geom_type == "Point"
    return out


def play(store, steps):
    """Do steps, with all states that were passed: undo and redo must lead through them."""
    done, undone = [store.all()], []
    for action, number, shape in steps:
        there = store.all()
        one = there[number % len(there)] if there else None
        if action == "undo":
            assert store.can_undo == (len(done) > 1)
            if store.undo() is not None:
                undone.append(done.pop())
        elif action == "redo":
            assert store.can_redo == bool(undone)
            if store.redo() is not None:
                done.append(undone.pop())
        else:
            name = NAMES[number % len(NAMES)]
            geometry = shape if number % 5 else shape.centroid
            if action == "add" or one is None:
                edit = add([Annotation(geometry=geometry, class_name=name)])
            elif action == "remove":
                edit = remove([one])
            elif action == "reclass":
                edit = reclass([one], name)
            else:
                edit = replace(one, [Annotation(geometry=geometry, id=one.id), square(number % 99)])
            if store.apply(edit) and edit:
                done.append(store.all())
                undone.clear()
        assert store.all() == done[-1]
    return done


@settings(max_examples=40, deadline=None)
@given(STEPS, st.floats(-50, 1100), st.floats(-50, 1100), st.floats(0, 60))
def test_history_leads_back_and_forth_and_places_and_counts_are_right(steps, x, y, near):
    store = AnnotationStore()
    store.hits(0, 0)  # the tree is there before anything changes
    done = play(store, steps)
    there = store.all()
    point = shapely.Point(x, y)
    under = [a for a in reversed(there) if shapely.dwithin(a.geometry, point, near)]
    assert list(store.hits(x, y, near)) == under
    box = shapely.box(x, y, x + 300, y + 200)
    assert list(store.within(Region(x, y, 300, 200))) == [
        a for a in there if a.geometry.intersects(box)
    ]
    truth = counted(there)
    tallies = store.tallies()
    assert set(tallies) == set(truth)
    for name, tally in tallies.items():
        n, area, points = truth[name]
        assert (tally.n, tally.points) == (n, points)
        assert tally.area_px == pytest.approx(area, rel=1e-9, abs=1e-6)
    while store.undo() is not None:
        pass
    assert store.all() == done[0] == ()
    for _ in done[1:]:
        store.redo()
    assert store.all() == done[-1]


def test_places_are_right_when_the_tree_is_planted_anew(monkeypatch):
    monkeypatch.setattr(places, "_CHANGES_BEFORE_A_NEW_TREE", 3)
    store = AnnotationStore([square(20 * i) for i in range(9)])
    for i in range(9):
        assert len(store.hits(20 * i + 5, 5)) == 1
        store.apply(remove(store.hits(20 * i + 5, 5)))
        store.apply(add([square(20 * i, y=100.0)]))
        assert store.hits(20 * i + 5, 5) == ()
        assert len(store.hits(20 * i + 5, 105)) == 1


def test_a_changed_annotation_keeps_its_place_and_one_brought_back_gets_it_again():
    a, b, c = (square(0, n) for n in ("tumour 0", "stroma", "tumour 3+"))
    store = AnnotationStore([a, b, c])
    assert store.hits(5, 5) == (c, b, a)
    store.apply(reclass([b], "tumour 0"))
    assert [x.id for x in store] == [a.id, b.id, c.id]
    store.apply(remove([a]))
    store.undo()
    assert [x.id for x in store] == [a.id, b.id, c.id]
    assert store.rank(c.id) == 2


def test_what_was_really_there_goes_into_the_history():
    a = square(0, note="first")
    store = AnnotationStore([a])
    stale = Annotation(geometry=a.geometry, id=a.id, note="never kept")
    done = store.apply(remove([stale]))
    assert done.removed == (a,)
    store.undo()
    assert store.get(a.id).note == "first"


def test_an_edit_that_does_not_fit_changes_nothing():
    a, b = square(0), square(20)
    store = AnnotationStore([a])
    before = store.revision
    with pytest.raises(KeyError):
        store.apply(remove([b]))
    with pytest.raises(KeyError, match="of this id"):
        store.apply(Edit("twice", added=(a,)))
    assert (store.all(), store.revision, store.can_undo) == ((a,), before, False)
    assert store.find(b.id) is None
    assert a.id in store


def test_an_edit_that_changes_nothing_is_not_kept():
    store = AnnotationStore([square(0)])
    store.apply(Edit("nothing"))
    store.apply(replace(store.all(), store.all()))
    assert not store.can_undo


def test_a_new_edit_ends_what_could_be_redone():
    store = AnnotationStore()
    store.apply(add([square(0)], "Polygon"))
    store.apply(add([square(5)], "Brush"))
    store.undo()
    assert (store.undo_label, store.redo_label) == ("Polygon", "Brush")
    store.apply(add([square(9)], "Wand"))
    assert not store.can_redo
    assert store.history == ("Polygon", "Wand")


def test_listeners_hear_what_was_done_and_can_leave(caplog):
    store, heard = AnnotationStore(), []
    end = store.on_changed(heard.append)
    store.on_changed(lambda _edit: 1 / 0)
    a = square(0)
    store.apply(add([a]))
    store.undo()
    assert [e.added for e in heard] == [(a,), ()]
    assert [e.removed for e in heard] == [(), (a,)]
    assert "a view of the annotations failed" in caplog.text
    end()
    end()
    store.redo()
    assert len(heard) == 2


def test_points_are_counted_one_by_one():
    many = Annotation(geometry=shapely.MultiPoint([(0, 0), (1, 1), (2, 2)]), class_name="x")
    store = AnnotationStore([many, Annotation(geometry=shapely.Point(3, 3), class_name="x")])
    assert store.tallies() == {"x": Tally(2, 0.0, 4)}


def test_a_hundred_thousand_stay_quick():
    rng = np.random.default_rng(0)
    n = 100_000
    centres = rng.uniform(0, 1e5, (n, 1, 2))
    turn = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    rings = centres + 20 * np.stack([np.cos(turn), np.sin(turn)], -1)[None]
    cells = [Annotation(geometry=g, object_type="cell") for g in shapely.polygons(rings)]
    store = AnnotationStore()
    store.apply(add(cells, "Import"))
    store.hits(5, 5)
    edits, hits = [], []
    for i in range(30):
        start = time.perf_counter()
        store.apply(add([square(i)]))
        middle = time.perf_counter()
        store.hits(i + 5, 5, 3)
        edits.append(middle - start)
        hits.append(time.perf_counter() - middle)
    assert np.median(edits) < 0.005
    assert np.median(hits) < 0.002
    for _ in range(31):
        store.undo()
    assert len(store) == 0
    assert store.tallies() == {}
