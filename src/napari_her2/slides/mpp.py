"""The pixel size: where it may come from, what is believed, and where it is remembered.

In order: the user's argument, what a user entered for this slide earlier (sidecar), then what the
file says. A value that no slide can have is treated as absent. Nothing is ever guessed, not even
from the magnification.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from napari_her2.errors import CannotWriteError, UsageError
from napari_her2.messages import tr
from napari_her2.settings import LOGGER, get_settings
from napari_her2.slides.base import MppSource, PixelSize, Slide
from napari_her2.slides.identity import content_key

__all__ = [
    "MAX_MPP",
    "MIN_MPP",
    "conflict_with_power",
    "given",
    "remember_mpp",
    "resolve_mpp",
    "stated",
]

MIN_MPP, MAX_MPP = 0.05, 20.0
_MAX_ANISOTROPY = 1.05
_SIDECAR_VERSION = 1
_ENDING = ".her2.json"
_MAX_SIDECAR_BYTES = 65536


def possible(x: float, y: float) -> bool:
    """Whether both are numbers a slide can have, µm per pixel."""
    return all(math.isfinite(v) and MIN_MPP <= v <= MAX_MPP for v in (x, y))


def stated(x: object, y: object, source: MppSource) -> PixelSize | None:
    """Believe what a file says, or not.

    Parameters
    ----------
    x, y : object
        Micrometres per pixel as the file gives them; text or numbers.
    source : str
        Where they stand.

    Returns
    -------
    PixelSize or None
        None where they are absent, no numbers, outside 0.05-20, or differ by more than 5 %:
        scanners have square pixels, so such a pair is a mistake. A user may still enter one.
    """
    try:
        fx, fy = float(str(x)), float(str(y))
    except ValueError:
        return None
    if not possible(fx, fy) or max(fx, fy) / min(fx, fy) > _MAX_ANISOTROPY:
        return None
    return PixelSize(fx, fy, source)


def from_resolution(x: float, y: float, unit: int) -> PixelSize | None:
    """Pixel size from TIFF resolution tags; 72 dpi and the like fall outside what is possible.

    Parameters
    ----------
    x, y : float
        Pixels per unit.
    unit : int
        TIFF ResolutionUnit: 2 inch, 3 centimetre; anything else states no length.
    """
    length = {2: 25400.0, 3: 10000.0}.get(unit)
    if length is None or not (x > 0 and y > 0):
        return None
    return stated(length / x, length / y, "tiff-tags")


def given(mpp: float | tuple[float, float]) -> tuple[float, float]:
    """Check a pixel size that a user gave.

    Raises
    ------
    UsageError
        If it is no pixel size a slide can have. Different x and y are fine: the user said so.
    """
    try:
        x, y = (float(v) for v in mpp) if isinstance(mpp, tuple | list) else (float(mpp),) * 2
    except (TypeError, ValueError):
        raise UsageError("bad_mpp", value=mpp) from None
    if not possible(x, y):
        bad = next(v for v in (x, y) if not possible(v, v))
        raise UsageError("bad_mpp", value=f"{bad:g}")
    return x, y


def resolve_mpp(
    path: Path, user: tuple[float, float] | None, candidates: list[PixelSize | None]
) -> PixelSize | None:
    """Choose the pixel size of a slide.

    Parameters
    ----------
    path : Path
        The slide, whose sidecar is looked for.
    user : tuple of float or None
        What was given now; wins.
    candidates : list
        What the file states, best source first.
    """
    if user is not None:
        return PixelSize(*user, "user")
    remembered = read_sidecar(path)
    if remembered is not None:
        return remembered
    return next((c for c in candidates if c is not None), None)


def conflict_with_power(mpp: PixelSize | None, power: float | None) -> str | None:
    """The warning where the objective power and the pixel size do not agree, else None.

    Scanners give about 10 µm/px divided by the power; a factor of 1.5 away is a contradiction.
    """
    if mpp is None or power is None or not (math.isfinite(power) and power > 0):
        return None
    ratio = mpp.mean * power / 10.0
    if 1 / 1.5 <= ratio <= 1.5:
        return None
    return tr("mpp_conflict", power=f"{power:g}", mpp=f"{mpp.mean:.4g}")


def objective_power(properties: Mapping[str, str]) -> float | None:
    """The objective power of OpenSlide's properties, if it is a number above 0."""
    try:
        power = float(properties.get("openslide.objective-power", ""))
    except ValueError:
        return None
    return power if math.isfinite(power) and power > 0 else None


