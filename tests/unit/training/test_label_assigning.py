"""Which region labels which cell and tile."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from drawn_slides import TWO, box

from napari_her2.annotations.annotation import Annotation
from napari_her2.errors import UsageError
from napari_her2.training.assigning import assign_boxes, assign_cells
from napari_her2.training.label_regions import LabelMark, annotations_digest, sort_annotations
from napari_her2.training.label_rules import LabelRules, SplitRule, biomarker_classes
from napari_her2.training.propagated import blocks_by_carrying

CLASSES = ("ring", "bare")


def sorted_out(*annotations, rules=None, classes=CLASSES):
    return sort_annotations(annotations, TWO, classes, rules or LabelRules())


def regions(*annotations, **options):
    return sorted_out(*annotations, **options).regions


def cells(points, drawn, marks=(), reach=(5.0, 5.0)):
    xy = np.array(points, np.float64)
    return assign_cells(xy[:, 0], xy[:, 1], drawn, marks, reach)


def test_a_cell_gets_the_class_of_the_region_its_centre_is_in():
    drawn = regions(box("ring", 0, 0, 10, 10, id="a", author="R1"), box("bare", 20, 0, 30, 10))
    got = cells([(5, 5), (25, 5), (15, 5)], drawn)
    assert got.label.tolist() == [0, 1, -1]
    assert got.region[0] == "a"
    assert got.author[0] == "R1"
    assert got.source.tolist() == ["region", "region", ""]
    assert not got.conflicts


def test_a_cell_in_the_hole_of_a_region_is_not_in_it():
    ring = shapely.Polygon(
        [(0, 0), (30, 0), (30, 30), (0, 30)], [[(10, 10), (20, 10), (20, 20), (10, 20)]]
    )
    got = cells([(15, 15), (5, 5)], regions(Annotation(geometry=ring, class_name="ring")))
    assert got.label.tolist() == [-1, 0]


def test_two_regions_of_one_class_count_a_cell_once():
    drawn = regions(box("ring", 0, 0, 10, 10, id="b"), box("ring", 2, 2, 12, 12, id="a"))
    got = cells([(5, 5)], drawn)
    assert got.label.tolist() == [0]
    assert got.region[0] == "a"
    assert not got.conflicts


def test_a_cell_in_regions_of_two_classes_is_listed_with_both_and_has_no_label():
    drawn = regions(box("ring", 0, 0, 10, 10, id="z"), box("bare", 5, 0, 15, 10, id="a"))
    got = cells([(7, 5), (2, 5)], drawn)
    assert got.label.tolist() == [-2, 0]
    [conflict] = got.conflicts
    assert (conflict.x_px, conflict.y_px) == (7, 5)
    assert conflict.regions == ("a", "z")
    assert conflict.labels == (1, 0)


def test_a_point_wins_over_a_region_and_a_correction_over_both():
    drawn = regions(box("ring", 0, 0, 100, 10))
    point = LabelMark("p", 11, 5, 1)
    corrected = LabelMark("c", 50.2, 5, 1, rank=2), LabelMark("q", 51, 5, 0)
    got = cells([(10, 5), (50, 5), (80, 5)], drawn, [point, *corrected])
    assert got.label.tolist() == [1, 1, 0]
    assert got.source.tolist() == ["point", "correction", "region"]


def test_points_that_disagree_are_a_conflict_and_far_ones_are_counted():
    marks = [LabelMark("p", 10, 5, 1), LabelMark("q", 11, 5, 0), LabelMark("far", 40, 5, 0)]
    got = cells([(10, 5)], [], marks)
    assert got.label.tolist() == [-2]
    assert got.conflicts[0].regions == ("p", "q")
    assert got.unmatched == 1


def test_a_point_labels_the_nearest_cell_only():
    got = cells([(10, 5), (13, 5)], [], [LabelMark("p", 12, 5, 1)])
    assert got.label.tolist() == [-1, 1]


def test_reach_is_measured_along_each_axis():
    mark = LabelMark("p", 10, 9, 1)
    assert cells([(10, 5)], [], [mark], (2.0, 5.0)).label.tolist() == [1]
    assert cells([(10, 5)], [], [mark], (5.0, 2.0)).label.tolist() == [-1]


@pytest.mark.parametrize(("inside", "expected"), [(0.5, [0, 0, -1]), (0.7, [0, -1, -1]),
                                                  (1.0, [0, -1, -1])])  # fmt: skip
def test_a_tile_needs_its_share_inside(inside, expected):
    boxes = np.array([[0, 0, 10, 10], [35, 0, 45, 10], [36, 0, 46, 10]], float)
    got = assign_boxes(boxes, regions(box("ring", 0, 0, 40, 10)), inside, 0.1)
    assert got.label.tolist() == expected


def test_regions_of_one_class_share_a_tile_and_overlap_counts_once():
    drawn = regions(box("ring", 0, 0, 4, 10, id="b"), box("ring", 3, 0, 10, 10, id="a"))
    got = assign_boxes(np.array([[0, 0, 10, 10]], float), drawn, 1.0, 0.0)
    assert got.label.tolist() == [0]
    assert got.inside[0] == pytest.approx(1.0)
    assert got.region[0] == "a"


def test_a_tile_with_too_much_of_another_class_is_a_conflict():
    drawn = regions(box("ring", 0, 0, 8, 10, id="b"), box("bare", 8, 0, 20, 10, id="a"))
    tiles = np.array([[0, 0, 10, 10], [-1, 0, 9, 10]], float)
    got = assign_boxes(tiles, drawn, 0.5, 0.1)
    assert got.label.tolist() == [-2, 0]
    assert got.conflicts[0].regions == ("a", "b")
    assert assign_boxes(tiles, drawn, 0.5, 0.2).label.tolist() == [0, 0]


def test_what_is_carried_over_is_marked_unless_drawn_here_too():
    carried = box("ring", 0, 0, 10, 10, id="a", propagated_from="other")
    own = box("ring", 0, 0, 5, 10, id="b")
    got = cells([(2, 5), (7, 5)], regions(carried, own))
    assert got.propagated.tolist() == [False, True]
    tiles = np.array([[0, 0, 5, 10], [3, 0, 9, 10]], float)
    assert assign_boxes(tiles, regions(carried, own), 0.5, 0.1).propagated.tolist() == [
        False, True,
    ]  # fmt: skip
    left = sorted_out(carried, own, rules=LabelRules(propagated="leave_out"))
    assert [r.id for r in left.regions] == ["b"]
    assert left.skipped["carried over from another section"] == 1


@pytest.mark.filterwarnings("ignore:invalid value encountered")
def test_what_labels_nothing_is_counted_by_reason():
    bow = shapely.Polygon([(0, 0), (10, 10), (10, 0), (0, 10)])
    flat = shapely.Polygon([(0, 0), (5, 0), (10, 0)])
    bad = shapely.Polygon([(0, 0), (math.nan, 0), (1, 1)])
    got = sorted_out(
        Annotation(geometry=bow, class_name="ring"),
        Annotation(geometry=flat, class_name="ring"),
        Annotation(geometry=bad, class_name="ring"),
        Annotation(geometry=shapely.LineString([(0, 0), (1, 1)]), class_name="ring"),
        box(None, 0, 0, 1, 1),
        box("Nerve", 0, 0, 1, 1),
        box("bare", 0, 0, 1, 1),
        box("ring", 0, 0, 1, 1, id="no"),
        classes=("ring",),
        rules=LabelRules(left_out=("no",)),
    )
    assert len(got.regions) == 1
    assert got.regions[0].geometry.is_valid
    assert got.regions[0].geometry.area == pytest.approx(50)
    assert got.unknown == {"Nerve": 1}
    assert got.skipped == {
        "outline without an area": 1, "coordinates that are no numbers": 1, "no class": 1,
        "a line labels nothing": 1, "class switched off: bare": 1, "left out by choice": 1,
    }  # fmt: skip


def test_points_and_cell_outlines_become_marks_and_qupath_names_are_known():
    cell = box("Ring: yes", 4, 4, 8, 8, object_type="detection")
    dots = Annotation(geometry=shapely.MultiPoint([(1, 2), (3, 4)]), class_name="bare")
    got = sorted_out(cell, dots, box("ring", 0, 0, 9, 9, locked=True))
    assert sorted((m.x_px, m.y_px, m.label) for m in got.marks) == [(1, 2, 1), (3, 4, 1), (6, 6, 0)]
    assert len(got.regions) == 1


def test_the_digest_tells_changed_annotations_and_not_their_order():
    a, b = box("ring", 0, 0, 1, 1, id="a"), box("bare", 0, 0, 1, 1, id="b")
    assert annotations_digest([a, b]) == annotations_digest([b, a])
    others = [box("bare", 0, 0, 1, 1, id="a"), box("ring", 0, 0, 1, 1.001, id="a"),
              box("ring", 0, 0, 1, 1, id="a", propagated_from="x")]  # fmt: skip
    assert len({annotations_digest([x, b]) for x in [a, *others]}) == 4


def test_rules_that_make_no_sense_are_refused_in_a_sentence():
    for options in ({"inside": 0}, {"inside": 1.5}, {"other": -1}, {"max_per_class": 0}):
        with pytest.raises(UsageError, match="give"):
            LabelRules(**options)
    with pytest.raises(UsageError, match="nothing to learn from"):
        SplitRule(tune=0.5, test=0.5)


def test_a_biomarker_has_three_classes():
    assert biomarker_classes("PR") == ("PR+", "PR-", "non-tumour")


def test_many_tiles_get_what_each_gets_by_itself():
    rng = np.random.default_rng(0)
    drawn = regions(*(
        Annotation(geometry=shapely.Point(*rng.uniform(0, 100, 2)).buffer(rng.uniform(5, 30)),
                   class_name="ring" if i % 2 else "bare", id=f"{i}",
                   propagated_from="x" if i % 5 == 0 else None)
        for i in range(12)
    ))  # fmt: skip
    corner = rng.uniform(-10, 100, (300, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(2, 12, (300, 1))], axis=1)
    together = assign_boxes(boxes, drawn, 0.5, 0.1)
    assert {-2, -1, 0, 1} == set(together.label.tolist())
    for i, square in enumerate(boxes):
        shape = shapely.box(*square)
        share = [
            shapely.intersection(
                shape, shapely.union_all([r.geometry for r in drawn if r.label == k])
            ).area / shape.area
            for k in (0, 1)
        ]  # fmt: skip
        best = int(np.argmax(share))
        expected = -1 if share[best] < 0.5 else -2 if share[1 - best] > 0.1 else best
        assert together.label[i] == expected
        if expected >= 0:
            assert together.inside[i] == pytest.approx(share[best], abs=1e-6)


def test_slides_that_share_labels_are_sections_of_one_block():
    names = {k: (f"S{k}", f"S{k}.svs") for k in "1234567"}
    carried = {"2": ["S1.svs"], "3": ["/some/where/s2.svs"], "4": ["gone.svs"], "5": ["gone"]}
    found = blocks_by_carrying(names, carried, {"6": "B6"})
    assert found["1"] == found["2"] == found["3"] == "block of S1"
    assert found["4"] == found["5"] == "block of S4"
    assert (found["6"], found["7"]) == ("B6", "")
    dotted = {k: (f"case.{k}", f"case.{k}.ome.tif") for k in "abc"}
    assert blocks_by_carrying(dotted, {"a": [r"D:\\case.b.ome.tif"]}, {}) == {
        "a": "block of case.a", "b": "block of case.a", "c": "",
    }  # fmt: skip
    given = blocks_by_carrying(names, {"2": ["S1"], "7": ["S6"]}, {"1": "X", "6": "Y", "7": "Z"})
    assert given["2"] == given["1"] == "X"
    assert (given["6"], given["7"]) == ("Y", "Z")
