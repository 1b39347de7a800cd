"""What every slide can do, whatever file it comes from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, Self

import numpy as np

from napari_her2.geometry import Region, Size
from napari_her2.types import BoolMask, RgbImage

if TYPE_CHECKING:
    from types import TracebackType

__all__ = [
    "NOT_SCANNED",
    "OUTSIDE",
    "Level",
    "MppSource",
    "PixelSize",
    "Pixels",
    "Slide",
    "SlideInfo",
    "UnreadableTile",
]

OUTSIDE: Final = "outside the slide"
"""Reason of missing pixels where the window reaches over the slide's edge: no fault."""

NOT_SCANNED: Final = "not scanned"
"""Reason of missing pixels where the scanner recorded nothing: no fault, and no tissue either."""

MppSource = Literal["properties", "tiff-tags", "ome-xml", "dicom", "ome-zarr", "sidecar", "user"]
"""Where a pixel size came from. ``sidecar`` = entered by a user for this slide earlier."""


@dataclass(frozen=True, slots=True)
class PixelSize:
    """Micrometres per level-0 pixel, with its source; absent where it is not known."""

    x: float
    y: float
    source: MppSource

    @property
    def mean(self) -> float:
        """Geometric mean of x and y, for choosing a level and for display."""
        return float((self.x * self.y) ** 0.5)


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the pyramid. Downsamples are true shape ratios, never rounded."""

    index: int
    width: int
    height: int
    downsample_x: float
    downsample_y: float

    @property
    def size(self) -> Size:
        """Width and height."""
        return Size(self.width, self.height)

    @property
    def downsample(self) -> float:
        """Geometric mean of both directions."""
        return float((self.downsample_x * self.downsample_y) ** 0.5)


@dataclass(frozen=True, slots=True)
class Pixels:
    """Pixels as read, with what could not be read.

    Attributes
    ----------
    rgb : RgbImage
        Shape (height, width, 3). Undefined (mid-grey) where ``missing`` is set.
    missing : BoolMask or None
        Shape (height, width); True where the file holds nothing readable. None = all there.
    reason : str or None
        Why something is missing, for the error record.
    """

    rgb: RgbImage
    missing: BoolMask | None = None
    reason: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every pixel was read."""
        return self.missing is None or not bool(np.any(self.missing))

    @property
    def faulty(self) -> bool:
        """Whether something that should be there could not be read."""
        return not self.complete and self.reason not in (OUTSIDE, NOT_SCANNED)


@dataclass(frozen=True, slots=True)
class UnreadableTile:
    """A part of a slide that could not be read, as found while displaying it.

    Attributes
    ----------
    region : Region
        Where, level-0 pixels.
    level : int
        Index of the displayed level that was asked for.
    reason : str
        What the reader said.
    """

    region: Region
    level: int
    reason: str


@dataclass(frozen=True, slots=True)
class SlideInfo:
    """Facts about a slide that are known without reading pixels."""

    path: Path
    slide_id: str
    backend: str
    vendor: str
    levels: tuple[Level, ...]
    mpp: PixelSize | None
    objective_power: float | None = None
    properties: Mapping[str, str] = field(default_factory=dict)
    associated_images: tuple[str, ...] = ()
    bounds: Region | None = None
    has_icc_profile: bool = False
    warnings: tuple[str, ...] = ()

    @property
    def size(self) -> Size:
        """Extent of level 0."""
        return self.levels[0].size


class Slide(ABC):
    """One slide, opened lazily.

    Pickles as its path and options and is reopened where it is unpickled; never share a handle
    between processes. Reading is thread-safe. Use as a context manager, or call :meth:`close`.
    """

    info: SlideInfo

    @abstractmethod
    def read(self, level: int, x: int, y: int, width: int, height: int) -> Pixels:
        """Read a window of one level.

        Parameters
        ----------
        level : int
            Index of the level.
        x, y : int
            Top-left corner in pixels *of that level*. The window may reach over the edge of the
            level: what lies outside is reported as missing.
        width, height : int
            Extent in pixels of that level.

        Returns
        -------
        Pixels
            What was read. A part that can't be decoded is marked missing, with the reason.

        Raises
        ------
        BadRegionError
            If the level does not exist or the extent is not positive.
        """

    @abstractmethod
    def associated_image(self, name: str) -> RgbImage:
        """Read the label, macro or thumbnail image. Label and macro can identify the patient.

        Raises
        ------
        BadRegionError
            If the slide has no such image.
        """

    @abstractmethod
    def close(self) -> None:
        """Give the file back. Closing twice does nothing."""

    @abstractmethod
    def content_key(self) -> str:
        """Digest of size, header and directory (not of all pixels): tells if a file changed."""

    def changed(self) -> bool:
        """Whether the file is another one than when it was opened (size, time, inode)."""
        return False

    def tile_size(self, level: int) -> Size:
        """Extent of the tiles a level is stored in: reads along their borders cost least."""
        del level
        return Size(512, 512)

    def icc_profile(self) -> bytes | None:
        """The embedded colour profile, if any. It is noted, not applied."""
        return None

    # conveniences shared by all backends ------------------------------------------------

    @property
    def path(self) -> Path:
        """Where the slide lies."""
        return self.info.path

    @property
    def slide_id(self) -> str:
        """File name without its endings; names results and layers."""
        return self.info.slide_id

    @property
    def levels(self) -> tuple[Level, ...]:
        """The levels of the pyramid, finest first; real ones and those made on the fly."""
        return self.info.levels

    @property
    def mpp(self) -> PixelSize | None:
        """Pixel size of level 0, or None where it is unknown."""
        return self.info.mpp

    @property
    def size(self) -> Size:
        """Extent of level 0."""
        return self.info.size

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        s = self.size
        return f"<{type(self).__name__} {self.slide_id} {s.width} x {s.height} px>"
