"""Running the program as a user does, in this process or in one of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest


@dataclass(frozen=True)
class Answer:
    """What a command said and how it ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one document on stdout."""
        document = json.loads(self.out)
        assert isinstance(document, dict)
        return document

    def is_one_sentence(self) -> bool:
        """Whether stderr holds one line of plain words."""
        lines = self.err.strip().splitlines()
        return len(lines) == 1 and lines[0].endswith((".", "?")) and "Traceback" not in self.err


@pytest.fixture
def run_here(capfd: pytest.CaptureFixture[str]) -> Callable[..., Answer]:
    """Run a command in this process: quick."""
    from napari_her2.cli.app import run

    def call(*args: object) -> Answer:
        capfd.readouterr()
        code = run([str(a) for a in args])
        out, err = capfd.readouterr()
        return Answer(code, out, err)

    return call


@pytest.fixture
def run_program(tmp_path: Path) -> Callable[..., Answer]:
    """Run a command in a process of its own: what a shell sees."""

    def call(*args: object, cwd: Path | None = None, timeout: float = 240) -> Answer:
        done = subprocess.run(
            [sys.executable, "-m", "napari_her2", *map(str, args)],
            capture_output=True, text=True, encoding="utf-8", check=False, timeout=timeout,
            cwd=cwd or tmp_path, env=dict(os.environ),
        )  # fmt: skip
        return Answer(done.returncode, done.stdout, done.stderr)

    return call


def commands() -> Sequence[Sequence[str]]:
    """Every command and subcommand."""
    import click

    from napari_her2.cli.app import cli

    found: list[list[str]] = [[]]
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        found.append([name])
        if isinstance(command, click.Group):
            found += [[name, sub] for sub in command.list_commands(context)]
    return found
