"""The command line: thin shells over the pipelines; heavy imports stay inside the commands."""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command line; the console script ``napari-her2``."""
    from napari_her2.cli.app import run

    raise SystemExit(run())
