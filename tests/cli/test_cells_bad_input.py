"""What ``cells`` makes of pictures that are no good: one sentence, nothing lost, never negative."""

from __future__ import annotations

import numpy as np
import pytest
import tifffile
from made_slides import break_tile, write_aperio
from painted_ihc import GLASS, ihc_field
from PIL import Image

from napari_her2.messages import tr


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("pictures")


@pytest.fixture(scope="module")
def field(folder):
    """Some 250 nuclei with brown rings, no glass, 0.5 µm/px."""
    picture, _ = ihc_field(ring=0.6)
    return save(folder / "field.png", picture)


def save(path, picture, mode=None):
    Image.fromarray(picture, mode).save(path)
    return path


def flat(colour, noise=0.0, side=512):
    rng = np.random.default_rng(0)
    return np.clip(rng.normal(colour, noise, (side, side, 3)), 0, 255).astype(np.uint8)


def never_negative(document):
    """Not assessable, with a reason, and no number that could be read as a score."""
    assert document["assessable"] is False
    assert document["reason"].endswith(".")
    assert document.get("ihc") is None
    assert all(s["status"] == "not assessable" for s in document["scores"])
    assert all(s["ihc"] is None for s in document["scores"])
    return True


# Pictures that hold nothing to score -----------------------------------------------------


@pytest.mark.parametrize(
    ("name", "colour", "noise", "stain"),
    [
        ("blank", 244, 0.0, "her2-ihc"),
        ("glass", GLASS, 1.5, "nuclear-ihc"),
        ("black", 0, 0.0, "her2-ihc"),
    ],
)
def test_a_slide_without_tissue(run_here, folder, tmp_path, stain, name, colour, noise):
    slide = save(folder / f"{name}.png", flat(colour, noise))
    answer = run_here(
        "cells", slide, "--stain", stain, "--mpp", "0.5", "--out", tmp_path, "--json"
    )  # fmt: skip
    assert answer.code == 3
    assert answer.is_one_sentence(), answer.err
    assert "No tissue was found" in answer.err


def brown(folder):
    return save(folder / "brown.png", flat((70, 35, 15), 4.0))


def pen(folder):
    picture = flat(GLASS, 1.0)
    picture[100:400, 100:400] = (30, 30, 160)
    return save(folder / "pen.png", picture)


def few(folder):
    return save(folder / "few.png", ihc_field(150, 170, ring=0.6)[0])


def spindles(folder):
    return save(folder / "stroma.png", ihc_field(nucleus=(10, 3))[0])


@pytest.mark.parametrize(
    ("make", "organ"),
    [(brown, "breast"), (pen, "gea"), (few, "gea"), (spindles, "breast")],
)
def test_what_holds_too_few_tumour_cells_is_not_assessable(run_here, folder, tmp_path, make, organ):
    slide = make(folder)
    options = ("--mpp", "0.5", "--organ", organ, "--out", tmp_path)
    answer = run_here("cells", slide, *options, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert document["tumour_cells"] < 100
    assert never_negative(document)


def test_a_person_reads_why_there_is_no_score(run_here, folder, tmp_path):
    answer = run_here("cells", few(folder), "--mpp", "0.5", "--out", tmp_path)
    assert answer.code == 0, answer.err
    assert "fewer than 100" in answer.out
    assert "negative" not in answer.out.lower()


def test_a_grey_picture_is_refused(run_here, field, folder, tmp_path):
    grey = np.asarray(Image.open(field).convert("L"))
    for name in ("grey.jpg",):
        slide = save(folder / name, grey)
        answer = run_here("cells", slide, "--mpp", "0.5", "--ignore-stain", "--out", tmp_path)
        assert answer.code == 4
        assert answer.err.strip() == tr("no_colour", name=name)


def test_a_dark_picture_is_refused(run_here, folder, tmp_path):
    """Fluorescence, or a picture with its colours inverted: its nuclei would look brown."""
    negative = 255 - ihc_field(ring=0.6, step=44, margin=100)[0]
    glow = np.zeros_like(negative)
    glow[..., 2] = negative[..., 0]
    for name, picture in (("negative.png", negative), ("glow.png", glow)):
        slide = save(folder / name, picture)
        answer = run_here("cells", slide, "--mpp", "0.5", "--out", tmp_path)
        assert answer.code in (3, 4)
        assert answer.is_one_sentence(), answer.err
        assert answer.out == ""


def test_sixteen_bits_are_refused_in_words(run_here, folder, field, tmp_path):
    slide = folder / "sixteen.tif"
    tifffile.imwrite(slide, np.asarray(Image.open(field)).astype(np.uint16) * 257)
    answer = run_here("cells", slide, "--mpp", "0.5", "--out", tmp_path)
    assert answer.code == 3
    assert answer.is_one_sentence(), answer.err
    assert "8-bit" in answer.err


# Pictures that are good in an unusual way ------------------------------------------------


def test_a_field_without_glass_and_with_an_alpha_channel(run_here, field, folder, tmp_path):
    plain = run_here("cells", field, "--mpp", "0.5", "--out", tmp_path, "--json").json
    assert plain["assessable"]
    assert plain["tumour_cells"] == plain["cells_detected"] == 256
    rgb = np.asarray(Image.open(field))
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    slide = save(folder / "rgba.png", rgba)
    seen = run_here("cells", slide, "--mpp", "0.5", "--out", tmp_path, "--json").json
    assert seen["counts"] == plain["counts"]


@pytest.mark.parametrize("size", [(1, 1), (40, 40)])
def test_a_picture_smaller_than_a_tile(run_here, field, folder, tmp_path, size):
    rgb = np.asarray(Image.open(field))[: size[0], : size[1]]
    slide = save(folder / "small.png", rgb)
    answer = run_here("cells", slide, "--mpp", "0.5", "--out", tmp_path, "--json")
    if answer.code == 0:
        assert never_negative(answer.json)
    else:
        assert answer.code == 3
        assert "No tissue was found" in answer.err


# What is asked ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("box", "said"),
    [("900,900,50,50", "lies outside"), ("2,2,20,20", "No tissue was found")],
)
def test_a_region_without_anything(run_here, folder, tmp_path, box, said):
    slide = save(folder / "margin.png", ihc_field(ring=0.6, margin=70)[0])
    answer = run_here("cells", slide, "--mpp", "0.5", "--roi", box, "--out", tmp_path)
    assert answer.code == 3
    assert answer.is_one_sentence(), answer.err
    assert said in answer.err


