"""Every command in README.md and docs/cli.md is run here, in order, as a reader would."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SHELL_BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"!\[[^\]]+\]\(([^)]+)\)")
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)#]+)")


def commands_of(name: str) -> list[str]:
    text = (REPO / name).read_text(encoding="utf-8")
    lines = [line for block in SHELL_BLOCK.findall(text) for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """One folder and one set of user data for all commands, in the order they are written."""
    base = tmp_path_factory.mktemp("readme")
    env = {
        **os.environ,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "NAPARI_HER2_DATA": str(base / "data"),
        "NAPARI_HER2_CACHE": str(base / "cache"),
        "NAPARI_CONFIG": str(base / "napari.yaml"),
    }
    folder = base / "here"
    folder.mkdir()
    return folder, env


def run_command(line: str, folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Exit status, and what was printed where it should not be empty, or the reason for failing."""
    words = shlex.split(line)
    if words[0] == "make":
        done = subprocess.run(["make", "-n", *words[1:]], cwd=REPO, capture_output=True, text=True,
                              check=False)  # fmt: skip
    elif words[:4] == ["python", "-m", "pip", "install"]:
        # What is installed already counts as there, so this needs no network.
        done = subprocess.run(
            [sys.executable, "-m", "pip", "install", "--dry-run", "--no-build-isolation",
             *words[4:]],
            cwd=REPO, env=env, capture_output=True, text=True, check=False, timeout=240,
        )  # fmt: skip
    elif words[:2] == ["napari-her2", "open"]:
        return stays_open(words, folder, env)
    elif words[0] == "napari-her2":
        done = subprocess.run(words, cwd=folder, env=env, capture_output=True, text=True,
                              check=False, timeout=280)  # fmt: skip
    else:
        return 127, f"not known how to try: {line}"
    return done.returncode, done.stderr if done.returncode else done.stdout


def stays_open(words: list[str], folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """A viewer that opens does not come back by itself: it must still be there after a while."""
    if not (os.environ.get("DISPLAY") or sys.platform in {"win32", "darwin"}):
        pytest.skip("no display")
    with subprocess.Popen(words, cwd=folder, env=env, stderr=subprocess.PIPE, text=True) as process:
        try:
            process.wait(timeout=12)
        except subprocess.TimeoutExpired:
            process.kill()
            return 0, "still open"
        assert process.stderr is not None
        return 1, f"the viewer ended with {process.returncode}: {process.stderr.read()}"


def written_by(line: str, folder: Path) -> list[Path]:
    """What a command was asked to write with ``--out``."""
    words = shlex.split(line)
    return [folder / words[i + 1] for i, word in enumerate(words) if word == "--out"]


@pytest.mark.parametrize("name", ["README.md", "docs/cli.md"])
def test_commands_are_there_to_run(name):
    assert commands_of(name)


@pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
@pytest.mark.parametrize(
    "line", dict.fromkeys(commands_of("README.md") + commands_of("docs/cli.md"))
)
def test_command(line, workplace):
    folder, env = workplace
    status, told = run_command(line, folder, env)
    assert status == 0, f"{line}\n{told}"
    assert told.strip(), f"{line} says nothing"
    assert [p for p in written_by(line, folder) if not p.exists()] == []


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", "docs/cli.md", "docs/models.md",
                                  "docs/reliability.md", "docs/architecture.md"])  # fmt: skip
def test_links_and_pictures_lead_somewhere(name):
    path = REPO / name
    text = path.read_text(encoding="utf-8")
    places = [p for p in PICTURE.findall(text) + LINK.findall(text) if "://" not in p]
    missing = [p for p in places if not (path.parent / p).exists()]
    assert not missing


def test_every_command_of_the_program_is_described():
    import click

    from napari_her2.cli.app import cli

    text = (REPO / "docs" / "cli.md").read_text(encoding="utf-8")
    missing = [c for c in cli.list_commands(click.Context(cli)) if f"`{c}" not in text]
    assert not missing
