"""WSInfer zoo folders (``config.json`` + ``torchscript_model.pt``) seen as model cards.

The zoo's format is described by ``model-config.schema.json`` of SBU-BMI/wsinfer-zoo. Nothing is
asked of the folder beyond it; what the zoo does not say (stain, organ, licence) is not invented.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from napari_her2.errors import BadModelError
from napari_her2.models.card import ModelCard, Transform

__all__ = ["CONFIG", "SCRIPT", "WsinferConfig", "read_config", "slug", "wrap"]

CONFIG: Final = "config.json"
SCRIPT: Final = "torchscript_model.pt"
_TUMOUR: Final = re.compile(r"\b(tumou?r|cancer|malignan\w*|carcinoma)\b", re.IGNORECASE)
_NEGATED: Final = re.compile(r"\b(non|no|not|other|normal|benign)\b", re.IGNORECASE)


class WsinferConfig(BaseModel):
    """``config.json`` of a zoo folder."""

    model_config = ConfigDict(frozen=True)

    spec_version: str = Field(pattern=r"^1\.0$")
    architecture: str
    num_classes: int = Field(ge=1, le=64)
    patch_size_pixels: int = Field(ge=16, le=4096)
    spacing_um_px: float = Field(gt=0.05, le=20)
    class_names: tuple[str, ...]
    transform: tuple[Transform, ...]


def read_config(path: Path) -> WsinferConfig:
    """Read and check a zoo ``config.json``.

    Raises
    ------
    BadModelError
        If it is missing, not JSON, or breaks the zoo's schema.
    """
    try:
        config = WsinferConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise BadModelError("bad_card", name=path.name, reason="there is no such file") from None
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"]) or "config"
        raise BadModelError("bad_card", name=path.name, reason=f"{where}: {first['msg']}") from None
    except (ValueError, OSError, RecursionError) as e:
        raise BadModelError("bad_card", name=path.name, reason=str(e)) from None
    names = config.class_names
    if len(names) != config.num_classes or len(set(names)) != len(names):
        reason = f"{config.num_classes} classes but {len(set(names))} class names"
        raise BadModelError("bad_card", name=path.name, reason=reason)
    return config


def wrap(config: WsinferConfig, model_id: str, sha256: str, source: str) -> ModelCard:
    """Make a card of a zoo configuration.

    Parameters
    ----------
    config : WsinferConfig
        Checked configuration.
    model_id : str
        Id under which the model is installed.
    sha256 : str
        Of ``torchscript_model.pt``.
    source : str
        Where the folder came from, as the user gave it.

    Returns
    -------
    ModelCard
        Status ``user-unvalidated``. A class whose name says tumour gets the role ``tumour`` and the
        slide-level part is the mean of its probability; without one there is no slide level.
    """
    names: tuple[str, ...] = config.class_names
    if len(names) == 1:
        names = (f"not {names[0]}", names[0])
    roles = _roles(names)
    aggregator = None
    if "tumour" in roles:
        aggregator = {"kind": "mean", "positive": roles["tumour"], "threshold": 0.5}
    fields: dict[str, Any] = {
        **config.model_dump(exclude={"num_classes", "class_names"}),
        "num_classes": len(names),
        "class_names": names,
        "id": model_id,
        "name": f"WSInfer {model_id}",
        "version": "1",
        "biomarker": None,
        "stain": "H&E",
        "organ": "not stated",
        "class_roles": roles,
        "tile_model": {"kind": "torchscript", "outputs": config.num_classes},
        "aggregator": aggregator,
        "weights_sha256": sha256,
        "licence": "not stated in config.json",
        "source": source,
        "training_data": "not stated in config.json",
        "status": "user-unvalidated",
        "intended_use": "Research only. Taken over from a WSInfer folder; not validated here.",
    }
    return ModelCard.model_validate(fields)


def slug(name: str) -> str:
    """Turn a folder or repository name into a model id."""
    text = re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-._")[:64]
    return text or "model"


def _roles(names: tuple[str, ...]) -> dict[str, int]:
    spaced = [name.replace("_", " ").replace("-", " ") for name in names]
    tumour = [i for i, n in enumerate(spaced) if _TUMOUR.search(n) and not _NEGATED.search(n)]
    if len(tumour) != 1:
        return {}
    roles = {"tumour": tumour[0]}
    if len(names) == 2:
        roles["other"] = 1 - tumour[0]
    return roles
