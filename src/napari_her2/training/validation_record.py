"""When a model may be called validated here: by recording a figure with all that makes it one.

The record goes into the model's card; who recorded it and when is kept beside the card in a file
that only grows.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from napari_her2.errors import CannotTrainError
from napari_her2.models.card import ModelCard, Validation, read_card
from napari_her2.models.intake import CARD
from napari_her2.models.weights import sha256_of
from napari_her2.provenance import now
from napari_her2.results.atomic import fsync_folder, write_json, writing
from napari_her2.training.evaluation import Evaluation

__all__ = [
    "AUDIT",
    "ON_THE_CARD",
    "AuditRow",
    "card_validation",
    "read_audit",
    "record_validation",
]

AUDIT: Final = "validations.jsonl"
"""One line for each record, beside the card."""

ON_THE_CARD: Final = {
    "f1_macro": "macro F1",
    "balanced_accuracy": "balanced accuracy",
    "auc_macro": "macro AUC (one against the rest)",
    "ece": "expected calibration error",
}
"""Figures of a test that stand on a card, and how they are called there."""

LONGEST: Final = 120
_FIRST_YEAR = 2000


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One record as it was made.

    Attributes
    ----------
    when : str
        UTC, to the second.
    who : str
        Initials or login of whoever recorded it; may be empty.
    model, weights_sha256 : str
        What was validated.
    status_before : str
        Status of the card until then.
    validation : dict
        The record as it stands on the card.
    card_sha256 : str
        Of the card's content that was written with it.
    """

    when: str
    who: str
    model: str
    weights_sha256: str
    status_before: str
    validation: dict[str, Any]
    card_sha256: str


def card_validation(
    evaluation: Evaluation, *, unit: str, site: str, date: str
) -> tuple[Validation, ...]:
    """The figures of a test as they stand on a card.

    Parameters
    ----------
    evaluation : Evaluation
        The test.
    unit : str
        What was counted: ``cells`` or ``tiles``.
    site, date : str
        Where the test slides come from, and when they were tested (``2026-11-20``).

    Returns
    -------
    tuple of Validation
        Those of :data:`ON_THE_CARD` that are defined. A card with them is not validated: that
        takes :func:`record_validation`.
    """
    found = evaluation.metrics()
    return tuple(
        Validation(
            metric=title, value=found[name].value, ci95=found[name].ci95, n=evaluation.n,
            unit=unit, site=site, date=date,
        )
        for name, title in ON_THE_CARD.items()
        if found[name].value is not None
    )  # fmt: skip


def record_validation(
    model_folder: Path,
    *,
    metric: str,
    value: float | None,
    ci95: tuple[float, float] | None,
    n: int | None,
    site: str,
    date: str,
    unit: str = "slides",
    who: str = "",
) -> ModelCard:
    """Write a validation onto a model's card, which then reads ``user-validated-locally``.

    Parameters
    ----------
    model_folder : Path
        The model.
    metric : str
        Name of the figure, never only "accuracy".
    value : float
        The figure.
    ci95 : (float, float)
        Its 95 % interval; holds the value.
    n : int
        How many were tested.
    site : str
        Laboratory or hospital whose slides were tested.
    date : str
        ``2026-11-20``; not in the future.
    unit : str
        What was counted: ``slides``, ``cases``, ``tiles`` or ``cells``.
    who : str
        Who records it, for the audit file.

    Returns
    -------
    ModelCard
        As written. On any error the card is as it was.

    Raises
    ------
    CannotTrainError
        If something of the record is missing or contradicts itself, or the model is a demo.
    BadModelError
        If the folder holds no card.
    CannotWriteError, DiskFullError
        If it can't be written.
    """
    path = model_folder / CARD
    card = read_card(path)
    if card.is_demo:
        raise CannotTrainError("validation_demo", model=card.id)
    given = _checked(metric, value, ci95, n, site, date, unit)
    after = card.model_copy(
        update={"validation": (*card.validation, given), "status": "user-validated-locally"}
    )
    document = after.model_dump(mode="json")
    row = AuditRow(
        now(), who.strip()[:LONGEST], card.id, card.weights_sha256 or "", card.status,
        given.model_dump(mode="json"), sha256_of(_canonical(document)),
    )  # fmt: skip
    # The audit line first: a kill between the two leaves a line too many, never a silent change.
    _append(model_folder / AUDIT, row)
    write_json(path, document)
    return after


def read_audit(model_folder: Path) -> tuple[AuditRow, ...]:
    """The records of a model in their order; a torn last line is left out."""
    try:
        lines = (model_folder / AUDIT).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return ()
    rows = []
    for line in lines:
        try:
            rows.append(AuditRow(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return tuple(rows)


def _checked(
    metric: str,
    value: float | None,
    ci95: tuple[float, float] | None,
    n: int | None,
    site: str,
    date: str,
    unit: str,
) -> Validation:
    given: dict[str, object] = {
        "metric": metric.strip(), "value": value, "95 % interval": ci95, "n": n,
        "site": site.strip(), "date": date.strip(),
    }  # fmt: skip
    missing = [name for name, v in given.items() if v is None or v == ""]
    if missing:
        raise CannotTrainError("validation_incomplete", missing=", ".join(missing))
    assert value is not None
    assert ci95 is not None
    assert n is not None
    low, high = ci95
    if not all(math.isfinite(v) for v in (value, low, high)) or not low <= value <= high:
        raise CannotTrainError(
            "validation_wrong", reason=f"{value:g} does not lie in {low:g} to {high:g}"
        )
    if n < 1:
        raise CannotTrainError("validation_wrong", reason="n has to be 1 or more")
    if metric.strip().lower() == "accuracy":
        raise CannotTrainError(
            "validation_wrong", reason="“accuracy” alone is ambiguous: plain or balanced accuracy"
        )
    if max(len(metric), len(site), len(unit)) > LONGEST or not unit.strip():
        raise CannotTrainError(
            "validation_wrong", reason=f"names have to be 1 to {LONGEST} characters long"
        )
    return Validation(
        metric=metric.strip(), value=value, ci95=(low, high), n=n, unit=unit.strip(),
        site=site.strip(), date=_day(date.strip()),
    )  # fmt: skip


def _day(text: str) -> str:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        raise CannotTrainError(
            "validation_wrong", reason=f"{text[:40]} is not a date like 2026-11-20"
        ) from None
    # East of Greenwich the day begins before it does in UTC.
    latest = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=1)
    if day.year < _FIRST_YEAR or day > latest:
        raise CannotTrainError(
            "validation_wrong", reason=f"{day} lies in the future or too far back"
        )
    return day.isoformat()


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _append(path: Path, row: AuditRow) -> None:
    line = json.dumps(asdict(row), ensure_ascii=False) + "\n"
    with writing(path):
        torn = path.exists() and not path.read_bytes().endswith(b"\n")
        with path.open("ab") as f:
            # A line that a power cut left unfinished must not swallow the next one.
            f.write((b"\n" if torn else b"") + line.encode("utf-8"))
            f.flush()
            os.fsync(f.fileno())
        fsync_folder(path.parent)
