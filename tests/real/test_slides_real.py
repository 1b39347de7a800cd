"""Real files: what they are, where their pixels lie, that they read the same either way."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest

from napari_her2.errors import NotASlideError
from napari_her2.slides import display_levels, looks_like_slide, open_slide

pytestmark = pytest.mark.shared


def test_aperio(shared_data: Path) -> None:
    path = shared_data / "wsi-aperio-cmu1-small" / "CMU-1-Small-Region.svs"
    with open_slide(path, probe=True) as slide:
        assert (slide.size.width, slide.size.height) == (2220, 2967)
        assert slide.info.backend == "openslide+direct"
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.y, slide.mpp.source) == (0.499, 0.499, "properties")
        assert slide.info.objective_power == 20
        assert slide.info.associated_images == ("label", "macro", "thumbnail")
        assert slide.info.warnings == ()
        assert slide.stored_levels == 1  # type: ignore[attr-defined]
        assert [v.width for v in slide.levels] == [2220, 1110, 555]
        assert slide.associated_image("macro").shape == (431, 1280, 3)
        theirs = openslide.OpenSlide(str(path))
        want = np.asarray(theirs.read_region((0, 0), 0, (2220, 2967)))[..., :3]
        np.testing.assert_array_equal(slide.read(0, 0, 0, 2220, 2967).rgb, want)
        np.testing.assert_array_equal(display_levels(slide)[0][1000:2000, 500:1500],
                                      want[1000:2000, 500:1500])  # fmt: skip


def test_no_slide(shared_data: Path) -> None:
    path = shared_data / "wsi-aperio-cmu1-small" / "broken.svs"
    with pytest.raises(NotASlideError) as caught:
        open_slide(path)
    assert caught.value.exit_code == 3
    assert not looks_like_slide(path)


@pytest.mark.parametrize("name", ["", "level-0-frames-0-30.dcm", "level-5-frames-0-1.dcm"])
def test_dicom(shared_data: Path, name: str) -> None:
    path = shared_data / "wsi-dicom-cmu1-small" / name
    assert looks_like_slide(path)
    with open_slide(path, probe=True) as slide:
        assert (slide.size.width, slide.size.height) == (2220, 2967)
        assert len(slide.levels) == 12
        assert slide.levels[1].downsample_y == 2967 / 1483
        assert slide.mpp is not None
        assert (slide.mpp.x, slide.mpp.source) == (0.499, "dicom")
        assert any("false colours" in w for w in slide.info.warnings)
        assert slide.read(0, 0, 0, 2220, 2967).complete
        if not name:
            assert slide.slide_id == "wsi-dicom-cmu1-small"


@pytest.mark.parametrize(
    ("name", "side", "mpp"), [("OS-1-detail", 1101, 0.2271), ("OS-2-vsi", 1445, 0.3461)]
)
def test_ome_tiff(shared_data: Path, name: str, side: int, mpp: float) -> None:
    import tifffile

    path = shared_data / "wsi-ometiff-qupath-crops" / f"{name}.ome.tif"
    with open_slide(path) as slide:
        assert slide.slide_id == name
        assert (slide.size.width, slide.size.height) == (side, side)
        assert slide.mpp is not None
        assert slide.mpp.source == "ome-xml"
        assert slide.mpp.x == pytest.approx(mpp, abs=1e-4)
        np.testing.assert_array_equal(slide.read(0, 0, 0, side, side).rgb, tifffile.imread(path))


def test_core_image_states_no_pixel_size(shared_data: Path) -> None:
    path = sorted((shared_data / "her2-ihc-gea-cores").glob("3_*.jpg")) or sorted(
        (shared_data / "her2-ihc-gea-cores").glob("*.jpg")
    )
    with open_slide(path[0]) as slide:
        assert slide.mpp is None
        assert slide.size.width > 5000
    with open_slide(path[0], mpp=0.23) as slide:
        assert slide.mpp is not None
        assert slide.mpp.source == "user"
        coarse = display_levels(slide)[-1][:]
        assert max(coarse.shape[:2]) <= 1024
        assert 150 < coarse.mean() < 250


def test_plain_tiffs_and_pngs(shared_data: Path) -> None:
    found = [
        *sorted((shared_data / "he-breast-ucsb").glob("*.tif"))[:2],
        *sorted((shared_data / "her2-bci-pairs").glob("*.png"))[:2],
    ]
    assert found
    for path in found:
        with open_slide(path) as slide:
            assert slide.mpp is None
            assert slide.read(0, 0, 0, slide.size.width, slide.size.height).complete
