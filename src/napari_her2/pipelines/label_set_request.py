"""What is asked of a label set, frozen: dock and command line build the same request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.schema import ClassSchema
from napari_her2.errors import BadLabelSetError
from napari_her2.tiles.spec import TileSpec
from napari_her2.training.label_rules import (
    BIOMARKER_ROLES,
    Group,
    LabelRules,
    SplitRule,
    biomarker_classes,
)
from napari_her2.types import Biomarker

__all__ = ["STAGE1_TILE", "LabelSetRequest", "LabelSource"]

STAGE1_TILE = TileSpec(512, 2.0, 1024.0)
"""Tiles of Gamble 2021, stage 1: 512 px of 2 µm, side by side."""


@dataclass(frozen=True)
class LabelSource:
    """One slide and what was drawn on it.

    Parameters
    ----------
    slide : Path
        The slide file or folder.
    annotations : Path or tuple of Annotation
        A file of annotations (any format that can be imported), the folder of a slide's annotation
        book, or the annotations themselves.
    corrections : tuple of Path
        Folders of scored runs of this slide whose corrected cells are labels too.
    mpp : float or (float, float), optional
        Pixel size for slides that do not state it.
    """

    slide: Path
    annotations: Path | tuple[Annotation, ...] = ()
    corrections: tuple[Path, ...] = ()
    mpp: float | tuple[float, float] | None = None


@dataclass(frozen=True)
class LabelSetRequest:
    """Make a label set.

    Parameters
    ----------
    sources : tuple of LabelSource or of (slide, annotations)
        Slides and what was drawn on them.
    schema : ClassSchema
        Which classes there are.
    out : Path
        Folder of the set, ``<folder>/<name>``. Where one is there already the new one becomes
        ``<name>-v2``, ``<name>-v3``, ...
    kind : {"cells", "tiles"}
        What is labelled.
    rules : LabelRules
        What a cell or tile needs to get a label.
    groups : mapping of str or Path to Group
        Patient and block of slides, by path, file name or slide id.
    split : SplitRule
        How labels are shared out.
    seed : int
        Decides between equally good choices.
    tile : TileSpec, optional
        Tiles of a set of tiles; by default those of Gamble 2021, stage 1.
    biomarker : {"ER", "PR", "HER2"}, optional
        The set gets the three classes of this biomarker (positive, negative, no tumour).
    stain : {"H-DAB", "H&E"}, optional
        What the slides must show; by default H-DAB for cells and H&E for tiles.
    rgb : bool
        Cells: keep crops in colour beside those of the stains.
    base : Path, optional
        An earlier set that this one adds to: its labels of other slides are taken over.
    ignore_stain : bool
        Go on although a slide's stain looks wrong; noted in the set.
    """

    sources: tuple[LabelSource | tuple[Path, Path | tuple[Annotation, ...]], ...]
    schema: ClassSchema
    out: Path
    kind: Literal["cells", "tiles"] = "cells"
    rules: LabelRules = field(default_factory=LabelRules)
    groups: Mapping[Any, Group] = field(default_factory=dict)
    split: SplitRule = field(default_factory=SplitRule)
    seed: int = 1
    tile: TileSpec | None = None
    biomarker: Biomarker | None = None
    stain: Literal["H-DAB", "H&E"] | None = None
    rgb: bool = False
    base: Path | None = None
    ignore_stain: bool = False

    @property
    def all_sources(self) -> tuple[LabelSource, ...]:
        """The sources, pairs made into sources."""
        return tuple(s if isinstance(s, LabelSource) else LabelSource(*s) for s in self.sources)

    @property
    def stain_needed(self) -> Literal["H-DAB", "H&E"]:
        """What the slides must show."""
        return self.stain or ("H-DAB" if self.kind == "cells" else "H&E")

    @property
    def spec(self) -> TileSpec:
        """Size and step of tiles."""
        return self.tile or STAGE1_TILE

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes of the set, in the order of the schema (or of the biomarker's roles).

        Raises
        ------
        BadLabelSetError
            If none is left, or the schema has not the classes of the biomarker.
        """
        names = self.schema.names
        if self.biomarker is not None:
            wanted = biomarker_classes(self.biomarker)
            missing = [n for n in wanted if n not in names]
            if missing:
                raise BadLabelSetError(
                    "schema_lacks", schema=self.schema.name, name=", ".join(missing)
                )
            names = wanted
        left = tuple(n for n in names if n not in self.rules.switched_off)
        if len(left) < 2:
            raise BadLabelSetError("too_few_classes", schema=self.schema.name)
        return left

    @property
    def class_roles(self) -> dict[str, int]:
        """Index of the positive, the negative and the class without tumour, where there are such.

        A model with all three can give a slide's result.
        """
        if self.biomarker is None:
            return {}
        of_name = dict(zip(biomarker_classes(self.biomarker), BIOMARKER_ROLES, strict=True))
        return {of_name[n]: k for k, n in enumerate(self.classes)}

    def group_of(self, slide: Path, slide_id: str) -> Group:
        """Patient and block of a slide."""
        for key in (slide, str(slide), slide.name, slide_id):
            found = self.groups.get(key)
            if found is not None:
                return found
        return Group()
