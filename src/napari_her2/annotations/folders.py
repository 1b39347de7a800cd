"""Where the annotations of a slide are kept."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, Final

from napari_her2.annotations.journal import (
    AnnotationJournal,
    Entry,
    journals_in,
    read_header,
)
from napari_her2.annotations.kept import same_slide
from napari_her2.annotations.snapshots import snapshots_in
from napari_her2.results.atomic import writing
from napari_her2.settings import get_settings

__all__ = ["default_folder", "folder_beside", "is_free", "namesakes", "write_aside"]

_UNSAFE: Final = re.compile(r"[^\w.()+ -]|^[. ]+|[. ]+$")
_MAX_NAME: Final = 120
# Names that Windows keeps for devices, whatever their ending.
_DEVICES: Final = re.compile(r"(?i)(con|prn|aux|nul|com\d|lpt\d)(\..*)?")


def default_folder(identity: Mapping[str, Any]) -> Path:
    """The folder for a slide in the user's data.

    Parameters
    ----------
    identity : mapping
        ``slide_id``, ``width``, ``height``, ``quickhash``.

    Returns
    -------
    Path
        ``annotations/<slide id>``; with a number where another slide of that name has this folder.
    """
    return next(
        f for f, header in _named(identity) if header is None or same_slide(identity, header)
    )


def namesakes(identity: Mapping[str, Any]) -> list[Path]:
    """Folders of slides of the same name and size whose pixels are others.

    Mostly another slide of a common name; it may also be the same one, written anew by some
    program. Nobody can tell, so it is said and not decided.
    """
    without = {**identity, "quickhash": None}
    found = []
    for folder, header in _named(identity):
        if header is None:
            break
        if same_slide(without, header) and not same_slide(identity, header):
            found.append(folder)
    return found


def _named(identity: Mapping[str, Any]) -> Iterator[tuple[Path, dict[str, Any] | None]]:
    """The folders for slides of one name, with the slide each belongs to; last an unused one."""
    root = get_settings().data_dir / "annotations"
    name = _UNSAFE.sub("_", str(identity["slide_id"]))[:_MAX_NAME] or "_"
    if _DEVICES.fullmatch(name):
        name = f"_{name}"
    for number in count(1):
        folder = root / (name if number == 1 else f"{name}~{number}")
        header = next((h for p in journals_in(folder) if (h := read_header(p))), None)
        yield folder, header
        if header is None:
            return


def folder_beside(slide: Path) -> Path:
    """The folder beside a slide, for those who want to keep both together."""
    return slide.with_name(f"{slide.name}.annotations")


def is_free(folder: Path) -> bool:
    """Whether no annotations are kept there."""
    return not journals_in(folder) and not snapshots_in(folder)


def write_aside(folder: Path, header: Mapping[str, Any], entries: Sequence[Entry]) -> Path:
    """Write actions into a file of their own, which nothing reads by itself.

    Raises
    ------
    DiskFullError, CannotWriteError
        If it can't be written.
    """
    path = folder / f"discarded-{secrets.token_hex(4)}.bin"
    with writing(path), AnnotationJournal(path, header) as journal:
        for entry in entries:
            journal.append(entry)
    return path