def sidecar_paths(path: Path) -> tuple[Path, Path]:
    """Where a slide's sidecar may lie: beside it, or among the user's data by content."""
    beside = path.with_name(path.name + _ENDING)
    try:
        key = content_key(path)
    except OSError:
        key = "unreadable"
    return beside, get_settings().data_dir / "sidecars" / f"{key}.json"


def read_sidecar(path: Path) -> PixelSize | None:
    """The pixel size entered for this slide earlier; ignored if it was for other content."""
    folder = get_settings().data_dir / "sidecars"
    if not (path.with_name(path.name + _ENDING).exists() or folder.is_dir()):
        return None
    beside, elsewhere = sidecar_paths(path)
    for place in (beside, elsewhere):
        try:
            if place.stat().st_size > _MAX_SIDECAR_BYTES:
                continue
            document = json.loads(place.read_text("utf-8"))
            entry = document["mpp"]
            x, y = float(entry["x"]), float(entry["y"])
            same = document["content_key"] == elsewhere.stem
        except FileNotFoundError:
            continue
        except (OSError, ValueError, KeyError, TypeError):
            LOGGER.warning("a slide's sidecar can't be used and is ignored")
            continue
        if same and possible(x, y):
            return PixelSize(x, y, "sidecar")
        LOGGER.warning("a slide's sidecar was made for another file and is ignored")
    return None


def remember_mpp(slide: Slide | str | os.PathLike[str], x: float, y: float | None = None) -> Path:
    """Remember the pixel size a user entered for a slide.

    Parameters
    ----------
    slide : Slide or path
        Which slide.
    x, y : float
        Micrometres per level-0 pixel; y is x where it is left out.

    Returns
    -------
    Path
        The sidecar: ``<slide>.her2.json`` beside the slide, or a file among the user's data where
        the slide's folder can't be written.

    Raises
    ------
    UsageError
        If no slide can have such a pixel size.
    CannotWriteError
        If neither place can be written.
    """
    x, y = given((x, x if y is None else y))
    path = slide.path if isinstance(slide, Slide) else Path(slide)
    beside, elsewhere = sidecar_paths(path)
    document = {
        "schema": _SIDECAR_VERSION,
        "mpp": {"x": x, "y": y, "source": "user"},
        "content_key": elsewhere.stem,
    }
    data = (json.dumps(document, indent=1, sort_keys=True) + "\n").encode()
    try:
        _write(beside, data)
    except OSError:
        LOGGER.info("a slide's folder can't be written; its pixel size is kept among user data")
    else:
        return beside
    try:
        elsewhere.parent.mkdir(parents=True, exist_ok=True)
        _write(elsewhere, data)
    except OSError as e:
        raise CannotWriteError(
            "cannot_write", path=elsewhere, reason=e.strerror or str(e)
        ) from None
    return elsewhere


def _write(target: Path, data: bytes) -> None:
    """Write beside, sync, replace: a reader sees the old file or the new one, never half."""
    # The temporary name holds nothing of the slide's: names of slides can identify patients.
    fd, temporary = tempfile.mkstemp(prefix=".her2-", suffix=".tmp", dir=target.parent)
    try:
        with os.fdopen(fd, "wb") as f:
            f.write(data)
            f.flush()
            os.fsync(f.fileno())
        Path(temporary).replace(target)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    if hasattr(os, "O_DIRECTORY"):
        folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
