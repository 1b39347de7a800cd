"""``models``, ``selfcheck``, ``synth``, ``doctor``: documents, exit codes, words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from napari_her2.messages import DEMO_MODEL
from napari_her2.models.registry import DEMO_DIR

MODEL_KEYS = {"id", "biomarker", "stain", "status", "sha256", "licence"}


@pytest.fixture
def my_model(tmp_path) -> Path:
    """A model of the user: the ER demo model under another name."""
    folder = tmp_path / "my-model"
    shutil.copytree(DEMO_DIR / "demo-er", folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    card |= {"id": "my-model", "name": "Mine", "status": "user-unvalidated"}
    (folder / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return folder


def test_the_demo_trio_is_installed_and_intact(run_here):
    answer = run_here("models", "list", "--json")
    assert answer.code == 0
    rows = answer.json["models"]
    assert {r["biomarker"] for r in rows} == {"ER", "PR", "HER2"}
    for row in rows:
        assert set(row) >= MODEL_KEYS
        assert row["status"] == "synthetic-demo"
        assert len(row["sha256"]) == 64
    assert run_here("models", "verify").code == 0


def test_a_demo_card_says_what_it_is(run_here):
    answer = run_here("models", "show", "HER2")
    assert answer.code == 0
    assert DEMO_MODEL in answer.out
    assert "Status      synthetic-demo" in answer.out
    document = run_here("models", "show", "HER2", "--json").json
    assert document["card"]["biomarker"] == "HER2"


def test_add_verify_remove(run_here, my_model):
    added = run_here("models", "add", my_model, "--json")
    assert added.code == 0, added.err
    assert added.json["models"][0]["id"] == "my-model"
    assert run_here("models", "verify", "my-model").code == 0
    again = run_here("models", "add", my_model)
    assert (again.code, again.out) == (3, "")
    assert again.is_one_sentence()
    assert run_here("models", "remove", "my-model").code == 0
    assert "my-model" not in run_here("models", "list").out


def test_altered_weights_are_refused(run_here, my_model):
    path = my_model / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(bytes(data))
    answer = run_here("models", "add", my_model)
    assert answer.code == 3
    assert "do not match" in answer.err


def test_what_comes_with_the_program_stays(run_here):
    answer = run_here("models", "remove", "demo-er")
    assert answer.code == 2
    assert answer.is_one_sentence()
    assert "demo-er" in run_here("models", "list").out


def test_the_hub_needs_a_yes(run_here):
    answer = run_here("models", "add", "hf:owner/name@" + "a" * 40)
    assert answer.code == 2
    assert "--download" in answer.err or "download" in answer.err


def test_trust_needs_a_yes(run_here, my_model):
    run_here("models", "add", my_model)
    answer = run_here("models", "trust", "my-model")
    assert answer.code == 4
    assert "--yes" in answer.err


def test_selfcheck_rebuilds_the_published_counts(run_here):
    answer = run_here("selfcheck", "arch", "--json")
    assert answer.code == 0
    checks = answer.json["checks"]
    assert all(set(c) >= {"id", "expected", "got", "tolerance", "ok"} for c in checks)
    assert all(c["ok"] for c in checks)
    assert 23_834_568 in [c["got"] for c in checks]
    every = run_here("selfcheck", "--json").json["checks"]
    assert {c["id"] for c in every} > {c["id"] for c in checks}


def test_selfcheck_fails_loudly(run_here, monkeypatch):
    from napari_her2.models import selfcheck

    wrong = selfcheck.Check("count", 1, 2, 0.0, False)
    monkeypatch.setattr(selfcheck, "check_arch", lambda: [wrong])
    answer = run_here("selfcheck", "arch")
    assert answer.code == 1
    assert answer.out.splitlines()[1].split() == ["FAIL", "count", "1", "2"]


def test_synth_writes_a_slide_with_its_truth(run_here, tmp_path):
    path = tmp_path / "made.tif"
    answer = run_here("synth", "he", "--size", 2048, "--seed", 3, "--out", path, "--json")
    assert answer.code == 0, answer.err
    assert path.is_file()
    assert answer.json["slide"] == str(path)
    truth = Path(answer.json["truth"])
    assert truth.is_file()
    json.loads(truth.read_text(encoding="utf-8"))
    info = run_here("info", path, "--json").json
    assert (info["width"], info["height"]) == (2048, 2048)
    assert info["mpp"]["x"] == pytest.approx(0.5, rel=1e-3)
    assert info["stain_guess"] == "H&E"
    again = tmp_path / "again.tif"
    assert run_here("synth", "he", "--size", 2048, "--seed", 3, "--out", again).code == 0
    assert again.read_bytes() == path.read_bytes(), "same seed, same slide"


def test_doctor_lists_its_checks(run_here):
    answer = run_here("doctor", "--json")
    assert answer.code == 0, answer.out
    checks = answer.json["checks"]
    assert all(set(c) >= {"name", "ok", "advice"} for c in checks)
    assert {"Python", "torch", "demo models"} <= {c["name"] for c in checks}
