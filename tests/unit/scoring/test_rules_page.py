"""The page of the rules tells what the rules are."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from napari_her2.scoring.breast import INTENSE_MINIMUM
from napari_her2.scoring.clusters import REACH_UM
from napari_her2.scoring.evidence import MIN_TUMOUR_CELLS
from napari_her2.scoring.intervals import MIN_TILES, RESAMPLES
from napari_her2.scoring.ish import dual_probe, gastro_oesophageal_ish, single_probe
from napari_her2.scoring.receptors import RECEPTOR_RULE
from napari_her2.scoring.rules import RULES


@pytest.fixture(scope="module")
def page(repo_root: Path) -> str:
    return (repo_root / "docs" / "scoring_rules.md").read_text(encoding="utf-8")


def test_every_rule_stands_there_with_its_source(page):
    for rule in RULES.values():
        row = next(line for line in page.splitlines() if line.startswith(f"| `{rule.id}`"))
        where = re.search(r"\d+:\d+", rule.source)
        assert where
        assert where.group() in row or where.group() in page
        assert rule.version in page
    others = {RECEPTOR_RULE, dual_probe(3, 6).rule, single_probe(6).rule}
    for name in others | {gastro_oesophageal_ish(3, 6).rule}:
        assert f"`{name}`" in page


def test_our_own_choices_stand_there_with_their_numbers(page):
    assert f"fewer than {MIN_TUMOUR_CELLS} tumour cells" in page
    assert f"at most {REACH_UM:g} µm apart" in page
    assert re.search(rf"more\s+than {INTENSE_MINIMUM:g} % of the tumour cells", page)
    assert f"{RESAMPLES} resamples" in page
    assert f"fewer than {MIN_TILES} tiles" in page
