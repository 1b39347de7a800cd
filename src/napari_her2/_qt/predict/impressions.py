"""Keeps what readers thought before they saw the numbers: one line each, never changed."""

from __future__ import annotations

import json
import os
from pathlib import Path

from napari_her2._qt.components.notice_dialog import reader_initials
from napari_her2.errors import CannotWriteError
from napari_her2.provenance import now
from napari_her2.settings import get_settings

__all__ = ["impressions_path", "note_impression"]


def impressions_path() -> Path:
    """Where impressions are kept."""
    return get_settings().data_dir / "impressions.jsonl"


def note_impression(slide_id: str, run_id: str | None, model_id: str, verdict: str) -> None:
    """Add one impression to the file, flushed to the disk.

    Parameters
    ----------
    slide_id, run_id, model_id : str
        What it is about.
    verdict : str
        ``pos``, ``neg`` or ``unsure``.

    Raises
    ------
    CannotWriteError
        If it can't be kept.
    """
    path = impressions_path()
    entry = {
        "slide_id": slide_id,
        "run_id": run_id,
        "model_id": model_id,
        "verdict": verdict,
        "reader": reader_initials(),
        "time": now(),
    }
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise CannotWriteError("cannot_write", path=path, reason=reason) from None
