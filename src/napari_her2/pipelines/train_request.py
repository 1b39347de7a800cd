"""What is asked of a training run; its home is beside the recipes, below the pipelines."""

from __future__ import annotations

from napari_her2.training.request import RECIPES, RecipeId, TestBy, TrainRequest

__all__ = ["RECIPES", "RecipeId", "TestBy", "TrainRequest"]
