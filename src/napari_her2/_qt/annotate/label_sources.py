"""What can go into a label set from this window: labels of its slides, cells corrected in Score."""

from __future__ import annotations

import weakref
from pathlib import Path
from typing import TYPE_CHECKING

from napari_her2.errors import Her2Error
from napari_her2.settings import LOGGER

if TYPE_CHECKING:
    from napari_her2._qt.annotate.slide_labels import SlideLabels
    from napari_her2._qt.open_slide import OpenSlide
    from napari_her2._qt.session import Session
    from napari_her2.results.corrections import Correction

__all__ = ["LabelSources"]


class LabelSources:
    """Finds labels in a window.

    Parameters
    ----------
    session : Session
        Held weakly.
    """

    def __init__(self, session: Session) -> None:
        self._session = weakref.ref(session)

    def labels(self) -> list[SlideLabels]:
        """The labels of all slides in the window that are open."""
        session = self._session()
        slides = [] if session is None else session.slides
        found = (entry.extra.get("labels") for entry in slides)
        return [labels for labels in found if labels is not None]

    def runs(self, entry: OpenSlide) -> tuple[Path, ...]:
        """Folders of the scored run of a slide, if cells of it were corrected."""
        folder = self._run_dir(entry)
        return () if folder is None or not self._read(entry, folder) else (folder,)

    def corrected(self, entry: OpenSlide) -> list[Correction]:
        """Cells that a reader gave another class in the Score dock."""
        folder = self._run_dir(entry)
        return [] if folder is None else self._read(entry, folder)

    def corrected_classes(self, entry: OpenSlide) -> set[str]:
        """Names of the classes they were given."""
        return {c.now for c in self.corrected(entry)}

    def _run_dir(self, entry: OpenSlide) -> Path | None:
        presenter = entry.extra.get("score")
        folder = None if presenter is None else presenter.run.run_dir
        return None if folder is None else Path(folder)

    def _read(self, entry: OpenSlide, folder: Path) -> list[Correction]:
        from napari_her2.results.corrections import FILE_NAME
        from napari_her2.training.label_sources import read_corrections

        if not (folder / FILE_NAME).exists():
            return []
        try:
            return list(read_corrections(folder, entry.slide.content_key()))
        except Her2Error as error:
            LOGGER.warning("%s", error.sentence)
            return []