def test_a_region_between_cells_is_not_assessable(run_here, field, tmp_path):
    answer = run_here(
        "cells", field, "--mpp", "0.5", "--roi", "100,100,1,1", "--out", tmp_path, "--json"
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert never_negative(answer.json)


def test_pixels_too_coarse_for_cells(run_here, field, tmp_path):
    answer = run_here("cells", field, "--mpp", "2", "--out", tmp_path)
    assert answer.code == 3
    assert answer.is_one_sentence(), answer.err
    assert "µm/px" in answer.err


@pytest.mark.parametrize("stain", ["her2-ihc", "nuclear-ihc"])
def test_h_and_e_is_refused_unless_asked_twice(run_here, folder, tmp_path, stain):
    he = save(folder / "he.png", ihc_field(pale=0.1, second="eosin", wash=0.25, margin=80)[0])
    options = ("--stain", stain, "--mpp", "0.5", "--out", tmp_path, "--json")
    answer = run_here("cells", he, *options)
    assert answer.code == 4
    assert answer.is_one_sentence(), answer.err
    assert "looks like H&E" in answer.err
    if stain == "nuclear-ihc":
        return
    forced = run_here("cells", he, *options, "--ignore-stain")
    assert forced.code == 0, forced.err
    assert any("Run as asked although" in w for w in forced.json["warnings"])


# Damage ----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def whole(folder):
    picture, n = ihc_field(1536, 1536, step=34, ring=0.6)
    return write_aperio(folder / "whole.svs", picture, mpp=0.5, power=20, photometric="rgb"), n


def test_a_corrupt_tile_costs_its_cells_and_no_more(run_here, whole, folder, tmp_path):
    slide, n = whole
    damaged = folder / "damaged.svs"
    damaged.write_bytes(slide.read_bytes())
    break_tile(damaged, 14)
    sound = run_here("cells", slide, "--out", tmp_path, "--json").json
    assert sound["cells_detected"] == n
    answer = run_here("cells", damaged, "--out", tmp_path, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    lost = n - document["cells_detected"]
    # 256 px hold some 57 cells of a 34-px grid; those the hole cuts have no outline either.
    assert 30 < lost < 120
    assert sum("could not be read" in w for w in document["warnings"]) == 1
    assert document["ihc"] == sound["ihc"]


def test_a_slide_that_is_mostly_damaged_gives_no_score(run_here, whole, folder, tmp_path):
    slide, _ = whole
    damaged = folder / "ruined.svs"
    damaged.write_bytes(slide.read_bytes())
    for index in range(6, 30):
        break_tile(damaged, index)
    answer = run_here("cells", damaged, "--out", tmp_path, "--json")
    assert answer.code == 3
    assert "could not be read" in answer.err
    if answer.out:
        assert never_negative(answer.json)


# Nuclear staining ------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_brown_nuclei_are_counted(run_here, folder, tmp_path, share):
    slide = save(folder / f"ki67-{share}.png", ihc_field(600, 600, brown=share)[0])
    answer = run_here(
        "cells", slide, "--stain", "nuclear-ihc", "--mpp", "0.5", "--out", tmp_path, "--json"
    )  # fmt: skip
    assert answer.code == 0, answer.err
    document = answer.json
    assert document["cells_detected"] == 361
    assert document["positive_fraction"] == pytest.approx(share, abs=0.04)
    assert document["assessable"]
    assert any("All nuclei were counted" in w for w in document["warnings"])


def test_er_gets_its_status_and_a_person_reads_it(run_here, folder, tmp_path):
    slide = save(folder / "er.png", ihc_field(600, 600, brown=0.05)[0])
    options = ("--stain", "nuclear-ihc", "--marker", "ER", "--mpp", "0.5", "--out", tmp_path)
    answer = run_here("cells", slide, *options, "--json")
    assert answer.code == 0, answer.err
    document = answer.json
    assert document["status"] == "completed"
    assert document["marker_status"] == "low positive"
    assert tr("er_low") in document["warnings"]
    assert "Rule yields ER low positive" in run_here("cells", slide, *options).out
    page = (tmp_path / document["run_dir"] / "report.html").read_text(encoding="utf-8")
    assert "Rule yields ER low positive" in page


def test_few_nuclei_are_not_assessable(run_here, folder, tmp_path):
    slide = save(folder / "few-nuclei.png", ihc_field(150, 170, brown=0.5)[0])
    answer = run_here(
        "cells", slide, "--stain", "nuclear-ihc", "--mpp", "0.5", "--out", tmp_path, "--json"
    )  # fmt: skip
    assert answer.code == 0, answer.err
    assert answer.json["assessable"] is False
    assert "fewer than" in answer.json["reason"]
