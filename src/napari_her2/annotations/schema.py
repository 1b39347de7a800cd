"""Class schemas: which classes a reader may give, in which colours and by which keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from napari_her2.errors import BadSchemaError
from napari_her2.results.atomic import write_json

__all__ = [
    "BUILT_IN",
    "AnnotationClass",
    "ClassSchema",
    "built_in_schemas",
    "load_schema",
    "read_schema",
    "write_schema",
]

BUILT_IN: Final = ("her2-cells", "biomarker-regions", "concepts", "tissue-qc", "free")
"""Ids of the schemas that come along."""

Colour = Annotated[str, Field(pattern=r"^#[0-9A-Fa-f]{6}$")]


class AnnotationClass(BaseModel):
    """One class.

    Attributes
    ----------
    name : str
        As it is written in files and label sets.
    label : str
        As the dock shows it; the name where empty.
    colour : str
        ``#RRGGBB``.
    key : str or None
        One digit that gives the class.
    qupath_name : str or None
        Name in files for QuPath; the name where None.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(min_length=1, max_length=120)
    label: str = ""
    colour: Colour
    key: str | None = Field(default=None, pattern=r"^[0-9]$")
    qupath_name: str | None = None

    @property
    def title(self) -> str:
        """What the dock shows."""
        return self.label or self.name

    @property
    def rgb(self) -> tuple[int, int, int]:
        """Red, green, blue from 0 to 255."""
        r, g, b = bytes.fromhex(self.colour[1:])
        return r, g, b


class ClassSchema(BaseModel):
    """A named set of classes.

    Attributes
    ----------
    id, name, version : str
        Which schema it is; kept with every label set made with it.
    kind : {"cells", "tiles", "regions"}
        What its regions are meant to label: the cells in them, the tiles in them, or nothing.
    classes : tuple of AnnotationClass
        In the order of the dock. No two have the same name or the same key.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    id: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")
    name: str = Field(min_length=1)
    version: str = "1"
    kind: Literal["cells", "tiles", "regions"] = "regions"
    classes: tuple[AnnotationClass, ...] = ()

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        for what in ("name", "key"):
            given = [v for v in (getattr(c, what) for c in self.classes) if v is not None]
            twice = sorted({v for v in given if given.count(v) > 1})
            if twice:
                msg = f"two classes have the {what} {twice[0]}"
                raise ValueError(msg)
        return self

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the classes, in order."""
        return tuple(c.name for c in self.classes)

    def find(self, name: str | None) -> AnnotationClass | None:
        """The class of a name, whether it is ours or QuPath's; None if there is none."""
        for c in self.classes:
            if name is not None and name in (c.name, c.qupath_name):
                return c
        return None

    def by_key(self, key: str) -> AnnotationClass | None:
        """The class that a digit gives."""
        return next((c for c in self.classes if c.key == key), None)

    def with_classes(self, classes: Iterable[AnnotationClass]) -> ClassSchema:
        """The same schema with other classes and the next version.

        Raises
        ------
        pydantic.ValidationError
            If two have the same name or key.
        """
        number = re.fullmatch(r"(.*?)(\d+)", self.version)
        version = f"{number[1]}{int(number[2]) + 1}" if number else f"{self.version}.2"
        return ClassSchema(
            id=self.id, name=self.name, version=version, kind=self.kind, classes=tuple(classes)
        )


def built_in_schemas() -> tuple[ClassSchema, ...]:
    """The schemas that come along, in the order of the dock."""
    return tuple(load_schema(name) for name in BUILT_IN)


def load_schema(schema_id: str) -> ClassSchema:
    """One of the schemas that come along.

    Raises
    ------
    KeyError
        If there is none of that id.
    """
    if schema_id not in BUILT_IN:
        raise KeyError(schema_id)
    folder = files("napari_her2.annotations").joinpath("schemas")
    text = folder.joinpath(f"{schema_id}.json").read_text("utf-8")
    return ClassSchema.model_validate(json.loads(text))


def read_schema(path: Path) -> ClassSchema:
    """Read a schema from a JSON file.

    Raises
    ------
    BadSchemaError
        If the file is missing, is not JSON or breaks the rules; one sentence says which.
    """
    try:
        return ClassSchema.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except OSError as e:
        raise BadSchemaError("bad_schema", name=path.name, reason=e.strerror or str(e)) from None
    except ValidationError as e:
        first = e.errors()[0]
        where = ".".join(str(p) for p in first["loc"])
        reason = f"{where}: {first['msg']}" if where else str(first["msg"])
        raise BadSchemaError("bad_schema", name=path.name, reason=reason) from None
    except (ValueError, RecursionError):
        raise BadSchemaError("bad_schema", name=path.name, reason="it is not JSON") from None


def write_schema(path: Path, schema: ClassSchema) -> None:
    """Write a schema as JSON, whole or not at all.

    Raises
    ------
    CannotWriteError, DiskFullError
        What was there stays.
    """
    document: dict[str, Any] = schema.model_dump(mode="json")
    write_json(path, document)
