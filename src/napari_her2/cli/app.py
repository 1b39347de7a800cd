"""The program: finds a command, runs it, turns what goes wrong into a sentence and an exit code."""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Sequence
from typing import Final

import click

from napari_her2 import __version__
from napari_her2.errors import Her2Error
from napari_her2.settings import LOGGER

__all__ = ["CANCELLED", "cli", "run"]

CANCELLED: Final = 130
"""Exit code of a run that was stopped: what was done is kept."""

COMMANDS: Final[dict[str, str]] = {
    "cells": "cells:cells_command",
    "demo": "demo:demo",
    "doctor": "doctor:doctor",
    "evaluate": "evaluate:evaluate_command",
    "info": "info:info",
    "labels": "labels:labels",
    "models": "models:models",
    "open": "viewer:open_command",
    "predict": "predict:predict_command",
    "selfcheck": "selfcheck:selfcheck",
    "synth": "synth:synth",
    "tissue": "tissue:tissue",
    "train": "train:train",
}
"""Command name -> ``module:attribute`` below :mod:`napari_her2.cli`."""


class _LazyGroup(click.Group):
    """Imports a command's module when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  (click's signature)
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, attribute = place.split(":")
        command = getattr(importlib.import_module(f"napari_her2.cli.{module}"), attribute)
        assert isinstance(command, click.Command)
        return command


@click.group(
    cls=_LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Example: napari-her2 demo",
)
@click.option("-v", "--verbose", is_flag=True, help="Say more on stderr.")
@click.version_option(__version__, prog_name="napari-her2")
def cli(verbose: bool) -> None:
    """ER, PR and HER2 on whole slides.

    Research use only. Not a medical device. Not for diagnosis or treatment decisions.
    """
    _set_up_logging(verbose)


def _set_up_logging(verbose: bool) -> None:
    """Send our log to stderr; third-party chatter only when asked for.

    Readers log every oddity of a damaged file; the user gets one sentence instead.
    """
    root = logging.getLogger()
    if not root.handlers:
        root.addHandler(logging.NullHandler())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
    target = root if verbose else LOGGER
    for old in [h for h in target.handlers if type(h) is logging.StreamHandler]:
        target.removeHandler(old)
    target.addHandler(handler)
    target.setLevel(logging.INFO if verbose else logging.WARNING)


def run(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments without the program's name; the process's own where left out.

    Returns
    -------
    int
        0 done, 1 some slides of several failed, 2 wrong usage, 3 bad input, 4 a needed choice is
        missing, 130 cancelled. A programming error is raised with its traceback.
    """
    try:
        code = cli.main(args=argv, prog_name="napari-her2", standalone_mode=False)
    except Her2Error as error:
        click.echo(error.sentence, err=True)
        return error.exit_code
    except click.UsageError as error:
        error.show()
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return 3
    except (click.Abort, KeyboardInterrupt):
        click.echo("Cancelled.", err=True)
        return CANCELLED
    except BrokenPipeError:
        # The reader of our output went away (`| head`); there is nobody to tell.
        sys.stderr.close()
        return 0
    return code if isinstance(code, int) else 0
