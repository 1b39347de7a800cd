"""What a HER2 rule looks at: shares of tumour cells by grade, and how many cells they rest on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from napari_her2.errors import UsageError
from napari_her2.types import IhcScore

__all__ = [
    "GRADES",
    "MIN_TUMOUR_CELLS",
    "NOT_TUMOUR",
    "TUMOUR",
    "CellCounts",
    "Evidence",
    "Shares",
    "count_cells",
    "shares_from_percent",
]

GRADES: Final[tuple[IhcScore, ...]] = ("0", "1+", "2+", "3+")
"""Grades of one tumour cell, weakest first."""

TUMOUR: Final = ("tumour 0", "tumour 1+", "tumour 2+", "tumour 3+")
"""Names of the tumour cell classes, in the order of :data:`GRADES`. A short name ("2+") means the
same."""

NOT_TUMOUR: Final = ("stroma", "immune", "artefact")
"""Names of the cell classes that no rule counts."""

MIN_TUMOUR_CELLS: Final = 100
"""With fewer tumour cells no score is given. Our choice: at 100 cells one cell is one percentage
point, and the standard error of a share of 10 % is already 3 points."""

_SUM_TOLERANCE = 0.5
"""Percentages that a reader writes down may miss 100 by rounding."""


@dataclass(frozen=True, slots=True)
class CellCounts:
    """Cells of a case by class.

    Attributes
    ----------
    tumour : tuple of int
        Tumour cells graded 0, 1+, 2+, 3+.
    other : int
        Stroma and immune cells.
    artefact : int
        Objects that are no cells.
    """

    tumour: tuple[int, int, int, int]
    other: int = 0
    artefact: int = 0

    @property
    def tumour_cells(self) -> int:
        """Tumour cells of all grades."""
        return sum(self.tumour)

    @property
    def found(self) -> int:
        """Everything that was detected."""
        return self.tumour_cells + self.other + self.artefact

    @property
    def all_artefact(self) -> bool:
        """Whether something was detected and none of it is a cell."""
        return self.artefact > 0 and self.found == self.artefact

    @property
    def shares(self) -> Shares:
        """Percent of tumour cells by grade; all 0 without a tumour cell."""
        n = self.tumour_cells
        # 100 * k / n rounds once: 10 cells of 100 are exactly 10 %, on which the cuts depend.
        percent = tuple(100 * k / n if n else 0.0 for k in self.tumour)
        stained = [sum(self.tumour[i:]) for i in range(4)]
        return Shares(percent, tuple(100 * k / n if n else 0.0 for k in stained), n)


@dataclass(frozen=True, slots=True)
class Shares:
    """Percent of tumour cells.

    Attributes
    ----------
    percent : tuple of float
        Cells of exactly grade 0, 1+, 2+, 3+.
    at_least : tuple of float
        Cells of that grade or a stronger one; the first is 100 (or 0 without tumour cells).
    cells : int or None
        Tumour cells they rest on; None for percentages that a reader estimated.
    """

    percent: tuple[float, ...]
    at_least: tuple[float, ...]
    cells: int | None

    def named(self) -> dict[str, float]:
        """Percent by grade."""
        return dict(zip(GRADES, self.percent, strict=True))


@dataclass(frozen=True, slots=True)
class Evidence:
    """Everything a rule may look at.

    Attributes
    ----------
    shares : Shares
        Percent of tumour cells by grade.
    clusters : mapping of str to int, or None
        Tumour cells in the largest cluster stained with "1+", "2+", "3+" or stronger; for biopsies.
    incomplete_intense : float
        Percent of tumour cells with moderate to intense but incomplete (basolateral, lateral)
        staining, whatever class they were given; for breast.
    """

    shares: Shares
    clusters: Mapping[str, int] | None = None
    incomplete_intense: float = 0.0


def count_cells(counts: Mapping[str, int]) -> CellCounts:
    """Sort counted cells into what the rules look at.

    Parameters
    ----------
    counts : mapping of str to int
        Number of cells of each class: :data:`TUMOUR` (or the bare grades) and :data:`NOT_TUMOUR`.
        A class that is missing counts 0.

    Raises
    ------
    ValueError
        For a class that is not known, or a negative number: programming errors.
    """
    tumour = [0, 0, 0, 0]
    other = artefact = 0
    for name, number in counts.items():
        n = int(number)
        if n < 0:
            msg = f"{n} cells of class {name!r}"
            raise ValueError(msg)
        grade = name.removeprefix("tumour ")
        if grade in GRADES:
            tumour[GRADES.index(grade)] += n
        elif name == "artefact":
            artefact += n
        elif name in NOT_TUMOUR:
            other += n
        else:
            msg = f"no class of HER2 cells: {name!r}"
            raise ValueError(msg)
    return CellCounts((tumour[0], tumour[1], tumour[2], tumour[3]), other, artefact)


def shares_from_percent(percent: Mapping[str, float], cells: int | None = None) -> Shares:
    """Take percentages that someone estimated, e.g. the mean of several readings.

    Parameters
    ----------
    percent : mapping of str to float
        Percent of tumour cells by grade; a grade that is missing is 0.
    cells : int, optional
        Tumour cells they rest on, if counted.

    Raises
    ------
    UsageError
        ``percent_sum`` if they miss 100 by more than half a point, ``percent_range`` if one lies
        outside 0 to 100.
    ValueError
        For a grade that is not known: a programming error.
    """
    values = [0.0, 0.0, 0.0, 0.0]
    for name, value in percent.items():
        values[GRADES.index(name.removeprefix("tumour "))] += float(value)
    if not all(0 <= v <= 100 for v in values):
        raise UsageError("percent_range")
    total = sum(values)
    if not abs(total - 100) <= _SUM_TOLERANCE:
        raise UsageError("percent_sum", sum=f"{total:g}")
    # Means of readings carry dust of arithmetic (10.000000000000002) that must not cross a cut.
    stained = tuple(round(sum(values[i:]), 9) for i in range(4))
    return Shares(tuple(round(v, 9) for v in values), stained, cells)
