"""How drawn regions become labels: the choices, frozen, and kept with every label set."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from napari_her2.errors import UsageError

__all__ = ["BIOMARKER_ROLES", "Group", "LabelRules", "SplitBy", "SplitRule", "biomarker_classes"]

SplitBy = Literal["slide", "patient", "tile"]
"""What is never on two sides of a split: slides (with their block), patients, or fields of a
slide. The last leaves tiles of one slide in both sets, and its figures are optimistic."""

BIOMARKER_ROLES: Final = ("positive", "negative", "non_tumour")
"""What the three classes of one biomarker stand for (Gamble 2021, stage 1), in their order."""


@dataclass(frozen=True, slots=True)
class LabelRules:
    """What a cell or a tile needs to get a label.

    Parameters
    ----------
    inside : float
        Least share of a tile that lies in regions of its class, above 0 to 1; 1 asks for tiles that
        lie wholly inside. Cells go by their centre.
    other : float
        Largest share of a tile that regions of another class may take. Beyond it the tile is a
        conflict: listed, and not learnt from.
    switched_off : tuple of str
        Classes that are left out.
    left_out : tuple of str
        Ids of annotations that are left out.
    max_per_class : int, optional
        Most labels of one class; which ones is drawn by the seed, spread evenly over the fields.
    reach_um : float
        How far a point or a correction may lie from the centre of the cell it labels.
    propagated : {"train", "leave_out"}
        What becomes of labels carried over from a serial section: learnt from, never tuned or
        tested on (Gamble 2021), or left out.

    Raises
    ------
    UsageError
        If a number makes no sense.
    """

    inside: float = 0.5
    other: float = 0.1
    switched_off: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    max_per_class: int | None = None
    reach_um: float = 6.0
    propagated: Literal["train", "leave_out"] = "train"

    def __post_init__(self) -> None:
        if not 0 < self.inside <= 1:
            raise UsageError("label_inside", value=f"{self.inside:g}")
        if not 0 <= self.other <= 1:
            raise UsageError("label_other", value=f"{self.other:g}")
        if self.max_per_class is not None and self.max_per_class < 1:
            raise UsageError("label_cap", value=self.max_per_class)

    def to_json(self) -> dict[str, Any]:
        """Numbers, words and lists."""
        return {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Group:
    """Where a slide comes from; empty where it is not known.

    Parameters
    ----------
    patient : str
        Whose tissue it is.
    block : str
        Which block of tissue: serial sections of it are never on two sides of a split.
    """

    patient: str = ""
    block: str = ""


@dataclass(frozen=True, slots=True)
class SplitRule:
    """How labels are shared out between training, tuning and test.

    Parameters
    ----------
    by : {"slide", "patient", "tile"}
        See :data:`SplitBy`.
    tune, test : float
        Shares of the labels wished for; the rest is for training.

    Raises
    ------
    UsageError
        If the shares leave nothing to learn from.
    """

    by: SplitBy = "slide"
    tune: float = 0.15
    test: float = 0.25

    def __post_init__(self) -> None:
        if self.tune < 0 or self.test < 0 or self.tune + self.test >= 1:
            raise UsageError("label_shares", tune=f"{self.tune:g}", test=f"{self.test:g}")

    def to_json(self) -> dict[str, Any]:
        """Numbers and words."""
        return asdict(self)


def biomarker_classes(biomarker: str) -> tuple[str, ...]:
    """The three classes of one biomarker, in the order of :data:`BIOMARKER_ROLES`.

    One model for each biomarker, never a shared head (Gamble 2021): a schema that holds the regions
    of all three is read once for each.
    """
    return f"{biomarker}+", f"{biomarker}-", "non-tumour"
