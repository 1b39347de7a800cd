"""ImageScope's and ASAP's XML."""

from __future__ import annotations

import pytest
import shapely
from drawn_objects import every_kind, same_shape

from napari_her2.annotations.interchange import read_annotations, write_annotations
from napari_her2.errors import BadAnnotationsError

LAYER = """<Annotations MicronsPerPixel="0.252000">
<Annotation Id="1" Name="{name}" LineColor="65280" Type="4"><Attributes>{attributes}</Attributes>
<Regions>{regions}</Regions></Annotation></Annotations>"""


def region(number, corners, kind="0", *, negative="0", within="0", text=""):
    vertices = "".join(f'<Vertex X="{x}" Y="{y}" Z="0"/>' for x, y in corners)
    return (
        f'<Region Id="{number}" Type="{kind}" Text="{text}" NegativeROA="{negative}" '
        f'InputRegionId="{within}" Zoom="0.5"><Attributes/><Vertices>{vertices}</Vertices></Region>'
    )


def square(x, y, side):
    return [(x, y), (x + side, y), (x + side, y + side), (x, y + side)]


def read(tmp_path, text, **more):
    path = tmp_path / "a.xml"
    path.write_text(text, encoding="utf-8")
    return read_annotations(path, **more)


def test_types_of_regions(tmp_path):
    regions = (
        region(1, square(0, 0, 10), text="one &amp; only")
        + region(2, [(20, 20), (40, 30)], "1")
        + region(3, [(50, 50), (90, 70)], "2")
        + region(4, [(0, 0), (5, 5)], "3")
        + region(5, [(0, 0), (5, 5), (9, 0)], "4")
        + region(6, [(7, 8)])
    )
    found = read(tmp_path, LAYER.format(name="Tumor", attributes="", regions=regions))
    kinds = [a.geometry.geom_type for a in found.annotations]
    assert kinds == ["Polygon", "Polygon", "Polygon", "LineString", "LineString", "Point"]
    first, rectangle, ellipse = found.annotations[:3]
    assert (first.class_name, first.name, first.class_colour) == (
        "Tumor", "one & only", (0, 255, 0),
    )  # fmt: skip
    assert rectangle.area_px == 200
    assert ellipse.geometry.bounds == (50, 50, 90, 70)
    assert ellipse.area_px == pytest.approx(3.1416 * 20 * 10, rel=0.01)
    assert found.mpp == (0.252, 0.252)
    assert first.properties["imagescope"]["Zoom"] == "0.5"


@pytest.mark.parametrize(
    ("name", "attributes", "expected"),
    [
        ("Tumor", '<Attribute Name="CaP" Value=""/>', "Tumor"),
        ("", '<Attribute Name="CaP" Value=""/>', "CaP"),
        ("", '<Attribute Name="Description" Value="Stroma"/>', "Stroma"),
        ("", '<Attribute Name="Description" Value=""/>', "Layer 1"),
        ("", "", "Layer 1"),
    ],
)
def test_the_class_of_a_layer(tmp_path, name, attributes, expected):
    text = LAYER.format(name=name, attributes=attributes, regions=region(1, square(0, 0, 10)))
    assert read(tmp_path, text).classes == {expected: 1}


def test_holes_go_where_they_lie_or_where_they_say(tmp_path):
    regions = (
        region(1, square(0, 0, 100))
        + region(2, square(200, 0, 100))
        + region(3, square(0, 0, 60))
        + region(4, square(10, 10, 20), negative="1", within="1")
        + region(5, square(210, 10, 20), negative="1")
        + region(6, square(500, 500, 20), negative="1")
    )
    found = read(tmp_path, LAYER.format(name="T", attributes="", regions=regions))
    assert [a.area_px for a in found.annotations] == [9600, 9600, 3600]
    assert [(s.id, s.n) for s in found.skipped] == [("lone_hole", 1)]


def test_a_hole_over_the_edge_is_cut_off(tmp_path):
    regions = region(1, square(0, 0, 100)) + region(2, square(90, 0, 20), negative="1")
    (a,) = read(tmp_path, LAYER.format(name="T", attributes="", regions=regions)).annotations
    assert a.area_px == 9800


