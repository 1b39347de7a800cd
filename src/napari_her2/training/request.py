"""What is asked of a training run, frozen: dock and command line build the same request."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

__all__ = ["RECIPES", "AugmentMode", "RecipeId", "TestBy", "TrainRequest"]

RecipeId = Literal["cells-convnet", "cells-svm", "cells-rf", "stage1", "stage2"]
TestBy = Literal["slide", "tile", "patient"]
AugmentMode = Literal["auto", "none", "geometry", "full"]

RECIPES: Final[tuple[RecipeId, ...]] = (
    "cells-convnet", "cells-svm", "cells-rf", "stage1", "stage2",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class TrainRequest:
    """Train one model.

    Parameters
    ----------
    label_set : Path
        Folder of a label set; for ``stage2`` a table of slides and their status.
    recipe : str
        One of :data:`RECIPES`.
    out : Path, optional
        The model folder to be written; by default one in the user's data folder.
    name : str
        Name of the model; its id is made of it.
    start_from : str, optional
        Id of an installed model, a local safetensors file, or an ``https`` address. None = new.
    start_sha256 : str
        What the bytes at an address must hash to.
    download : bool
        The user's yes to fetching ``start_from`` from an address.
    seed : int
        Of weights, order, augmentation and folds.
    test_by : {"slide", "tile", "patient"}, optional
        Split anew so that no slide (tile, patient) is in two parts; None = as the label set says.
    mode : {"quick", "paper"}
        ``cells-convnet``: our short schedule, or the paper's 70 epochs at a fixed rate.
    epochs : int, optional
        Replaces the recipe's number.
    augment : str
        ``auto`` = the recipe's own, ``none``, ``geometry`` (turned and mirrored), ``full``.
    balance : bool, optional
        Draw the classes equally often; None = as the recipe has it.
    stain_normalise : bool
        Bring the colours of every slide to those of one reference first (tiles).
    membrane : bool
        ``cells-convnet``: give the network the measured membrane beside the crop.
    width : float, optional
        ``stage1``: width of Inception-V3; 1 as published. None = that of the weights it starts
        from (1 for a file), a quarter for new ones.
    biomarker : str, optional
        ``stage1`` and ``stage2``: what the model is for.
    scores : Path, optional
        ``stage2``: tile scores, a table or a folder of runs of ``predict``.
    model : str, optional
        ``stage2``: the tile model that the slide level is fitted for.
    device, precision, threads
        See :func:`~napari_her2.training.hardware.choose_hardware`.
    resume : bool
        Go on where the same request stopped; False starts over.
    max_seconds : float, optional
        Stop training at the end of the epoch after so long.
    checkpoint_seconds : float
        Within an epoch a checkpoint is written this often; at the end of each in any case.
    install : bool
        Add the model to the installed ones when it is done.
    """

    label_set: Path
    recipe: RecipeId
    out: Path | None = None
    name: str = ""
    start_from: str | None = None
    start_sha256: str = ""
    download: bool = False
    seed: int = 1
    test_by: TestBy | None = None
    mode: Literal["quick", "paper"] = "quick"
    epochs: int | None = None
    augment: AugmentMode = "auto"
    balance: bool | None = None
    stain_normalise: bool = False
    membrane: bool = False
    width: float | None = None
    biomarker: str | None = None
    scores: Path | None = None
    model: str | None = None
    device: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    resume: bool = True
    max_seconds: float | None = None
    checkpoint_seconds: float = 60.0
    install: bool = True

    def science(self) -> dict[str, Any]:
        """The part that can change a number, but for the labels themselves."""
        return {
            "recipe": self.recipe, "start_from": self.start_from,
            "start_sha256": self.start_sha256, "seed": self.seed, "test_by": self.test_by,
            "mode": self.mode, "epochs": self.epochs, "augment": self.augment,
            "balance": self.balance, "stain_normalise": self.stain_normalise,
            "membrane": self.membrane, "width": self.width, "biomarker": self.biomarker,
            "model": self.model,
        }  # fmt: skip

    def digest(self, labels: str) -> str:
        """SHA-256 of the science and of the labels' own digest."""
        text = json.dumps({**self.science(), "labels": labels}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()
