"""From receptor status to what a tumour looks like, along the findings of P1.

Gamble 2021 found: low grade points to ER+, tumour-infiltrating lymphocytes to ER-; low grade,
lobular growth, DCIS and desmoplasia to PR+, high grade to PR-; low grade and lobular growth to
HER2-. Each receptor has two cues here, drawn independently, so that no single one decides:

========  ==========================================  =====================================
receptor  positive                                    negative
========  ==========================================  =====================================
ER        small even nuclei; few lymphocytes          large pleomorphic nuclei; many
PR        tubules or single files; desmoplasia        solid sheets; loose stroma
HER2      DCIS with comedo necrosis; wide cytoplasm   no necrosis; scant cytoplasm, lobular
========  ==========================================  =====================================
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from napari_her2.types import Biomarker

__all__ = ["Architecture", "Morphology", "Statuses", "draw_morphology", "draw_statuses"]

Statuses = dict[Biomarker, bool]
Architecture = Literal["tubules", "single-file", "solid", "trabeculae", "mucinous"]


@dataclass(frozen=True, slots=True)
class Morphology:
    """What one tumour region looks like. Lengths in µm, densities per mm².

    Attributes
    ----------
    nucleus_um : float
        Mean nuclear diameter.
    pleomorphism : float
        Coefficient of variation of that diameter.
    darkness : float
        Haematoxylin of a nucleus, 0 to 1.
    vesicular : float
        Share of nuclei that are pale with a dark rim and nucleoli.
    mitoses : float
        Share of nuclei in mitosis.
    cytoplasm_um : float
        Room between neighbouring nuclei.
    architecture : str
        How the invasive cells are arranged.
    dcis : float
        In-situ ducts per mm².
    comedo : bool
        Whether those ducts hold necrosis; otherwise they are cribriform.
    desmoplasia : float
        0 loose stroma to 1 dense wavy collagen.
    tils : float
        Lymphocytes per mm² of stroma.
    """

    nucleus_um: float
    pleomorphism: float
    darkness: float
    vesicular: float
    mitoses: float
    cytoplasm_um: float
    architecture: Architecture
    dcis: float
    comedo: bool
    desmoplasia: float
    tils: float


def draw_statuses(rng: np.random.Generator) -> Statuses:
    """Draw the status of a tumour; PR mostly follows ER, every combination occurs."""
    er = bool(rng.random() < 0.52)
    pr = er if rng.random() < 0.62 else not er
    return {"ER": er, "PR": pr, "HER2": bool(rng.random() < 0.48)}


def _cue(rng: np.random.Generator, positive: bool, faithful: float = 0.96) -> bool:
    """A cue shows its receptor's status, except now and then."""
    return positive if rng.random() < faithful else not positive


def draw_morphology(rng: np.random.Generator, statuses: Statuses) -> Morphology:
    """Draw what a tumour of the given status looks like."""
    er, pr, her2 = statuses["ER"], statuses["PR"], statuses["HER2"]
    low_grade, few_tils = _cue(rng, er), _cue(rng, er)
    organised, desmoplastic = _cue(rng, pr), _cue(rng, pr)
    comedo, wide = _cue(rng, her2), _cue(rng, her2)
    # Grade leans a little towards PR- and HER2+ as well, as the concept tests of P1 found.
    lean = 0.35 * (not pr) + 0.35 * her2
    if low_grade:
        nucleus, spread = rng.uniform(6.6, 7.6) + lean, rng.uniform(0.06, 0.10)
        vesicular, mitoses = rng.uniform(0, 0.06), 0.0005
    else:
        nucleus, spread = rng.uniform(11.8, 13.8) + lean, rng.uniform(0.18, 0.28)
        vesicular, mitoses = rng.uniform(0.3, 0.6), rng.uniform(0.008, 0.02)
    architecture: Architecture
    if organised:
        lobular = not comedo and not wide and rng.random() < 0.45
        mucinous = not lobular and not comedo and rng.random() < 0.2
        architecture = "single-file" if lobular else "mucinous" if mucinous else "tubules"
    else:
        architecture = "trabeculae" if rng.random() < 0.3 else "solid"
    if comedo:
        dcis = rng.uniform(3.5, 5.5)
    else:
        dcis = rng.uniform(0.3, 1.2) if organised else rng.uniform(0, 0.2)
    return Morphology(
        nucleus_um=float(nucleus),
        pleomorphism=float(spread),
        darkness=float(rng.uniform(0.5, 0.68)),
        vesicular=float(vesicular),
        mitoses=float(mitoses),
        cytoplasm_um=float(rng.uniform(7.5, 10.0) if wide else rng.uniform(1.6, 3.0)),
        architecture=architecture,
        dcis=float(dcis),
        comedo=comedo,
        desmoplasia=float(rng.uniform(0.75, 1.0) if desmoplastic else rng.uniform(0.0, 0.25)),
        tils=float(rng.uniform(40, 200) if few_tils else rng.uniform(3000, 4600)),
    )
