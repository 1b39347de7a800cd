"""Run the checks and tests, one phase after the other; say what each took and how it ended.

``python scripts/run_tests.py`` runs everything; ``lint``, ``unit`` or ``gui`` only that part.
A phase without a single passed test counts as failed.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
PY = sys.executable
BIN = Path(sys.executable).parent
NO_QT = REPO / ".venv-noqt" / "bin" / "python"
SCREEN = ["xvfb-run", "-a", "-s", "-screen 0 1920x1080x24"]
CODE = ["src", "tests", "benchmarks", "scripts"]


@dataclass
class Outcome:
    """How a phase ended."""

    name: str
    ok: bool
    seconds: float
    closing: str = ""


def tool(*command: str) -> int:
    """Run a checker."""
    return subprocess.run(command, cwd=REPO, check=False).returncode


def pytest(
    name: str, python: str, folders: list[str], *, screen: bool, side_by_side: bool
) -> tuple[bool, str]:
    """Run pytest, pass its output on, and give its closing line.

    Side by side, two processes take whole files in turns; windows need the screen to themselves.
    """
    present = [f for f in folders if any((REPO / f).rglob("test_*.py"))]
    if not present:
        return False, f"{name}: no tests found in {', '.join(folders)}"
    command = [python, "-m", "pytest", "-q", "--durations=10", "-p", "no:cacheprovider", *present]
    command.insert(3, "--color=no")
    if side_by_side:
        command[3:3] = ["-n", "2", "--dist", "loadfile"]
    if screen and shutil.which("xvfb-run"):
        command = [*SCREEN, *command]
    env = {**os.environ, "PYTHONUNBUFFERED": "1"}
    closing, passed = "", 0
    with subprocess.Popen(
        command, cwd=REPO, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        encoding="utf-8", errors="replace",
    ) as process:  # fmt: skip
        assert process.stdout is not None
        for line in process.stdout:
            sys.stdout.write(line)
            sys.stdout.flush()
            if found := re.search(r"\b(\d+) passed\b.* in [\d.]+s", line):
                passed, closing = int(found.group(1)), line.strip()
            elif re.search(r"\b\d+ (failed|skipped|error)\w*\b.* in [\d.]+s", line):
                closing = line.strip()
    if passed == 0:
        closing = closing or "no test ran"
    return process.returncode == 0 and passed > 0, closing


def lint() -> list[tuple[str, Callable[[], tuple[bool, str]]]]:
    """Checks that run no test."""

    def check(*command: str) -> Callable[[], tuple[bool, str]]:
        return lambda: (tool(*command) == 0, "")

    here = [c for c in CODE if any((REPO / c).rglob("*.py"))]
    return [
        ("ruff check", check(PY, "-m", "ruff", "check", *here)),
        ("ruff format", check(PY, "-m", "ruff", "format", "--check", *here)),
        ("mypy", check(PY, "-m", "mypy")),
        ("import-linter", check(str(BIN / "lint-imports"))),
        ("npe2 validate", check(str(BIN / "npe2"), "validate", "napari-her2")),
    ]


def unit() -> list[tuple[str, Callable[[], tuple[bool, str]]]]:
    """Unit tests where no Qt is installed."""

    def run() -> tuple[bool, str]:
        subprocess.run([PY, str(REPO / "scripts" / "noqt_env.py")], check=True)
        return pytest("unit tests", str(NO_QT), ["tests/unit"], screen=False, side_by_side=True)

    return [("unit tests, no Qt", run)]


def gui() -> list[tuple[str, Callable[[], tuple[bool, str]]]]:
    """Everything else, on a virtual screen."""

    def run(name: str, folders: list[str], *, side_by_side: bool) -> tuple[bool, str]:
        if sys.platform == "linux" and not (shutil.which("xvfb-run") or os.environ.get("DISPLAY")):
            return False, "xvfb-run is missing: apt-get install xvfb xauth"
        there = [f"tests/{f}" for f in folders]
        return pytest(name, PY, there, screen=True, side_by_side=side_by_side)

    return [
        ("docks and viewer", lambda: run("docks and viewer", ["qt", "viewer"], side_by_side=False)),
        (
            "command line and real data",
            lambda: run("command line", ["cli", "e2e", "real"], side_by_side=True),
        ),
    ]


def main() -> int:
    """Run the chosen phases; 0 if all are in order."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", nargs="?", choices=["lint", "unit", "gui"])
    chosen = parser.parse_args().part
    parts = {"lint": lint, "unit": unit, "gui": gui}
    phases = [p for name, part in parts.items() if chosen in (None, name) for p in part()]
    outcomes = []
    for name, run in phases:
        print(f"\n--- {name}", flush=True)
        start = time.monotonic()
        ok, closing = run()
        outcomes.append(Outcome(name, ok, time.monotonic() - start, closing))
    print("\n--- summary")
    for o in outcomes:
        print(f"{'ok  ' if o.ok else 'FAIL'} {o.seconds:6.1f} s  {o.name}")
    for o in outcomes:
        if o.closing:
            print(o.closing if o.closing.startswith("=") else f"==== {o.closing} ====")
    return 0 if all(o.ok for o in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
