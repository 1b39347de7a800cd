"""Model cards: what a model was made for, from what, and how far it was checked."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_her2.errors import BadModelError
from napari_her2.types import ModelStatus

__all__ = ["ModelCard", "Transform", "Validation", "read_card"]


class Transform(BaseModel):
    """One step of WSInfer's preprocessing list, as in its zoo schema."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: Literal["Resize", "ToTensor", "Normalize"]
    arguments: dict[str, Any] | None = None


class Validation(BaseModel):
    """One figure a model was checked by: never a figure without n and interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    metric: str
    value: float
    ci95: tuple[float, float] | None
    n: int = Field(ge=1)
    unit: str = "tiles"
    site: str
    date: str


class ModelCard(BaseModel):
    """Card of a model: WSInfer's keys and ours.

    ``class_roles`` names the index of each role: ``positive``, ``negative`` and ``non_tumour`` for
    the three-class models of P1; ``tumour`` and ``other`` for a detector.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    # WSInfer's keys
    spec_version: str = "1.0"
    architecture: str
    num_classes: int = Field(ge=2, le=64)
    patch_size_pixels: int = Field(ge=16, le=4096)
    spacing_um_px: float = Field(gt=0.05, le=20)
    class_names: tuple[str, ...]
    transform: tuple[Transform, ...]
    # ours
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    name: str
    version: str
    biomarker: str | None
    stain: Literal["H&E", "H-DAB"]
    organ: str
    class_roles: dict[str, int]
    selector: dict[str, Any] = Field(default_factory=lambda: {"kind": "tissue"})
    tile_model: dict[str, Any] = Field(default_factory=dict)
    aggregator: dict[str, Any] | None = None
    weights_sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")
    licence: str
    source: str
    training_data: str
    validation: tuple[Validation, ...] = ()
    good_at: str = ""
    weak_at: str = ""
    status: ModelStatus
    intended_use: str

    @model_validator(mode="after")
    def _classes_agree(self) -> ModelCard:
        if len(self.class_names) != self.num_classes:
            msg = f"{self.num_classes} classes but {len(self.class_names)} class names"
            raise ValueError(msg)
        if any(not 0 <= i < self.num_classes for i in self.class_roles.values()):
            msg = "class_roles names a class that does not exist"
            raise ValueError(msg)
        return self

    @property
    def is_cell_model(self) -> bool:
        """Whether it classifies single cells (``selector`` is ``{"kind": "cells"}``), not tiles."""
        return self.selector.get("kind") == "cells"

    @property
    def is_demo(self) -> bool:
        """Whether the model knows synthetic tissue only."""
        return self.status == "synthetic-demo"


def read_card(path: Path) -> ModelCard:
    """Read and check ``card.json``.

    Raises
    ------
    BadModelError
        If the file is missing, is not JSON or breaks the schema.
    """
    try:
        return ModelCard.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BadModelError("bad_card", name=path.name, reason="there is no such file") from None
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "card"
        raise BadModelError("bad_card", name=path.name, reason=f"{where}: {first['msg']}") from None
    except (ValueError, OSError) as e:
        raise BadModelError("bad_card", name=path.name, reason=str(e)) from None
