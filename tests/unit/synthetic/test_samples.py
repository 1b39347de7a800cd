"""The ready-made samples are there, small, and are what they say."""

from __future__ import annotations

import json

import openslide
import pytest

from napari_her2.errors import SlideNotFoundError
from napari_her2.synthetic.samples import SAMPLES, sample_path


@pytest.mark.parametrize("sample", SAMPLES, ids=lambda s: s.name)
def test_each_sample_opens_and_has_its_truth(sample) -> None:
    path = sample_path(sample.name)
    assert path.stat().st_size < 1_500_000
    truth = json.loads(path.with_name(f"{path.name}.truth.json").read_text(encoding="utf-8"))
    with openslide.OpenSlide(str(path)) as slide:
        assert slide.dimensions == (truth["width"], truth["height"])
        stated = "openslide.mpp-x" in slide.properties
        assert stated == truth["mpp"]["stated"]


def test_the_sample_folder_stays_small() -> None:
    folder = sample_path("her2-ihc").parent
    assert sum(f.stat().st_size for f in folder.iterdir() if f.is_file()) < 6_000_000


def test_the_names_tell_the_status() -> None:
    wanted = {
        "he-er-positive": ("positive", "positive", "negative"),
        "he-her2-positive": ("negative", "negative", "positive"),
        "he-triple-negative": ("negative", "negative", "negative"),
    }
    for name, statuses in wanted.items():
        path = sample_path(name)
        truth = json.loads(path.with_name(f"{path.name}.truth.json").read_text(encoding="utf-8"))
        assert tuple(truth["statuses"][b] for b in ("ER", "PR", "HER2")) == statuses


def test_an_unknown_sample_is_said_so() -> None:
    with pytest.raises(SlideNotFoundError):
        sample_path("no-such-sample")
