"""The annotations of a slide, whole and with their history, put into another folder."""

from __future__ import annotations

import shutil
from pathlib import Path

from napari_her2.annotations.folders import is_free
from napari_her2.annotations.journal import journals_in
from napari_her2.annotations.ledger import ChangedOnDiskError, Ledger
from napari_her2.annotations.store import AnnotationStore
from napari_her2.errors import BadAnnotationsError, Her2Error
from napari_her2.results.atomic import fsync_folder, writing

__all__ = ["copy_into", "free_folder_beside"]

_BLOCK = 1 << 20


def copy_into(
    folder: Path, ledger: Ledger, store: AnnotationStore, mpp: tuple[float, float] | None
) -> Ledger:
    """Put everything into another folder, also what could not be saved so far.

    Journals that can't be read any more are left out: what they hold of the present is in the
    snapshot, but can't be undone there.

    Parameters
    ----------
    folder : Path
        Made if need be; must hold no annotations.
    ledger : Ledger
        Of the present folder; not changed.
    store, mpp
        What the snapshot takes.

    Returns
    -------
    Ledger
        Of the new folder, claimed.

    Raises
    ------
    BadAnnotationsError
        If it holds some.
    DiskFullError, CannotWriteError, RunBusyError
        If it can't be written.
    """
    if not is_free(folder):
        raise BadAnnotationsError("annotations_there", path=folder)
    new = Ledger(folder)
    try:
        new.claim()
        _copy_journals(ledger.folder, folder)
        new.look()
        new.start(ledger.header, ledger.seq, ledger.chain, ledger.journal)
        new.pending = list(ledger.pending)
        new.snapped = (-1, "")
        new.snapshot(store, mpp)
    except ChangedOnDiskError:
        new.close()
        raise BadAnnotationsError("annotations_there", path=folder) from None
    except Her2Error:
        new.close()
        raise
    return new


def free_folder_beside(folder: Path) -> Path:
    """``<folder>.copy-1``, or the next number that holds no annotations."""
    number = 1
    while not is_free(found := folder.with_name(f"{folder.name}.copy-{number}")):
        number += 1
    return found


def _copy_journals(source: Path, target: Path) -> None:
    for path in journals_in(source):
        try:
            data = path.open("rb")
        except OSError:
            continue
        with data, writing(target), (target / path.name).open("xb") as f:
            shutil.copyfileobj(data, f, _BLOCK)
    with writing(target):
        fsync_folder(target)
