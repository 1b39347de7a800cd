"""The pixel size: what is believed, what wins, where it is remembered; never a guess."""

from __future__ import annotations

import json
from pathlib import Path

import made_slides as made
import numpy as np
import pytest

from napari_her2.errors import UsageError
from napari_her2.settings import get_settings
from napari_her2.slides import mpp as policy
from napari_her2.slides import open_slide, remember_mpp
from napari_her2.slides.base import PixelSize


@pytest.mark.parametrize(
    ("x", "y", "believed"),
    [
        ("0.25", "0.25", True),
        ("0.25", "0.26", True),
        ("0.25", "0.2650", False),
        ("0.05", "0.05", True),
        ("0.049", "0.049", False),
        ("20", "20", True),
        ("20.1", "20.1", False),
        ("0", "0", False),
        ("-1", "-1", False),
        ("inf", "inf", False),
        ("nan", "nan", False),
        ("1e9", "1e9", False),
        ("0,25", "0,25", False),
        (None, "0.25", False),
        ("", "", False),
    ],
)
def test_what_a_file_says(x: object, y: object, believed: bool) -> None:
    found = policy.stated(x, y, "properties")
    assert (found is not None) is believed
    if found is not None:
        assert found == PixelSize(float(str(x)), float(str(y)), "properties")


@pytest.mark.parametrize(
    ("per_unit", "unit", "mpp"),
    [
        (40000, 3, 0.25),
        (101600, 2, 0.25),
        (72, 2, None),
        (96, 2, None),
        (40000, 1, None),
        (0, 3, None),
    ],
)
def test_resolution_tags(per_unit: float, unit: int, mpp: float | None) -> None:
    found = policy.from_resolution(per_unit, per_unit, unit)
    assert (found.x if found else None) == mpp


def test_absent_stays_unknown(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_aperio(tmp_path / "n.svs", image, mpp=None)
    with open_slide(path) as slide:
        assert slide.info.objective_power == 40
        assert slide.mpp is None


@pytest.mark.parametrize("value", [0.0, -1.0, float("inf"), 1e9])
def test_nonsense_in_the_file_is_unknown(tmp_path: Path, image: np.ndarray, value: float) -> None:
    path = made.write_aperio(tmp_path / "n.svs", image, mpp=value)
    with open_slide(path) as slide:
        assert slide.mpp is None


def test_anisotropic_file_and_user(tmp_path: Path, image: np.ndarray) -> None:
    slight = made.write_generic(tmp_path / "a.tif", image, mpp=(0.5, 0.51))
    with open_slide(slight) as slide:
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.y) == pytest.approx((0.5, 0.51), rel=1e-4)
    strong = made.write_generic(tmp_path / "b.tif", image, mpp=(0.5, 1.0))
    with open_slide(strong) as slide:
        assert slide.mpp is None
    with open_slide(strong, mpp=(0.5, 1.0)) as slide:
        assert slide.mpp == PixelSize(0.5, 1.0, "user")


def test_power_that_contradicts_warns(tmp_path: Path, image: np.ndarray) -> None:
    path = made.write_aperio(tmp_path / "c.svs", image, mpp=0.25, power=20)
    with open_slide(path) as slide:
        (warning,) = slide.info.warnings
        assert "20x" in warning
        assert "0.25" in warning
        assert slide.mpp is not None
        assert slide.mpp.x == 0.25


def test_remembered_beside_the_slide_and_found_again(aperio: Path) -> None:
    place = remember_mpp(aperio, 0.23)
    assert place == aperio.with_name("slide.svs.her2.json")
    with open_slide(aperio) as slide:
        assert slide.mpp == PixelSize(0.23, 0.23, "sidecar")
    with open_slide(aperio, mpp=0.5) as slide:
        assert slide.mpp == PixelSize(0.5, 0.5, "user")
    document = json.loads(place.read_text())
    assert document["mpp"] == {"source": "user", "x": 0.23, "y": 0.23}
    assert [p.name for p in aperio.parent.iterdir() if p.name.startswith(".")] == []


