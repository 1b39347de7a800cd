"""The annotations of one slide in memory: found by place, counted, changed by edits, undone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, Protocol

import numpy as np
import shapely

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.edits import Edit
from napari_her2.annotations.places import Places
from napari_her2.geometry import Region
from napari_her2.settings import LOGGER

__all__ = ["Action", "AnnotationStore", "Guard", "Step", "Tally"]

Action = Literal["edit", "undo", "redo"]
"""What was done to the store: something new, or one step back or forth."""

_POINTS: Final = (shapely.GeometryType.POINT.value, shapely.GeometryType.MULTIPOINT.value)


@dataclass(frozen=True, slots=True)
class Tally:
    """How much there is of one class.

    Attributes
    ----------
    n : int
        Objects.
    area_px : float
        Their area in square level-0 pixels, holes not counted; what overlaps counts twice.
    points : int
        Single points among them.
    """

    n: int = 0
    area_px: float = 0.0
    points: int = 0


@dataclass(slots=True)
class Step:
    """One entry of the history.

    Attributes
    ----------
    label : str
        What it is called.
    number : int
        Where it stands in the journal; 0 without one.
    edit : Edit or None
        None while it is only on the disk.
    """

    label: str
    number: int = 0
    edit: Edit | None = None


class Guard(Protocol):
    """What stands between a store and its changes; see :class:`~.book.AnnotationBook`."""

    def allow(self) -> None:
        """Raise if nothing may be changed."""

    def fetch(self, step: Step) -> Edit:
        """The edit of a step that is only on the disk."""

    def pack(self, edit: Edit) -> bytes:
        """Write a new edit down before it is done; raises where that can't be."""

    def done(self, action: Action, edit: Edit, step: Step | None, body: bytes) -> int:
        """Keep what was done; the number of its entry. Undo and redo have a step. Never raises."""


