"""The models that come with the program: whole, honest and independent."""

from __future__ import annotations

import pytest

from napari_her2.models.aggregators import P1_STAGE2, RatioHistogramAggregator
from napari_her2.models.registry import Registry

BIOMARKERS = ("ER", "PR", "HER2")


@pytest.mark.parametrize("biomarker", BIOMARKERS)
def test_files_are_whole_and_small(biomarker: str) -> None:
    registry = Registry()
    model = registry.resolve(biomarker)
    assert model.built_in
    assert model.card.id == f"demo-{biomarker.lower()}"
    assert registry.verify(model.card.id)
    assert model.weights_path.stat().st_size <= 5_000_000
    assert (model.card.patch_size_pixels, model.card.spacing_um_px) == (512, 2.0)
    assert model.card.class_roles == {"positive": 0, "negative": 1, "non_tumour": 2}


@pytest.mark.parametrize("biomarker", BIOMARKERS)
def test_cards_say_what_the_models_are(biomarker: str) -> None:
    card = Registry().resolve(biomarker).card
    assert card.is_demo
    assert "No real tissue" in card.training_data
    assert "real" in card.weak_at
    figures = {v.metric: v for v in card.validation}
    tile = figures["tile AUC, positive against rest"]
    colour = figures["tile AUC of mean colour alone (baseline)"]
    slide = figures["slide AUC"]
    assert tile.value >= 0.90
    assert tile.value - colour.value >= 0.15
    assert slide.unit == "slides"
    assert slide.n >= 40
    assert all(v.ci95 and v.ci95[0] <= v.value <= v.ci95[1] for v in card.validation)
    assert {v.site for v in card.validation} == {"synthetic"}


def test_models_are_independent_and_stage_2_is_the_papers() -> None:
    registry = Registry()
    cards = [registry.resolve(b).card for b in BIOMARKERS]
    assert len({c.weights_sha256 for c in cards}) == 3
    for biomarker in BIOMARKERS:
        stage2 = registry.load(biomarker, "cpu").aggregator
        assert isinstance(stage2, RatioHistogramAggregator)
        numbers = P1_STAGE2[biomarker]
        assert stage2.bins == numbers["bins"]
        assert stage2.threshold == numbers["threshold"]
        assert (stage2.fit["penalty"], stage2.fit["C"]) == ("l1", numbers["C"])
        assert any(c == 0 for c in stage2.coefficients)
        assert any(c != 0 for c in stage2.coefficients)
