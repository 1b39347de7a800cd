"""What every importer does with shapes: check them, repair or leave out, count what was done."""

from __future__ import annotations

import hashlib
import uuid
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from napari_her2.annotations.formats.limits import FURTHEST_PX, MAX_OBJECTS, MAX_POINTS
from napari_her2.annotations.formats.outcome import Skipped
from napari_her2.annotations.formats.reasons import skipped_of
from napari_her2.annotations.geometry_edits import repair
from napari_her2.annotations.schema import ClassSchema
from napari_her2.errors import BadAnnotationsError
from napari_her2.messages import tr

__all__ = ["Crossing", "Intake"]

Crossing = Literal["repair", "keep"]
"""What to do with an outline that crosses itself."""

_NAMESPACE: Final = uuid.UUID("5f3b5a53-13c5-5f3c-9d0c-7b6a2a0d6a11")
_POLYGON, _MULTIPOLYGON, _COLLECTION = 3, 6, 7


class Intake:
    """Collects what is left out, repaired or odd while one file is read.

    Parameters
    ----------
    path : Path
        The file; named in sentences.
    kind : str
        Format, for people.
    data : bytes
        Its content: ids of our own follow from it.
    slide_size : (int, int), optional
        Width and height of the slide it shall lie on; some formats need it.
    mpp : (float, float), optional
        Micrometres per pixel of that slide.
    schema : ClassSchema, optional
        Turns QuPath's names of classes into ours.
    on_crossing : {"repair", "keep"}
        What to do with outlines that cross themselves.

    Attributes
    ----------
    stated_size, stated_mpp
        What the file itself says; set by its reader.
    """

    def __init__(
        self,
        path: Path,
        kind: str,
        data: bytes = b"",
        *,
        slide_size: tuple[int, int] | None = None,
        mpp: tuple[float, float] | None = None,
        schema: ClassSchema | None = None,
        on_crossing: Crossing = "repair",
    ) -> None:
        self.path = path
        self.kind = kind
        self._digest = hashlib.sha256(data).hexdigest()
        self.slide_size = slide_size
        self.mpp = mpp
        self.on_crossing = on_crossing
        self.stated_size: tuple[int, int] | None = None
        self.stated_mpp: tuple[float, float] | None = None
        self.repaired = 0
        self._left_out: Counter[str] = Counter()
        self._notes: dict[str, dict[str, Any]] = {}
        self._ids: set[str] = set()
        self._names: dict[str | None, str] = {
            c.qupath_name: c.name for c in (schema.classes if schema else ()) if c.qupath_name
        }
        self._points = 0
        self._made = 0

    # what is told -----------------------------------------------------------------------

    def skip(self, reason: str, n: int = 1) -> None:
        """Count something that is left out; ``reason`` is a key of ``REASONS``."""
        self._left_out[reason] += n

    def note(self, message: str, **slots: Any) -> None:
        """Say something about the whole file; a slot ``n`` adds up."""
        if message in self._notes and "n" in slots:
            slots["n"] += self._notes[message]["n"]
        self._notes[message] = slots

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """What was left out, most first."""
        return skipped_of(self._left_out)

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on what was changed."""
        return tuple(tr(m, **s) for m, s in self._notes.items())

    def refuse(self, reason: str) -> BadAnnotationsError:
        """The error for a file of which nothing can be read."""
        return BadAnnotationsError(
            "bad_annotations", name=self.path.name, kind=self.kind, reason=reason
        )

    # names ------------------------------------------------------------------------------

    def class_name(self, name: str | None) -> str | None:
        """Our name of a class; one that the schema does not know stays as it is."""
        return self._names.get(name) or name or None

    def own_id(self, given: object = None) -> str:
        """The id a file gives, if nothing else in it has the same; one of our own otherwise.

        Ids of our own follow from the content of the file, so that reading it twice gives the same
        objects.
        """
        if isinstance(given, str) and given:
            if given not in self._ids:
                self._ids.add(given)
                return given
            self.note("note_same_id", n=1)
        self._made += 1
        made = str(uuid.uuid5(_NAMESPACE, f"{self._digest}:{self._made}"))
        self._ids.add(made)
        return made

    # shapes -----------------------------------------------------------------------------

    def settle(self, shapes: Sequence[BaseGeometry | str | None]) -> list[BaseGeometry | None]:
        """Check shapes: each comes back fit to keep, or as None and counted.

        Parameters
        ----------
        shapes : sequence of shapely geometry, str or None
            In level-0 pixels. A key of ``REASONS`` says why there is none; None: it has no shape.

        Returns
        -------
        list of shapely geometry or None
            As many, in the same order. GeometryCollections of one kind of shape become a Multi...;
            mixed ones stay and are split by :meth:`parts`.
        """
        if len(shapes) > MAX_OBJECTS:
            raise BadAnnotationsError(
                "annotations_too_large", name=self.path.name, limit=f"{MAX_OBJECTS:,} objects"
            )
        for shape in shapes:
            if not isinstance(shape, BaseGeometry):
                self.skip(shape or "no_shape")
        geometries = np.array(
            [s if isinstance(s, BaseGeometry) else None for s in shapes], dtype=object
        )
        self._count_points(geometries)
        self._drop(geometries, shapely.is_empty(geometries), "no_shape")
        self._drop(geometries, ~_all_points(geometries, np.isfinite), "not_finite")
        self._drop(geometries, ~_all_points(geometries, _near), "far")
        kind = shapely.get_type_id(geometries)
        for i in np.flatnonzero(kind == _COLLECTION):
            geometries[i] = _of_one_kind(geometries[i])
        self._cross(geometries)
        return list(geometries)

    def parts(self, shape: BaseGeometry) -> list[BaseGeometry]:
        """The shape itself, or one of each kind where it mixes areas, lines and points."""
        if shapely.get_type_id(shape) != _COLLECTION:
            return [shape]
        found = _by_kind(shape)
        self.note("note_split", n=1)
        return found

    def _count_points(self, geometries: NDArray[np.object_]) -> None:
        self._points += int(shapely.get_num_coordinates(geometries).sum())
        if self._points > MAX_POINTS:
            raise BadAnnotationsError(
                "annotations_too_large", name=self.path.name, limit=f"{MAX_POINTS:,} points"
            )

    def _drop(self, geometries: NDArray[np.object_], bad: NDArray[np.bool_], reason: str) -> None:
        bad = bad & ~shapely.is_missing(geometries)
        if bad.any():
            geometries[bad] = None
            self.skip(reason, int(bad.sum()))

    def _cross(self, geometries: NDArray[np.object_]) -> None:
        """Repair areas that cross themselves; leave out those without area."""
        areas = np.isin(shapely.get_type_id(geometries), (_POLYGON, _MULTIPOLYGON))
        valid = shapely.is_valid(geometries)
        # The signed areas of the two halves of an eight may add up to nothing.
        flat = areas & valid & ~(shapely.area(geometries) > 0)
        crossing = 0
        for i in np.flatnonzero(areas & ~valid):
            whole = repair(geometries[i]).geometry
            if whole is None:
                flat[i] = True
                continue
            crossing += 1
            if self.on_crossing == "repair":
                geometries[i] = whole
        self._drop(geometries, flat, "no_area")
        if not crossing:
            return
        if self.on_crossing == "keep":
            self.note("note_crossing", n=crossing)
        else:
            self.repaired += crossing
            self.note("note_repaired", n=crossing)


def _near(coordinates: NDArray[np.float64]) -> NDArray[np.bool_]:
    return np.asarray(np.abs(coordinates) <= FURTHEST_PX)


def _all_points(geometries: NDArray[np.object_], test: Any) -> NDArray[np.bool_]:
    """For each geometry whether a test holds for both numbers of all its points."""
    coordinates, of = shapely.get_coordinates(geometries, return_index=True)
    good = np.ones(len(geometries), np.bool_)
    good[of[~test(coordinates).all(1)]] = False
    return good


def _by_kind(shape: BaseGeometry) -> list[BaseGeometry]:
    leaves = shapely.get_parts(shape).tolist()
    while any(p.geom_type == "GeometryCollection" for p in leaves):
        leaves = [q for p in leaves for q in shapely.get_parts(p).tolist()]
    leaves = [q for p in leaves for q in shapely.get_parts(p).tolist() if not q.is_empty]
    found: list[BaseGeometry] = []
    for kinds, make in (
        ((3,), shapely.MultiPolygon), ((1, 2), shapely.MultiLineString), ((0,), shapely.MultiPoint)
    ):  # fmt: skip
        same = [p for p in leaves if shapely.get_type_id(p) in kinds]
        if same:
            found.append(same[0] if len(same) == 1 else make(same))
    return found


def _of_one_kind(shape: BaseGeometry) -> BaseGeometry | None:
    found = _by_kind(shape)
    if not found:
        return shapely.Polygon()
    return found[0] if len(found) == 1 else shapely.GeometryCollection(found)