def test_remembering_an_open_slide_twice_replaces(aperio: Path) -> None:
    with open_slide(aperio) as slide:
        remember_mpp(slide, 0.3, 0.4)
        remember_mpp(slide, 0.5, 0.6)
    with open_slide(aperio) as slide:
        assert slide.mpp == PixelSize(0.5, 0.6, "sidecar")


def test_sidecar_of_another_file_is_ignored(aperio: Path, image: np.ndarray) -> None:
    remember_mpp(aperio, 0.4)
    made.write_aperio(aperio, image, quality=50)
    with open_slide(aperio) as slide:
        assert slide.mpp == PixelSize(0.25, 0.25, "properties")


@pytest.mark.parametrize("text", ["", "[]", '{"mpp": {"x": "a"}}', '{"mpp": {"x": 1e99, "y": 1}}'])
def test_broken_sidecar_is_ignored(aperio: Path, text: str) -> None:
    aperio.with_name("slide.svs.her2.json").write_text(text)
    with open_slide(aperio) as slide:
        assert slide.mpp == PixelSize(0.25, 0.25, "properties")


def test_folder_that_cannot_be_written(aperio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = policy._write

    def refuse(target: Path, data: bytes) -> None:
        if target.parent == aperio.parent:
            raise PermissionError(13, "Permission denied")
        write(target, data)

    monkeypatch.setattr(policy, "_write", refuse)
    place = remember_mpp(aperio, 0.33)
    assert place.parent == get_settings().data_dir / "sidecars"
    assert "slide" not in place.name
    with open_slide(aperio) as slide:
        assert slide.mpp == PixelSize(0.33, 0.33, "sidecar")


def test_a_failed_write_leaves_the_old_sidecar(
    aperio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    remember_mpp(aperio, 0.3)

    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("napari_her2.slides.mpp.os.fsync", full)
    with pytest.raises(Exception, match="can't be written"):
        remember_mpp(aperio, 0.4)
    monkeypatch.undo()
    assert sorted(p.name for p in aperio.parent.iterdir()) == ["slide.svs", "slide.svs.her2.json"]


def test_impossible_values_are_not_remembered(aperio: Path) -> None:
    with pytest.raises(UsageError):
        remember_mpp(aperio, 0.001)
    assert not aperio.with_name("slide.svs.her2.json").exists()


@pytest.mark.parametrize(
    ("unit", "size", "mpp"),
    [("µm", 0.5, 0.5), ("nm", 250, 0.25), ("mm", 0.0005, 0.5), ("pixel", 1, None), ("", 0.5, 0.5)],
)
def test_units_of_ome_xml(unit: str, size: float, mpp: float | None) -> None:
    from napari_her2.slides.ome_xml import ome_pixels

    u = f'PhysicalSizeXUnit="{unit}" PhysicalSizeYUnit="{unit}"' if unit else ""
    xml = (
        '<?xml version="1.0"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">'
        '<Instrument ID="I"><Objective ID="O" NominalMagnification="40"/></Instrument>'
        f'<Image ID="a" Name="n"><ObjectiveSettings ID="O"/>'
        f'<Pixels PhysicalSizeX="{size}" PhysicalSizeY="{size}" {u}/></Image></OME>'
    )
    found = ome_pixels(xml, 0)
    assert (found.mpp.x if found.mpp else None) == pytest.approx(mpp)
    assert found.power == 40


def test_hostile_ome_xml_is_not_read() -> None:
    from napari_her2.slides.ome_xml import ome_pixels

    bomb = (
        '<!DOCTYPE o [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
        '<OME><Image><Pixels PhysicalSizeX="0.5" PhysicalSizeY="0.5"/></Image></OME>'
    )
    assert ome_pixels(bomb, 0).mpp is None
    deep = "<a>" * 5000 + "</a>" * 5000
    assert ome_pixels(deep, 0).mpp is None
    assert ome_pixels("<OME", 0).mpp is None
