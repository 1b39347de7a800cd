"""The folder of a training run while it lasts: what was asked, how far it is, its checkpoints."""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from napari_her2.errors import CannotTrainError
from napari_her2.provenance import now
from napari_her2.results.atomic import write_json, writing
from napari_her2.results.claim import Claim
from napari_her2.settings import get_settings
from napari_her2.training.request import TrainRequest

__all__ = [
    "RECORD",
    "Resumable",
    "Workplace",
    "default_out",
    "finished_document",
    "resume_state",
    "unfinished",
]

WORK: Final = ".training"
RECORD: Final = "training.json"
_RUN: Final = "run.json"
_CLAIM: Final = "claim.json"
_PATHS: Final = frozenset({"label_set", "out", "scores"})


@dataclass(frozen=True, slots=True)
class Resumable:
    """A training that stopped before its end.

    Attributes
    ----------
    folder : Path
        The model folder to be.
    request : TrainRequest
        What was asked; given to ``train_model`` again it goes on.
    epoch, epochs : int
        Done, of how many.
    """

    folder: Path
    request: TrainRequest
    epoch: int
    epochs: int


class Workplace:
    """Opened for one run; see :func:`Workplace.opened`.

    Attributes
    ----------
    folder : Path
        Holds the checkpoints.
    run : dict
        What ``run.json`` says.
    resumed : bool
        Whether something is there to go on from.
    """

    def __init__(self, out: Path, run: dict[str, Any], resumed: bool, claim: Claim) -> None:
        self.out, self.folder, self.run, self.resumed = out, out / WORK, run, resumed
        self._claim = claim

    @classmethod
    @contextlib.contextmanager
    def opened(
        cls, request: TrainRequest, digest: str, fresh: dict[str, Any]
    ) -> Iterator[Workplace]:
        """Claim the folder of a request and go on where it stopped, or begin.

        Parameters
        ----------
        request : TrainRequest
            What is asked.
        digest : str
            Of request and labels.
        fresh : dict
            What a new run keeps from its beginning (hardware, id, ...).

        Raises
        ------
        CannotTrainError
            If the folder holds an unfinished run with other settings, or another model.
        RunBusyError
            If another program trains into it.
        """
        out = request.out or default_out(request)
        work = out / WORK
        with writing(out):
            work.mkdir(parents=True, exist_ok=True)
        claim = Claim(work / _CLAIM)
        keep = True
        try:
            run = _read(work / _RUN)
            if run is not None and request.resume and run.get("digest") != digest:
                raise CannotTrainError("other_training", name=out.name)
            done = _read(out / RECORD)
            if request.resume and done is not None and done.get("digest") != digest:
                keep = run is not None
                raise CannotTrainError("model_folder_taken", name=out.name)
            resumed = run is not None and request.resume
            if not resumed:
                _clear(work)
                run = {
                    "digest": digest, "request": _to_json(request), "started": now(),
                    "epoch": 0, "epochs": 0, "seconds": 0.0, **fresh,
                }  # fmt: skip
                write_json(work / _RUN, run)
            assert run is not None
            place = cls(out, run, resumed, claim)
            try:
                yield place
            except BaseException:
                # What failed before its first checkpoint never began: it leaves nothing.
                keep = any(work.glob("*.safetensors"))
                raise
            keep = place.folder.exists()
        finally:
            claim.release()
            if not keep:
                shutil.rmtree(work, ignore_errors=True)
                with contextlib.suppress(OSError):
                    # Only if nothing else is in it.
                    out.rmdir()

    def note(self, **changes: Any) -> None:
        """Write how far the run is."""
        self.run |= changes
        self._claim.heartbeat()
        write_json(self.folder / _RUN, self.run)

    def clear(self) -> None:
        """The run is over: take the checkpoints away."""
        self._claim.release()
        shutil.rmtree(self.folder, ignore_errors=True)


def default_out(request: TrainRequest) -> Path:
    """Where a model goes when no folder is named."""
    from napari_her2.models.wsinfer import slug

    name = slug(request.name or f"{request.recipe}-{request.label_set.name}")
    return get_settings().data_dir / "training" / name


def finished_document(request: TrainRequest, digest: str) -> dict[str, Any] | None:
    """The result of the same request, if it was brought to its end before."""
    out = request.out or default_out(request)
    record = _read(out / RECORD)
    if not request.resume or record is None or record.get("digest") != digest:
        return None
    return record.get("document") if record.get("ending") in {"finished", "early"} else None


def resume_state(out: Path) -> Resumable | None:
    """Whether a training into this folder stopped before its end."""
    run = _read(out / WORK / _RUN)
    if run is None:
        return None
    try:
        request = _from_json(run["request"])
        return Resumable(out, request, int(run["epoch"]), int(run["epochs"]))
    except (KeyError, TypeError, ValueError):
        return None


def unfinished(folder: Path | None = None) -> tuple[Resumable, ...]:
    """Trainings below a folder (the user's own by default) that stopped before their end."""
    root = folder or get_settings().data_dir / "training"
    if not root.is_dir():
        return ()
    found = (resume_state(p) for p in sorted(root.iterdir()) if p.is_dir())
    return tuple(f for f in found if f is not None)


def _clear(work: Path) -> None:
    for path in work.iterdir():
        if path.name != _CLAIM:
            path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _to_json(request: TrainRequest) -> dict[str, Any]:
    values = {f.name: getattr(request, f.name) for f in fields(request)}
    return {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}


def _from_json(document: dict[str, Any]) -> TrainRequest:
    names = {f.name for f in fields(TrainRequest)}
    known: dict[str, Any] = {k: v for k, v in document.items() if k in names}
    for name in _PATHS & known.keys():
        known[name] = None if known[name] is None else Path(known[name])
    return TrainRequest(**known)
