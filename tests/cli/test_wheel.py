"""What is installed holds all that the program needs, and nothing that is only for us."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from napari_her2.synthetic.samples import SAMPLES

REPO = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> dict[str, int]:
    """Files of the wheel with their sizes."""
    out = tmp_path_factory.mktemp("dist")
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(out)],
        cwd=REPO, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return {i.filename: i.file_size for i in archive.infolist()}


def test_manifest_models_template_and_types_are_in_it(names):
    wanted = ["napari.yaml", "py.typed", "reporting/report.html.j2"]
    wanted += [
        f"models/demo/demo-{b}/{f}"
        for b in ("er", "pr", "her2")
        for f in ("card.json", "weights.safetensors", "aggregator.json")
    ]
    missing = [w for w in wanted if f"napari_her2/{w}" not in names]
    assert not missing


def test_the_sample_slides_are_in_it(names):
    missing = [s.file for s in SAMPLES if f"napari_her2/sample_data/{s.file}" not in names]
    assert not missing


def test_weights_stay_small(names):
    weights = {n: size for n, size in names.items() if n.endswith(".safetensors")}
    assert len(weights) == 6  # three models of tiles, three of cells
    assert max(weights.values()) <= 5_000_000
    assert sum(names.values()) < 60_000_000


def test_nothing_else_is_in_it(names):
    inside = {n.split("/")[0] for n in names}
    assert all(n == "napari_her2" or n.endswith(".dist-info") for n in inside)
    assert not [n for n in names if "test" in n.split("/")[-1] and n.endswith(".py")]
