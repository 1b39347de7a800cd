"""What all backends share: windows over the edge, levels on the fly, pickling, identity."""

from __future__ import annotations

import os
import weakref
from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from napari_her2.errors import BadRegionError, NotASlideError
from napari_her2.geometry import Region, Size
from napari_her2.messages import tr
from napari_her2.settings import LOGGER
from napari_her2.slides.base import (
    NOT_SCANNED,
    OUTSIDE,
    Level,
    Pixels,
    PixelSize,
    Slide,
    SlideInfo,
)
from napari_her2.slides.cache import forget_slide, new_token
from napari_her2.slides.identity import Fingerprint, content_key, fingerprint
from napari_her2.slides.sources import GREY, CachedSource, HalvedSource, StoredSource, TileSource

__all__ = ["VIRTUAL_TILE", "BackendSlide", "Facts", "SlideSpec"]

VIRTUAL_TILE = Size(256, 256)
_COARSE_ENOUGH = 1024
_TOO_FINE = 2048


@dataclass(frozen=True, slots=True)
class SlideSpec:
    """How to open a slide again: what is pickled and sent to workers instead of handles."""

    path: str
    mpp: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What a backend found out about a file, before the rules common to all are applied."""

    backend: str
    vendor: str
    sizes: tuple[tuple[int, int], ...]
    mpp: PixelSize | None = None
    objective_power: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    associated_images: tuple[str, ...] = ()
    bounds: Region | None = None
    has_icc_profile: bool = False
    warnings: tuple[str, ...] = ()


class BackendSlide(Slide):
    """Base of the backends: they give :class:`Facts` and read windows inside stored levels."""

    def __init__(self, spec: SlideSpec, slide_id: str) -> None:
        self.spec = spec
        self._slide_id = slide_id
        self._token = new_token()
        self._key: str | None = None
        self._opened: Fingerprint = fingerprint(Path(spec.path))
        self._closed = False
        self._stored: tuple[int, ...] = ()
        self._virtual: dict[int, CachedSource] = {}

    @abstractmethod
    def _read_stored(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window that lies inside a stored level; ``level`` counts as in :class:`Facts`."""

    def _settle(self, facts: Facts) -> None:
        """Choose the usable levels, add those made on the fly, and fix :attr:`info`."""
        kept, dropped = usable_levels(facts.sizes)
        if not kept:
            reason = "its levels do not fit each other"
            raise NotASlideError("damaged_slide", name=Path(self.spec.path).name, reason=reason)
        notes = list(facts.warnings)
        if dropped:
            notes.append(tr("levels_dropped", n=len(dropped), name=self._slide_id))
            LOGGER.warning("levels %s do not fit level 0 and are not used", list(dropped))
        self._stored = kept
        sizes = [facts.sizes[k] for k in kept]
        source: TileSource | None = None
        while len(kept) == 1 or max(sizes[len(kept) - 1]) > _TOO_FINE:
            if max(sizes[-1]) <= _COARSE_ENOUGH:
                break
            source = HalvedSource(source or self.stored_source(len(kept) - 1, sizes[-1]))
            source = CachedSource(source, self._token, VIRTUAL_TILE)
            self._virtual[len(sizes)] = source
            sizes.append((source.width, source.height))
        w0, h0 = sizes[0]
        self.info = SlideInfo(
            path=Path(self.spec.path),
            slide_id=self._slide_id,
            backend=facts.backend,
            vendor=facts.vendor,
            levels=tuple(Level(i, w, h, w0 / w, h0 / h) for i, (w, h) in enumerate(sizes)),
            mpp=facts.mpp,
            objective_power=facts.objective_power,
            properties=facts.properties,
            associated_images=facts.associated_images,
            bounds=facts.bounds,
            has_icc_profile=facts.has_icc_profile,
            warnings=tuple(notes),
        )

    def stored_source(self, level: int, size: tuple[int, int]) -> StoredSource:
        """One stored level as a source of windows."""
        stored, this = self._stored[level], weakref.ref(self)

        def read(x: int, y: int, width: int, height: int) -> Pixels:
            # A strong reference would make a cycle and keep a dropped slide's file open.
            slide = this()
            return slide.checked(stored, x, y, width, height) if slide else _gone(width, height)

        return StoredSource(read, *size)

    @property
    def token(self) -> int:
        """First part of this slide's keys in the tile cache."""
        return self._token

    @property
    def stored_levels(self) -> int:
        """How many levels the file holds; those after are made on the fly."""
        return len(self._stored)

    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window of one level; see :meth:`Slide.read`."""
        if not 0 <= level < len(self.levels):
            raise BadRegionError("no_level", name=self.slide_id, level=level, n=len(self.levels))
        size = self.levels[level].size
        if width <= 0 or height <= 0:
            region = f"{x}, {y}, {width} x {height}"
            raise BadRegionError(
                "bad_region",
                region=region,
                name=self.slide_id,
                width=size.width,
                height=size.height,
            )
        x0, y0 = max(x, 0), max(y, 0)
        x1, y1 = min(x + width, size.width), min(y + height, size.height)
        if x1 <= x0 or y1 <= y0:
            return unread(width, height, OUTSIDE)
        if level in self._virtual:
            inner = self._virtual[level].read(x0, y0, x1 - x0, y1 - y0)
        else:
            inner = self.checked(self._stored[level], x0, y0, x1 - x0, y1 - y0)
        if inner.rgb.shape[:2] == (height, width):
            return inner
        rgb = np.full((height, width, 3), GREY, np.uint8)
        missing = np.ones((height, width), bool)
        at = (slice(y0 - y, y1 - y), slice(x0 - x, x1 - x))
        rgb[at] = inner.rgb
        missing[at] = False if inner.missing is None else inner.missing
        return Pixels(rgb, missing, inner.reason or OUTSIDE)

    def checked(self, stored: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Read from the backend; whatever it raises becomes missing pixels with a reason."""
        if self._closed:
            return _gone(width, height)
        try:
            return self._read_stored(stored, x, y, width, height)
        except Exception as e:  # noqa: BLE001 - decoders raise anything; none may become pixels
            LOGGER.debug("window of stored level %d unreadable", stored, exc_info=True)
            return unread(width, height, brief(e))

    def close(self) -> None:
        """Give the file back and forget its cached tiles."""
        if not self._closed:
            self._closed = True
            forget_slide(self._token)

    def content_key(self) -> str:
        """Digest of size, header and directory; see :func:`identity.content_key`."""
        if self._key is None:
            self._key = content_key(Path(self.spec.path))
        return self._key

    def changed(self) -> bool:
        """Whether size, time or inode differ from when the slide was opened."""
        return fingerprint(Path(self.spec.path)) != self._opened

    def __reduce__(self) -> tuple[Callable[[SlideSpec], Slide], tuple[SlideSpec]]:
        from napari_her2.slides.opening import reopen

        return reopen, (self.spec,)

    def __del__(self) -> None:
        # A slide that is dropped without being closed must not keep its file open.
        if not getattr(self, "_closed", True):
            try:
                self.close()
            except Exception:  # noqa: BLE001 - interpreter may be shutting down
                return


