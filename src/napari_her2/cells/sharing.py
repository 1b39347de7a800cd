"""Whose stain it is that is seen between two cells.

Two membranes lie between neighbours, closer together than a microscope can show: what is seen
there is the stain of either cell or of both. A cell without any HER2 beside strongly stained ones
shows stained borders all the same. How much of its membrane a cell has stained *itself* follows
from all its borders together: stain towards a neighbour that is stained all round anyway says
little, a pale stretch anywhere says that the cell's own membrane is not stained there.

With p the share of its membrane that a cell stains, and stained parts anywhere, a border between
cells A and B is seen stained with probability p_A + p_B - p_A p_B. The shares that make what is
seen most likely are found by expectation-maximisation: a stained border counts for A by
p_A / (p_A + p_B - p_A p_B), a pale one by 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDS", "OwnStain", "own_stain"]

ROUNDS: Final = 3
"""Rounds of expectation-maximisation; more follow the noise of single rays (measured on synthetic
slides), and each lets a cell depend on neighbours one cell further away."""

WHOLE: Final = 0.9
"""A cell seen stained over more of its perimeter than this is taken to be stained all round itself:
neighbours would have to surround it without a gap to look like that."""


@dataclass(frozen=True, slots=True)
class OwnStain:
    """How a cell's stain divides between it and its neighbours.

    Attributes
    ----------
    share : ndarray of float32
        Shape (n,): share of its membrane that the cell stains itself, 0 to 1.
    visible : ndarray of float32
        Shape (n,): share of its perimeter along which stain is seen; never below ``share``.
    part : ndarray of float32
        Shape (n, 32): how much of the perimeter each ray adds to ``share``, about.
    """

    share: NDArray[np.float32]
    visible: NDArray[np.float32]
    part: NDArray[np.float32]


def own_stain(
    stained: NDArray[np.bool_],
    weight: NDArray[np.float32],
    neighbour: NDArray[np.int32],
    rounds: int = ROUNDS,
) -> OwnStain:
    """Share of its membrane that each cell stains itself.

    Parameters
    ----------
    stained : ndarray of bool
        Shape (n, 32): rays along which stain is seen.
    weight : ndarray of float32
        Shape (n, 32): share of the perimeter of each ray, rows sum to 1.
    neighbour : ndarray of int32
        Shape (n, 32): row of the cell on the other side, -1 where there is none.
    rounds : int
        0 gives the visible share.
    """
    seen = np.asarray(weight * stained, np.float32)
    visible = np.minimum(seen.sum(1), 1)
    free = neighbour < 0
    share, part = visible, seen
    for _ in range(rounds):
        other = np.where(free, np.float32(0), share[neighbour])
        own = share[:, None]
        either = own + other - own * other
        part = seen * (own / np.maximum(either, np.float32(1e-6)))
        share = np.where(visible > WHOLE, visible, np.minimum(part.sum(1), 1))
    return OwnStain(share.astype(np.float32), visible.astype(np.float32), part)
