"""``selfcheck papers`` and ``selfcheck all``: the document, the table, the exit code."""

from __future__ import annotations

import subprocess
import sys

from napari_her2.scoring import published
from napari_her2.scoring.checks import Check

KEYS = {"id", "expected", "got", "tolerance", "ok"}


def test_the_papers_figures_come_out(run_here):
    answer = run_here("selfcheck", "papers", "--json")
    assert answer.code == 0
    checks = answer.json["checks"]
    assert all(set(c) >= KEYS for c in checks)
    assert all(c["ok"] for c in checks)
    assert len(checks) > 100
    slips = [c for c in checks if c.get("slip")]
    assert {c["printed"] for c in slips if "Table 4" in c["id"]} == {53.3}


def test_the_table_is_for_reading(run_here):
    answer = run_here("selfcheck", "papers")
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].split() == ["check", "expected", "got"]
    kappa = next(line for line in lines if "kappa, unweighted, four decimals" in line)
    assert kappa.startswith("ok ")
    assert "0.6942" in kappa
    slip = next(line for line in lines if "Table 4" in line)
    assert slip.startswith("slip ")
    assert slip.endswith("printed: 53.3")
    assert max(map(len, lines)) < 150
    assert lines[-1].startswith(f"{len(lines) - 2} of {len(lines) - 2} in order")


def test_all_runs_every_part(run_here):
    answer = run_here("selfcheck", "all", "--json")
    assert answer.code == 0
    found = {c["id"] for c in answer.json["checks"]}
    for part in ("arch", "papers"):
        assert {c["id"] for c in run_here("selfcheck", part, "--json").json["checks"]} < found


def test_a_wrong_figure_is_exit_one(run_here, monkeypatch):
    wrong = Check("kappa", 0.69, 0.7, 0.005, False)
    slip = Check("accuracy", 53.75, 53.75, 0.005, True, printed=53.3)
    monkeypatch.setattr(published, "check_papers", lambda: [wrong, slip])
    answer = run_here("selfcheck", "papers")
    assert answer.code == 1
    assert answer.out.splitlines()[1].split()[:4] == ["FAIL", "kappa", "0.69", "0.7"]
    assert answer.out.splitlines()[-1] == "1 of 2 in order; 1 show a slip of a paper"
    assert run_here("selfcheck", "papers", "--json").code == 1


def test_the_papers_need_no_torch():
    code = (
        "import sys; from napari_her2.cli.app import run; code = run(['selfcheck', 'papers']); "
        "sys.exit(code or 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0
