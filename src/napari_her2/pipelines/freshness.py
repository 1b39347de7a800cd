"""Whether a slide is still the file it was when the run began."""

from __future__ import annotations

from napari_her2.errors import SlideChangedError
from napari_her2.slides.base import Slide
from napari_her2.slides.identity import content_key, fingerprint

__all__ = ["Freshness"]


class Freshness:
    """Remembers a slide's file as it was opened.

    Parameters
    ----------
    slide : Slide
        The open slide.
    """

    def __init__(self, slide: Slide) -> None:
        self._path = slide.path
        self._stamp = fingerprint(self._path)
        self._key = slide.content_key()

    @property
    def key(self) -> str:
        """Content key at opening."""
        return self._key

    def check(self, *, thorough: bool = False) -> None:
        """Compare with the file as it is now.

        Parameters
        ----------
        thorough : bool
            Read header and directory again even if size, time and inode are as they were.

        Raises
        ------
        SlideChangedError
            If it is another file now, or none. A new time with the same content is no change.
        """
        stamp = fingerprint(self._path)
        if stamp == self._stamp and not thorough:
            return
        try:
            same = content_key(self._path) == self._key
        except OSError:
            same = False
        if not same:
            raise SlideChangedError("slide_changed", name=self._path.name)
        self._stamp = stamp
