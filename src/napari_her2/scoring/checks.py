"""One number that this program must reproduce, and whether it does."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

__all__ = ["Check", "close", "exact"]


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison of a rebuilt number with its published value.

    Attributes
    ----------
    id : str
        What is compared.
    expected, got : object
        Published and rebuilt value, both JSON-ready.
    tolerance : float
        Largest absolute difference that counts as equal; 0 = exactly.
    ok : bool
        Whether they agree.
    note : str
        What a reader should know of this row.
    printed : object
        Only for a slip of the paper: what it prints. ``expected`` is then what its own data give.
    """

    id: str
    expected: Any
    got: Any
    tolerance: float
    ok: bool
    note: str = ""
    printed: Any = None

    @property
    def slip(self) -> bool:
        """Whether the row shows a slip of the paper."""
        return self.printed is not None

    def to_json(self) -> dict[str, Any]:
        """JSON-ready; ``note``, ``slip`` and ``printed`` only where there are any."""
        row: dict[str, Any] = {
            "id": self.id,
            "expected": self.expected,
            "got": self.got,
            "tolerance": self.tolerance,
            "ok": self.ok,
        }
        if self.note:
            row["note"] = self.note
        if self.slip:
            row |= {"slip": True, "printed": self.printed}
        return row


def exact(name: str, expected: Any, got: Any, note: str = "", printed: Any = None) -> Check:
    """Compare two values that must be the same."""
    return Check(name, expected, got, 0.0, expected == got, note, printed)


def close(
    name: str, expected: float, got: float, tolerance: float, note: str = "", printed: Any = None
) -> Check:
    """Compare two numbers that may differ by a rounding.

    A number that is not finite is never close: an undefined figure must not pass.
    """
    value = round(float(got), 6)
    # The published number is rounded to half a unit of its last place; dust must not decide.
    ok = math.isfinite(value) and abs(value - expected) <= tolerance + 1e-9
    return Check(name, expected, value, tolerance, ok, note, printed)
