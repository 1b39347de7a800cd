"""Whose stain it is that is seen between two cells.

Two membranes lie between neighbours, closer together than a microscope can show: what is seen
there is the stain of either cell or of both. A cell without any HER2 beside strongly stained ones
shows stained borders all the same. Two things tell how much of its membrane a cell has stained
*itself*.

**The veil.** A section is thicker than a membrane: over a cell with HER2 lie its upper and lower
membrane too, seen face on, so nucleus and cytoplasm are a little brown. A strong stretch between a
cell without a veil and one with it belongs to the second: it is left open for the first, as if it
had not been seen.

**All borders together.** Stain towards a neighbour that is stained all round anyway says little, a
pale stretch anywhere says that the cell's own membrane is not stained there. With p the share of
its membrane that a cell stains, and stained parts anywhere, a border between cells A and B is seen
stained with probability p_A + p_B - p_A p_B. The shares that make what is seen most likely are
found by expectation-maximisation: a stained border counts for A by p_A / (p_A + p_B - p_A p_B), a
pale one by 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["ROUNDS", "OwnStain", "cell_veil", "own_stain", "possibly_own"]

ROUNDS: Final = 2
"""Rounds of expectation-maximisation; more follow the noise of single rays (measured on synthetic
slides), and each lets a cell depend on neighbours one cell further away."""

WHOLE: Final = 0.85
"""A cell with stain of its own over more of its perimeter than this is taken to be stained all
round: neighbours would have to surround it without a gap to look like that."""

LEAST_KNOWN: Final = 0.3
"""A cell is judged by at least this share of its perimeter."""

ALWAYS_OWN_OD: Final = 0.22
TIMES_VEIL: Final = 12.0
"""Up to the first density any stretch may be a cell's own; beyond it the membrane may be so many
times as dense as the veil. The veil is about a seventh of the membrane on synthetic slides (which
draw it), and a sixth to a third on the real ones looked at: the cut lies well below that, so that
it takes away only what can't be the cell's."""


@dataclass(frozen=True, slots=True)
class OwnStain:
    """How a cell's stain divides between it and its neighbours.

    Attributes
    ----------
    share : ndarray of float32
        Shape (n,): share of its membrane that the cell stains itself, 0 to 1.
    visible : ndarray of float32
        Shape (n,): share of its perimeter along which stain is seen, whosever it is.
    part : ndarray of float32
        Shape (n, 32): how much of the perimeter each ray adds to the cell's own.
    """

    share: NDArray[np.float32]
    visible: NDArray[np.float32]
    part: NDArray[np.float32]


def cell_veil(
    nucleus_dab: NDArray[np.float32], cytoplasm_dab: NDArray[np.float32]
) -> NDArray[np.float32]:
    """DAB that lies over a cell apart from its border, optical density.

    Parameters
    ----------
    nucleus_dab : ndarray of float32
        Shape (n,): mean inside the nucleus.
    cytoplasm_dab : ndarray of float32
        Shape (n, 32): between nucleus and membrane, by ray. Its lower quarter counts: the rest may
        be blur of a neighbour's membrane.

    Returns
    -------
    ndarray of float32
        Shape (n,): the larger of both.
    """
    quarter = cytoplasm_dab.shape[1] // 4
    low = np.partition(cytoplasm_dab, quarter, axis=1)[:, quarter]
    return np.maximum(nucleus_dab, low)


def possibly_own(
    od: NDArray[np.float32], veil: NDArray[np.float32], neighbour: NDArray[np.int32]
) -> NDArray[np.bool_]:
    """Rays whose stain may be the cell's own, shape (n, 32).

    All but those that are too strong for the cell's veil and not for the neighbour's.

    Parameters
    ----------
    od : ndarray of float32
        Shape (n, 32): DAB at the membrane.
    veil : ndarray of float32
        Shape (n,), from :func:`cell_veil`.
    neighbour : ndarray of int32
        Shape (n, 32): row of the cell on the other side, -1 where there is none.
    """
    most = np.maximum(np.float32(ALWAYS_OWN_OD), np.float32(TIMES_VEIL) * veil)
    others = np.where(neighbour < 0, np.float32(0), most[neighbour])
    return np.asarray((od <= most[:, None]) | (od > others))


def own_stain(
    stained: NDArray[np.bool_],
    possible: NDArray[np.bool_],
    weight: NDArray[np.float32],
    neighbour: NDArray[np.int32],
    rounds: int = ROUNDS,
) -> OwnStain:
    """Share of its membrane that each cell stains itself.

    Parameters
    ----------
    stained : ndarray of bool
        Shape (n, 32): rays along which stain is seen.
    possible : ndarray of bool
        Shape (n, 32): rays where it may be the cell's own.
    weight : ndarray of float32
        Shape (n, 32): share of the perimeter of each ray, rows sum to 1.
    neighbour : ndarray of int32
        Shape (n, 32): row of the cell on the other side, -1 where there is none.
    rounds : int
        0 gives the share seen where it may be the cell's own.
    """
    visible = np.minimum((weight * stained).sum(1), 1)
    mine = np.asarray(weight * (stained & possible), np.float32)
    known = np.maximum((weight * (possible | ~stained)).sum(1), np.float32(LEAST_KNOWN))
    first = np.minimum(mine.sum(1) / known, 1)
    free = neighbour < 0
    share, part = first, mine
    for _ in range(rounds):
        other = np.where(free, np.float32(0), share[neighbour])
        own = share[:, None]
        either = own + other - own * other
        part = mine * (own / np.maximum(either, np.float32(1e-6)))
        share = np.where(first > WHOLE, first, np.minimum(part.sum(1) / known, 1))
    return OwnStain(share.astype(np.float32), visible.astype(np.float32), part)
