"""Where results are kept: one folder per slide and run, committed by a marker written last.

``<out>/<slide>/<run-id>/`` holds ``run.json`` (what the run is; ``complete`` is its last key and
is true only once every other file is on the disk), ``slide.json``, ``tissue.geojson``,
``tiles.parquet``, ``heatmaps/`` and, while the run is not complete, ``journal.bin``.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from napari_her2.errors import CannotWriteError, RunDamagedError
from napari_her2.messages import NOTICE
from napari_her2.provenance import now, software
from napari_her2.results.append_log import AppendLog
from napari_her2.results.atomic import (
    discard,
    fsync_tree,
    list_files,
    write_bytes,
    write_json,
    writing,
)
from napari_her2.results.claim import Claim
from napari_her2.results.heatmap import Heatmap, write_heatmap
from napari_her2.results.journal import Journal, ScoredBatch
from napari_her2.results.stored import (
    MARKER,
    StoredRun,
    find_complete,
    find_runs,
    folder_name,
    load_run,
)
from napari_her2.settings import LOGGER

__all__ = ["RunStore", "StoredRun", "find_complete", "find_runs", "folder_name", "load_run"]

SCHEMA: Final = 1
JOURNAL: Final = "journal.bin"
"""What a run has done so far; gone once it is complete."""

_NOT_LISTED: Final = frozenset({JOURNAL, MARKER, "report.html"})


class RunStore:
    """A run that is being written. Use as a context manager; leaving it gives up the claim.

    Made by :meth:`begin`. Whatever happens, the journal holds what was scored, and the same
    request goes on from there.

    Attributes
    ----------
    folder : Path
        ``<out>/<slide>/<run-id>``.
    batches : list of ScoredBatch
        What an earlier, stopped run had scored.
    cached : StoredRun or None
        A complete run of the same request: nothing is to be done and nothing may be written.
    warnings : list of str
        Sentences about earlier runs that had to be left (damaged).
    """

    def __init__(self, folder: Path, claim: Claim, record: dict[str, Any]) -> None:
        self.folder = folder
        self.batches: list[ScoredBatch] = []
        self.cached: StoredRun | None = None
        self.warnings: list[str] = []
        self._claim = claim
        self._record = record
        self._journal: AppendLog[Any] | None = None

    @classmethod
    def begin(
        cls,
        out: Path,
        slide_id: str,
        request_hash: str,
        *,
        facts: Mapping[str, Any],
        journal: Mapping[str, Any],
        resume: bool = True,
    ) -> Self:
        """Find or make the folder of a request.

        Parameters
        ----------
        out : Path
            Folder of results.
        slide_id : str
            Names the folder of the slide.
        request_hash : str
            Digest of request, slide content and models.
        facts : mapping
            What ``run.json`` says besides: request, slide, models, device.
        journal : mapping
            Header of the journal; an earlier journal is used only if its header is equal.
        resume : bool
            Whether an earlier run of the same request may be used.

        Raises
        ------
        RunBusyError
            If another program is writing the same request.
        DiskFullError, CannotWriteError
            If the folder can't be made.
        """
        home = out / folder_name(slide_id)
        with writing(home):
            home.mkdir(parents=True, exist_ok=True)
        if home.is_symlink():
            raise CannotWriteError("cannot_write", path=home, reason="it is a link")
        claim = Claim(home / f".claim-{request_hash[:16]}")
        try:
            return cls._begin(home, claim, request_hash, facts, journal, resume)
        except BaseException:
            claim.release()
            raise

    @classmethod
    def _begin(
        cls,
        home: Path,
        claim: Claim,
        request_hash: str,
        facts: Mapping[str, Any],
        journal: Mapping[str, Any],
        resume: bool,
    ) -> Self:
        warnings: list[str] = []
        same = [r for r in find_runs(home.parent, home.name) if r.request_hash == request_hash]
        for run in reversed(same) if resume else ():
            try:
                if run.complete:
                    run.verify()
                    store = cls(run.folder, claim, dict(run.record))
                    store.cached = run
                elif run.resumable:
                    store = cls(run.folder, claim, dict(run.record))
                    store._open_journal(journal)
                else:
                    continue
            except RunDamagedError as e:
                LOGGER.warning("run %s is damaged and is made again", run.folder.name)
                warnings.append(e.sentence)
                continue
            store.warnings = warnings
            return store
        folder = home / f"{request_hash[:10]}-{secrets.token_hex(3)}"
        with writing(folder):
            folder.mkdir()
        record = {
            "schema": SCHEMA,
            "notice": NOTICE,
            "run_id": folder.name,
            "request_hash": request_hash,
            **facts,
            "software": software(),
            "started": now(),
            "status": "running",
            "resumable": True,
        }
        store = cls(folder, claim, record)
        store.warnings = warnings
        store._open_journal(journal)
        store._write_record(complete=False)
        return store

    @property
    def seconds(self) -> float:
        """How long earlier, stopped attempts of this run took."""
        return float(self._record.get("seconds", 0.0))

    # while it runs ----------------------------------------------------------------------

    def append(self, batch: ScoredBatch) -> None:
        """Keep the scores of one batch.

        Raises
        ------
        DiskFullError, CannotWriteError
            All earlier batches are kept.
        """
        self._append(batch)

    def write_heatmap(self, heatmap: Heatmap, name: str) -> Path:
        """Write the map as far as it is, in place of an earlier state of it."""
        self._check_open()
        path = self.heatmap_path(name)
        write_heatmap(path, heatmap)
        self._claim.heartbeat()
        return path

    def heatmap_path(self, name: str) -> Path:
        """Folder of one heatmap."""
        return self.folder / "heatmaps" / f"{folder_name(name)}.ome.zarr"

    def write_json(self, name: str, content: Mapping[str, Any]) -> Path:
        """Write one more JSON file of the run."""
        self._check_open()
        path = self.folder / name
        write_json(path, content)
        return path

    def write_file(self, name: str, data: bytes) -> Path:
        """Write one more file of the run."""
        self._check_open()
        path = self.folder / name
        write_bytes(path, data)
        return path

    # the end ----------------------------------------------------------------------------

    def commit(self, document: Mapping[str, Any], facts: Mapping[str, Any]) -> StoredRun:
        """Finish the run: flush all files, list them, then write the marker.

        Parameters
        ----------
        document : mapping
            The JSON document of the command.
        facts : mapping
            What ``run.json`` adds at the end: counts, warnings, seconds.
        """
        self._check_open()
        write_json(self.folder / "slide.json", document)
        self._record |= {**facts, "ended": now(), "status": "completed", "resumable": False}
        with writing(self.folder):
            fsync_tree(self.folder)
            files = list_files(self.folder, skip=_NOT_LISTED)
        self._record["files"] = [asdict(f) for f in files]
        self._write_record(complete=True)
        self._close_journal()
        # The tiles are in tiles.parquet now; a journal beside a marker means nothing.
        discard(self.folder / JOURNAL)
        return StoredRun(self.folder, self._record)

    def suspend(
        self,
        status: str,
        document: Mapping[str, Any],
        facts: Mapping[str, Any],
        *,
        resumable: bool = True,
    ) -> None:
        """Stop without completing: cancelled or failed, with what is there so far."""
        self._check_open()
        write_json(self.folder / "slide.json", document)
        self._record |= {**facts, "ended": now(), "status": status, "resumable": resumable}
        self._write_record(complete=False)

    def close(self) -> None:
        """Give up journal and claim. What was scored stays."""
        try:
            self._close_journal()
        finally:
            self._claim.release()

    def _append(self, batch: Any) -> None:
        if self._journal is None:
            msg = "the run is committed and can't be changed"
            raise RuntimeError(msg)
        self._journal.append(batch)
        self._claim.heartbeat()

    def _check_open(self) -> None:
        if self.cached is not None or self._journal is None:
            msg = "the run is committed and can't be changed"
            raise RuntimeError(msg)

    def _open_journal(self, header: Mapping[str, Any]) -> None:
        journal = Journal(self.folder / JOURNAL, header)
        self._journal, self.batches = journal, journal.batches

    def _close_journal(self) -> None:
        if self._journal is not None:
            self._journal.close()
            self._journal = None

    def _write_record(self, *, complete: bool) -> None:
        self._record.pop("complete", None)
        self._record["complete"] = complete
        write_json(self.folder / MARKER, self._record)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()
