"""What the form of the Train dock says, and the request that is made of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from napari_her2.errors import UsageError
from napari_her2.pipelines.train_request import RecipeId, TestBy, TrainRequest

__all__ = ["CELL_RECIPES", "TILE_RECIPES", "TrainForm", "recipes_for", "to_request"]

CELL_RECIPES: Final[tuple[RecipeId, ...]] = ("cells-convnet", "cells-svm", "cells-rf")
TILE_RECIPES: Final[tuple[RecipeId, ...]] = ("stage1",)


def recipes_for(kind: str) -> tuple[RecipeId, ...]:
    """Recipes that learn from such labels."""
    return TILE_RECIPES if kind == "tiles" else CELL_RECIPES


@dataclass(frozen=True, slots=True)
class TrainForm:
    """The form as filled in.

    Attributes
    ----------
    label_set : Path or None
        None where there is none yet.
    recipe : str
        What learns.
    name : str
        Of the model to be.
    start_from : str or None
        Id of an installed model.
    test_by : {"slide", "tile", "patient"}
        What is kept apart.
    seed : int
    mode : {"quick", "paper"}
        Schedule of the ConvNet.
    epochs : int or None
        None = as the recipe.
    membrane, stain_normalise : bool
        See :class:`~napari_her2.training.request.TrainRequest`.
    resume : bool
        Go on where the same request stopped.
    """

    label_set: Path | None
    recipe: RecipeId
    name: str = ""
    start_from: str | None = None
    test_by: TestBy = "slide"
    seed: int = 1
    mode: Literal["quick", "paper"] = "quick"
    epochs: int | None = None
    membrane: bool = False
    stain_normalise: bool = False
    resume: bool = True


def to_request(form: TrainForm) -> TrainRequest:
    """The request that dock and command line share.

    Raises
    ------
    UsageError
        If there is no label set.
    """
    if form.label_set is None:
        raise UsageError("no_label_set")
    more: dict[str, Any] = {}
    if form.recipe == "cells-convnet":
        more = {"mode": form.mode, "membrane": form.membrane, "epochs": form.epochs}
    elif form.recipe == "stage1":
        more = {"stain_normalise": form.stain_normalise, "epochs": form.epochs}
    return TrainRequest(
        label_set=form.label_set, recipe=form.recipe, name=form.name, start_from=form.start_from,
        seed=form.seed, test_by=form.test_by, resume=form.resume, **more,
    )  # fmt: skip
