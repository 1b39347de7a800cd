"""Tissue, tiles and the stain guess on the shared real images."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from napari_her2.errors import UnknownMppError, WrongMppError
from napari_her2.geometry import Region
from napari_her2.slides import open_slide
from napari_her2.stains.guess import StainGuess, check_stain, guess_stain
from napari_her2.tiles.reading import TileReader, choose_level, iter_batches
from napari_her2.tiles.selectors import TissueSelector, coarse_to_fine
from napari_her2.tiles.spec import TileGrid, TileSpec
from napari_her2.tiles.tissue import TissueMask, find_tissue

pytestmark = pytest.mark.shared

CMU = "wsi-aperio-cmu1-small/CMU-1-Small-Region.svs"
P1_TILE = TileSpec(512, 2.0, 512.0)


def survey(
    path: Path, mpp: float | None = None, *, qc: bool = True
) -> tuple[TissueMask, StainGuess]:
    with open_slide(path, mpp=mpp) as slide:
        tissue = find_tissue(slide, qc=qc)
        return tissue, guess_stain(slide, tissue)


# tissue ---------------------------------------------------------------------------------


def test_aperio_slide(shared_data):
    tissue, stain = survey(shared_data / CMU)
    assert tissue.fraction == pytest.approx(0.44, abs=0.04)
    assert tissue.area_mm2 == pytest.approx(0.72, abs=0.07)
    assert tissue.flags == ()
    assert stain.stain == "H&E"
    # Looked at: skin in the middle, glass at the top right and in the hair follicle.
    assert tissue.fraction_in(Region(1000, 2000, 200, 200)) == 1
    assert tissue.fraction_in(Region(1900, 200, 300, 300)) == 0


def test_dicom_with_false_colours_gives_the_same_tissue_and_no_stain(shared_data):
    truth, _ = survey(shared_data / CMU)
    tissue, stain = survey(shared_data / "wsi-dicom-cmu1-small")
    assert "coloured-background" in tissue.flags
    assert tissue.fraction == pytest.approx(truth.fraction, abs=0.05)
    h, w = min(tissue.mask.shape, truth.mask.shape)
    both = (tissue.mask[:h, :w] & truth.mask[:h, :w]).sum()
    assert 2 * both / (tissue.mask.sum() + truth.mask.sum()) > 0.95
    assert stain.stain == "unknown"
    assert check_stain(stain, "H&E") == "unsure"


@pytest.mark.parametrize(("name", "least"), [("OS-1-detail", 0.97), ("OS-2-vsi", 0.85)])
def test_a_crop_that_is_all_tissue_stays_whole(shared_data, name, least):
    tissue, _ = survey(shared_data / f"wsi-ometiff-qupath-crops/{name}.ome.tif")
    assert tissue.fraction > least


def cores(shared_data: Path) -> list[Path]:
    return sorted((shared_data / "her2-ihc-gea-cores").glob("*.jpg"))


def test_pale_cores_are_found_whole(shared_data):
    """Cores of score 0 are hardly darker than glass; a core is a disc of nearly the picture."""
    for path in cores(shared_data):
        tissue, _ = survey(path, 0.23)
        assert 0.45 < tissue.fraction < 0.75, path.name
        assert "pen" not in tissue.flags
        middle = tissue.mask[tuple(slice(n * 2 // 5, n * 3 // 5) for n in tissue.mask.shape)]
        assert middle.mean() > 0.95, path.name


# stain ----------------------------------------------------------------------------------


def expected_stains(shared_data: Path) -> list[tuple[Path, str]]:
    found = [(p, "H-DAB") for p in cores(shared_data)]
    for folder, pattern, stain in (
        ("he-breast-ucsb", "*.tif", "H&E"),
        ("he-nuclei-gbm-lgg/images", "*.png", "H&E"),
        ("her2-bci-pairs", "*_HE.png", "H&E"),
        ("her2-bci-pairs", "*_IHC.png", "H-DAB"),
        ("her2-ihc-ezeher", "*.jpg", "H-DAB"),
        ("ki67-ihc-deepliif", "*_ihc.png", "H-DAB"),
        ("wsi-ometiff-qupath-crops", "OS-1*.tif", "H&E"),
        ("wsi-ometiff-qupath-crops", "OS-2*.tif", "H-DAB"),
        ("wsi-aperio-cmu1-small", "CMU*.svs", "H&E"),
    ):
        found += [(p, stain) for p in sorted((shared_data / folder).glob(pattern))]
    lung = shared_data / "registration-lung-lesion"
    found += [
        (p, "H&E" if "_he" in p.stem.lower() or "-he-" in p.stem.lower() else "H-DAB")
        for p in sorted(lung.rglob("*.jpg"))
    ]
    return found


def test_every_shared_image_gets_its_stain(shared_data):
    wrong, stopped = [], []
    images = expected_stains(shared_data)
    for path, stain in images:
        mpp = 0.23 if "gea-cores" in str(path) else None
        _, guess = survey(path, mpp, qc=False)
        if guess.stain != stain:
            wrong.append((path.name, stain, guess))
        other = "H-DAB" if stain == "H&E" else "H&E"
        if check_stain(guess, other) == "mismatch":
            stopped.append(path.name)
        assert check_stain(guess, stain) == "ok"
    assert len(images) >= 60
    assert wrong == []
    # A model of the other stain is stopped on every one of them, cores of score 0 included.
    assert len(stopped) == len(images)


def test_score_0_is_never_confidently_anything(shared_data):
    with (shared_data / "her2-ihc-gea-cores/labels.csv").open() as f:
        zero = [row["filename"] for row in csv.DictReader(f) if row["ihc_score"] == "0"]
    assert zero
    for name in zero:
        _, guess = survey(shared_data / "her2-ihc-gea-cores" / name, 0.23, qc=False)
        assert guess.stain != "H&E"
        assert guess.confidence < 0.8


# tiles ----------------------------------------------------------------------------------


def test_tiles_of_a_real_slide(shared_data):
    with open_slide(shared_data / CMU) as slide:
        assert slide.mpp is not None
        tissue = find_tissue(slide)
        size = slide.size
        spec = TileSpec(128, 2.0, 128.0)
        grid = TileGrid(spec, Region(0, 0, size.width, size.height), slide.mpp.x, slide.mpp.y)
        cells = TissueSelector().select(grid, tissue.usable, tissue.downsample)
        assert 30 < len(cells) < grid.shape[0] * grid.shape[1]
        ordered = coarse_to_fine(cells, grid.shape)
        reader = TileReader(slide, spec)
        batches = [ordered[i : i + 8] for i in range(0, len(ordered), 8)]
        tiles = list(iter_batches(reader, grid, batches))
        assert sum(len(b.cells) for b in tiles) == len(cells)
        assert not any(b.failed.any() for b in tiles)
        again = list(iter_batches(TileReader(slide, spec), grid, batches[::-1]))[::-1]
        for a, b in zip(tiles, again, strict=True):
            assert np.array_equal(a.rgb, b.rgb)


def test_the_same_place_in_two_files_gives_the_same_tile(shared_data):
    """SVS and its DICOM copy share geometry; only the colours of the copy are wrong."""
    grey = []
    for path in (shared_data / CMU, shared_data / "wsi-dicom-cmu1-small"):
        with open_slide(path) as slide:
            tile = TileReader(slide, TileSpec(256, 2.0, 256.0)).read(Region(500, 900, 1026, 1026))
            grey.append(tile.rgb.mean(axis=2).ravel())
    assert abs(np.corrcoef(*grey)[0, 1]) > 0.8


def test_a_core_needs_its_pixel_size_and_then_gives_tiles(shared_data):
    path = cores(shared_data)[0]
    with open_slide(path) as slide, pytest.raises(UnknownMppError):
        TileReader(slide, P1_TILE)
    with open_slide(path, mpp=0.23) as slide:
        reader = TileReader(slide, P1_TILE)
        assert reader.choice.mpp_x <= 2.04
        tissue = find_tissue(slide, qc=False)
        size = slide.size
        grid = TileGrid(P1_TILE, Region(0, 0, size.width, size.height), 0.23, 0.23)
        cells = TissueSelector().select(grid, tissue.usable, tissue.downsample)
        assert 4 <= len(cells) <= 9
        assert not any(reader.read(grid.window(r, c)).failed for r, c in cells.tolist())


def test_a_coarse_slide_is_not_enlarged(shared_data):
    with open_slide(shared_data / CMU) as slide, pytest.raises(WrongMppError):
        choose_level(slide, 0.25)