class AnnotationStore:
    """Annotations of one slide in the order they were drawn.

    Not for several threads at once: change and read it in one.

    Parameters
    ----------
    annotations : iterable of Annotation
        What is there to begin with.
    guard : Guard, optional
        Told of every change before the listeners.

    Attributes
    ----------
    revision : int
        Grows with every change.
    guard : Guard or None
        As given.
    """

    def __init__(
        self, annotations: Iterable[Annotation] = (), *, guard: Guard | None = None
    ) -> None:
        self.revision = 0
        self.guard = guard
        self._live: dict[str, Annotation] = {}
        self._rank: dict[str, int] = {}
        self._sorted = True
        self._tallies: dict[str | None, Tally] = {}
        self._places = Places(self._live)
        self._done: list[Step] = []
        self._undone: list[Step] = []
        self._listeners: list[Callable[[Edit], None]] = []
        first = tuple(annotations)
        if first:
            self._change(Edit("", added=first))

    @classmethod
    def resumed(
        cls,
        annotations: Iterable[Annotation],
        ranks: Mapping[str, int],
        done: Iterable[Step] = (),
        undone: Iterable[Step] = (),
        *,
        guard: Guard | None = None,
    ) -> AnnotationStore:
        """A store as it was: with its order and its history.

        Parameters
        ----------
        annotations : iterable of Annotation
            In the order of drawing.
        ranks : mapping of str to int
            :attr:`ranks` as they were.
        done, undone : iterable of Step
            :attr:`done_steps` and :attr:`undone_steps` as they were.
        guard : Guard, optional
            Needed to undo steps whose edits are on the disk.
        """
        store = cls(guard=guard)
        store._rank.update(ranks)
        store._change(Edit("", added=tuple(annotations)))
        store._done += done
        store._undone += undone
        return store

    # reading --------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self._live)

    def __iter__(self) -> Iterator[Annotation]:
        """In the order they were drawn; the last one lies on top."""
        return iter(self.all())

    def __contains__(self, annotation_id: object) -> bool:
        return annotation_id in self._live

    def all(self) -> tuple[Annotation, ...]:
        """All of them in the order they were drawn."""
        if not self._sorted:
            rows = sorted(self._live.items(), key=lambda row: self._rank[row[0]])
            self._live.clear()
            self._live.update(rows)
            self._sorted = True
        return tuple(self._live.values())

    def get(self, annotation_id: str) -> Annotation:
        """The annotation of an id, as it is now.

        Raises
        ------
        KeyError
            If there is none.
        """
        return self._live[annotation_id]

    def find(self, annotation_id: str) -> Annotation | None:
        """The annotation of an id, or None."""
        return self._live.get(annotation_id)

    def rank(self, annotation_id: str) -> int:
        """Where it stands in the drawing order: higher lies on top."""
        return self._rank[annotation_id]

    def tallies(self) -> Mapping[str | None, Tally]:
        """How much there is of each class; classes without any are left out."""
        return dict(self._tallies)

    def hits(self, x: float, y: float, tolerance: float = 0.0) -> tuple[Annotation, ...]:
        """What lies under a point, topmost first.

        Parameters
        ----------
        x, y : float
            Level-0 pixels.
        tolerance : float
            How far from an outline, line or point still counts, in level-0 pixels.
        """
        found = self._places.near(shapely.Point(x, y), tolerance)
        return tuple(sorted(found, key=lambda a: -self._rank[a.id]))

    def within(self, region: Region) -> tuple[Annotation, ...]:
        """What touches a rectangle of level-0 pixels, in the order of drawing."""
        box = shapely.box(region.x, region.y, region.right, region.bottom)
        return tuple(sorted(self._places.near(box), key=lambda a: self._rank[a.id]))

    # history --------------------------------------------------------------------------------

    @property
    def can_undo(self) -> bool:
        """Whether there is something to take back."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether something was taken back last."""
        return bool(self._undone)

    @property
    def history(self) -> tuple[str, ...]:
        """Labels of what was done and not undone, oldest first."""
        return tuple(s.label for s in self._done)

    @property
    def ranks(self) -> Mapping[str, int]:
        """Place in the order of each annotation there ever was."""
        return self._rank

    @property
    def done_steps(self) -> Sequence[Step]:
        """What can be undone, oldest first."""
        return self._done

    @property
    def undone_steps(self) -> Sequence[Step]:
        """What can be done again, the next one last."""
        return self._undone

    @property
    def redo_label(self) -> str:
        """What redo would do again; empty if nothing."""
        return self._undone[-1].label if self._undone else ""

    @property
    def undo_label(self) -> str:
        """What undo would take back; empty if nothing."""
        return self._done[-1].label if self._done else ""

    # changing -------------------------------------------------------------------------------

    def apply(self, edit: Edit) -> Edit:
        """Do an edit; what could be redone before is forgotten.

        Parameters
        ----------
        edit : Edit
            Of what it removes only the ids count: what goes into the history is what was there.

        Returns
        -------
        Edit
            As it was done. One that changes nothing is not kept.

        Raises
        ------
        KeyError
            If it removes what is not there, or adds an id that is; nothing changed then.
        TypeError
            If a property is nothing that JSON can say; nothing changed then.
        AnnotationsBusyError
            If this copy is read-only.
        """
        if self.guard is not None:
            self.guard.allow()
        edit = self._checked(edit)
        if not edit or edit.removed == edit.added:
            return edit
        body = self.guard.pack(edit) if self.guard is not None else b""
        self._change(edit)
        number = self.guard.done("edit", edit, None, body) if self.guard is not None else 0
        self._done.append(Step(edit.label, number, edit))
        self._undone.clear()
        self._tell(edit)
        return edit

    def undo(self) -> Edit | None:
        """Take the last edit back; the edit that did so, or None if there was nothing."""
        return self._step("undo")

    def redo(self) -> Edit | None:
        """Do again what was taken back last; the edit that did so, or None."""
        return self._step("redo")

    def on_changed(self, callback: Callable[[Edit], None]) -> Callable[[], None]:
        """Have a function called after each change with the edit that was done.

        Returns
        -------
        callable
            Ends it.
        """
        self._listeners.append(callback)

        def end() -> None:
            if callback in self._listeners:
                self._listeners.remove(callback)

        return end

    def _step(self, action: Literal["undo", "redo"]) -> Edit | None:
        source, target = (
            (self._done, self._undone) if action == "undo" else (self._undone, self._done)
        )
        if not source:
            return None
        if self.guard is not None:
            self.guard.allow()
        step = source[-1]
        if step.edit is None:
            assert self.guard is not None
            step.edit = self.guard.fetch(step)
        edit = step.edit.inverse() if action == "undo" else step.edit
        self._change(edit)
        if self.guard is not None:
            self.guard.done(action, edit, step, b"")
        target.append(source.pop())
        self._tell(edit)
        return edit

    def _checked(self, edit: Edit) -> Edit:
        removed = tuple(self._live[a.id] for a in edit.removed)
        going = {a.id for a in removed}
        for a in edit.added:
            if a.id in self._live and a.id not in going:
                msg = f"there is an annotation of this id: {a.id}"
                raise KeyError(msg)
        return Edit(edit.label, removed, edit.added)

    def _change(self, edit: Edit) -> None:
        staying = {a.id for a in edit.added}
        for a in edit.removed:
            # One that is only changed keeps its slot in the dict, and with it its place.
            if a.id not in staying:
                del self._live[a.id]
        for a in edit.added:
            if a.id not in self._live and a.id in self._rank:
                self._sorted = False
            self._rank.setdefault(a.id, len(self._rank))
            self._live[a.id] = a
        self._count(edit.removed, -1)
        self._count(edit.added, 1)
        self._places.changed(edit.removed, edit.added)
        self.revision += 1

    def _count(self, annotations: tuple[Annotation, ...], sign: int) -> None:
        if not annotations:
            return
        geometries = [a.geometry for a in annotations]
        points = np.isin(shapely.get_type_id(geometries), _POINTS)
        rows = zip(
            annotations,
            shapely.area(geometries).tolist(),
            (shapely.get_num_geometries(geometries) * points).tolist(),
            strict=True,
        )
        more: dict[str | None, list[float]] = {}
        for a, area, n_points in rows:
            sums = more.setdefault(a.class_name, [0, 0.0, 0])
            sums[0] += 1
            sums[1] += area
            sums[2] += n_points
        for name, (n, area, n_points) in more.items():
            t = self._tallies.get(name, Tally())
            left = t.n + sign * int(n)
            if left:
                self._tallies[name] = Tally(
                    left, t.area_px + sign * area, t.points + sign * int(n_points)
                )
            else:
                self._tallies.pop(name, None)

    def _tell(self, edit: Edit) -> None:
        for callback in tuple(self._listeners):
            try:
                callback(edit)
            except Exception:  # noqa: BLE001
                # The edit is done and kept: what a view makes of it must not look like a failure.
                LOGGER.exception("a view of the annotations failed")
