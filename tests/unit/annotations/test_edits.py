"""Edits: every one can be taken back, and written down to the last bit."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from made_annotations import annotations, square

from napari_her2.annotations.edits import (
    Edit,
    add,
    lock,
    note,
    reclass,
    remove,
    rename,
    replace,
)
from napari_her2.annotations.journal import pack_edit, unpack_edit


def same(a, b):
    """Equal in every bit: NaN equals NaN, and coordinates are compared as they are stored."""
    for f in fields(a):
        mine, its = getattr(a, f.name), getattr(b, f.name)
        if isinstance(mine, shapely.geometry.base.BaseGeometry):
            assert shapely.to_wkb(mine) == shapely.to_wkb(its)
        elif f.name in {"measurements", "properties"}:
            assert repr(dict(mine)) == repr(dict(its))
        else:
            assert mine == its, f.name


@settings(max_examples=60, deadline=None)
@given(st.lists(annotations(), max_size=4), st.lists(annotations(), max_size=3))
def test_an_edit_written_down_is_the_same_edit(removed, added):
    edit = Edit("Polygon", tuple(removed), tuple(added))
    spelled = Edit.from_json(json.loads(json.dumps(edit.to_json())))
    packed = unpack_edit(edit.label, pack_edit(edit))
    for again in (spelled, packed):
        assert again.label == edit.label
        for mine, its in ((edit.removed, again.removed), (edit.added, again.added)):
            assert len(mine) == len(its)
            for a, b in zip(mine, its, strict=True):
                same(a, b)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_packed_edit_that_was_changed_is_an_edit_or_refused(data):
    body = bytearray(pack_edit(add([square(0, note="x", id="a"), square(5, id="b")])))
    for _ in range(data.draw(st.integers(1, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        edit = unpack_edit("x", bytes(body))
    except ValueError:
        # Refused: the journal leaves it out and says so.
        return
    # What is not refused is an edit like any other: it can be turned round and written down.
    assert edit.label == "x"
    assert len(unpack_edit("x", pack_edit(edit.inverse())).added) == len(edit.removed)


def test_the_inverse_of_the_inverse_is_the_edit():
    edit = replace(square(0), [square(0), square(5)], "Split")
    assert edit.inverse().inverse() == edit
    assert edit.inverse().removed == edit.added


def test_changes_leave_out_what_is_so_already():
    a, b = square(0, "stroma", class_colour=(1, 2, 3)), square(20, "tumour 0")
    edit = reclass([a, b], "tumour 0", modified="2026-01-01T00:00:00+00:00")
    assert [x.id for x in edit.removed] == [a.id]
    (changed,) = edit.added
    assert (changed.class_name, changed.class_colour, changed.id) == ("tumour 0", None, a.id)
    assert changed.modified == "2026-01-01T00:00:00+00:00"
    assert not reclass([b], "tumour 0")
    assert lock([a]).added[0].locked
    assert not lock([a], locked=False)
    assert note([a], "edge").added[0].note == "edge"
    assert rename([a], "Region 1").added[0].name == "Region 1"
    assert add([a]).added == remove([a]).removed == (a,)


def test_classes_and_ids_that_an_edit_touches():
    a = square(0, "stroma")
    edit = reclass([a], None)
    assert edit.classes == {"stroma", None}
    assert edit.ids == {a.id}


def test_one_annotation_twice_is_a_mistake():
    a = square(0)
    with pytest.raises(ValueError, match="twice"):
        add([a, a])


@pytest.mark.parametrize(
    "document",
    [
        None,
        {},
        {"label": "x", "removed": [], "added": [{}]},
        {"label": "x", "removed": [], "added": [{"id": "1", "wkb": "AAAA"}]},
        {"label": "x", "removed": [], "added": [{"id": "1", "wkb": 5}]},
        {"label": "x", "removed": [], "added": [{"id": "1", "wkb": "é"}]},
        {"label": "x", "removed": 1, "added": []},
    ],
)
def test_what_is_no_edit_is_refused(document):
    with pytest.raises(ValueError, match="not"):
        Edit.from_json(document)