def test_imagescope_there_and_back(tmp_path):
    drawn = every_kind()
    done = write_annotations(tmp_path / "a.xml", drawn, to="imagescope")
    assert {s.id for s in done.skipped} == {
        "no_place_note", "no_place_measurements", "no_place_properties", "no_place_lock",
        "no_place_nucleus",
    }  # fmt: skip
    found = read_annotations(tmp_path / "a.xml")
    assert (found.format, found.skipped, found.repaired) == ("ImageScope XML", (), 0)
    back = {a.id: a for a in found.annotations}
    assert len(back) == len(drawn)
    for was in drawn:
        now = back[was.id]
        assert same_shape(was, now)
        assert (now.class_name, now.name, now.note) == (was.class_name, was.name, was.note)


def test_halo(tmp_path):
    text = """<Annotations><Annotation Name="Layer A" Visible="True" LineColor="255"><Regions>
    <Region Type="Rectangle" HasEndcaps="0" NegativeROA="0"><Vertices><V X="0" Y="0"/>
    <V X="10" Y="20"/></Vertices><Comments/></Region>
    <Region Type="Polygon" NegativeROA="1"><Vertices><V X="2" Y="2"/><V X="4" Y="2"/>
    <V X="4" Y="4"/></Vertices></Region></Regions></Annotation></Annotations>"""
    (a,) = read(tmp_path, text).annotations
    assert (a.class_name, a.area_px, a.class_colour) == ("Layer A", 198, (255, 0, 0))


ASAP = """<?xml version="1.0"?><ASAP_Annotations><Annotations>{}</Annotations><AnnotationGroups>
<Group Name="Tumor" PartOfGroup="None" Color="#64FE2E"><Attributes/></Group>
</AnnotationGroups></ASAP_Annotations>"""


def asap(kind, corners, group="Tumor", order=None):
    inside = "".join(
        f'<Coordinate Order="{o}" X="{x}" Y="{y}"/>'
        for o, (x, y) in zip(order or range(len(corners)), corners, strict=True)
    )
    return (
        f'<Annotation Name="A" Type="{kind}" PartOfGroup="{group}" Color="#F4FA58">'
        f"<Coordinates>{inside}</Coordinates></Annotation>"
    )


def test_asap_types_groups_and_colours(tmp_path):
    text = ASAP.format(
        asap("Polygon", square(0, 0, 10))
        + asap("Rectangle", square(0, 0, 20))
        + asap("Spline", square(0, 0, 30), group="_2")
        + asap("Dot", [(5, 6)], group="None")
        + asap("PointSet", [(5, 6), (7, 8)])
    )
    found = read(tmp_path, text)
    assert [a.geometry.geom_type for a in found.annotations] == [
        "Polygon", "Polygon", "Polygon", "Point", "MultiPoint",
    ]  # fmt: skip
    assert [a.class_name for a in found.annotations] == ["Tumor", "Tumor", "_2", None, "Tumor"]
    assert found.annotations[0].class_colour == (0x64, 0xFE, 0x2E)
    assert found.annotations[0].colour == (0xF4, 0xFA, 0x58)
    assert any("Splines" in n for n in found.notes)


def test_asap_corners_go_by_their_order(tmp_path):
    corners = square(0, 0, 10)
    mixed = [corners[i] for i in (0, 2, 1, 3)]
    found = read(tmp_path, ASAP.format(asap("Polygon", mixed, order=[0, 2, 1, 3])))
    assert found.annotations[0].geometry.equals(shapely.box(0, 0, 10, 10))


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "'
    + "&a;" * 50
    + '"><!ENTITY c "'
    + "&b;" * 50
    + '">]><Annotations><Annotation Name="&c;"/></Annotations>'
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BOMB, "entities"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><Annotations/>', "entities"),
        ("<a>" * 10_000, "outermost element"),
        ("<Annotations>" * 10_000, "deep"),
        ("<Annotations", "no readable XML"),
        ("<html><body/></html>", "outermost element"),
    ],
)
def test_bad_xml_is_one_sentence(tmp_path, text, said):
    with pytest.raises(BadAnnotationsError, match=said):
        read(tmp_path, text)


def test_of_a_cut_file_the_whole_regions_are_taken(tmp_path):
    regions = "".join(region(i, square(100 * i, 0, 10)) for i in range(5))
    text = LAYER.format(name="T", attributes="", regions=regions)
    cut = text[: text.index("</Vertices>", text.index('Region Id="3"')) - 3]
    found = read(tmp_path, cut)
    assert len(found.annotations) == 3
    assert [(s.id, s.n) for s in found.skipped] == [("cut_off", 1)]
    assert any("ends too early" in n for n in found.notes)