def unread(width: int, height: int, reason: str) -> Pixels:
    """A window of which nothing could be read."""
    return Pixels(
        np.full((height, width, 3), GREY, np.uint8), np.ones((height, width), bool), reason
    )


def _gone(width: int, height: int) -> Pixels:
    return unread(width, height, "the slide was closed")


def with_holes(rgb: np.ndarray, holes: np.ndarray, *, legitimate: bool, reason: str) -> Pixels:
    """Pixels whose transparent parts are missing, for one of two reasons."""
    if not holes.any():
        return Pixels(rgb)
    rgb[holes] = GREY
    return Pixels(rgb, holes, NOT_SCANNED if legitimate else reason)


def brief(error: BaseException) -> str:
    """An error of a library as a short reason, without paths."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = " ".join(str(error).split()) or type(error).__name__
    return text.replace(os.sep, " ")[:120]


def usable_levels(
    sizes: tuple[tuple[int, int], ...],
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Levels that can be reductions of level 0, and those that can't.

    A damaged header can claim another size for one level; everything read there would be shown in
    the wrong place. If most levels disagree with level 0, it is level 0 that is wrong.
    """
    w0, h0 = sizes[0]
    kept: list[int] = [0]
    dropped: list[int] = []
    for k, (w, h) in enumerate(sizes[1:], 1):
        fx, fy = w0 / w, h0 / h
        off_x, off_y = abs(w - w0 / fy), abs(h - h0 / fx)
        fits = abs(fx - fy) <= 0.02 * max(fx, fy) or min(off_x, off_y) <= 1.5
        smaller = w < sizes[kept[-1]][0] or h < sizes[kept[-1]][1]
        (kept if fits and smaller and fx >= 1 else dropped).append(k)
    if len(dropped) > max(len(kept) - 1, 0) and len(sizes) > 2:
        return (), tuple(dropped)
    return tuple(kept), tuple(dropped)
