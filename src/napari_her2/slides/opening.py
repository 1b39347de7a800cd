"""Open anything that is a slide, with the backend that suits it, or say in one sentence why not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from numpy.typing import ArrayLike

from napari_her2.errors import Her2Error, NotASlideError, SlideNotFoundError
from napari_her2.settings import LOGGER
from napari_her2.slides.backend import BackendSlide, SlideSpec, brief
from napari_her2.slides.base import Slide
from napari_her2.slides.identity import slide_name
from napari_her2.slides.mpp import given
from napari_her2.slides.sniff import dicom_file_in, kind_of

if TYPE_CHECKING:
    from napari_her2.slides.header import TiffStructure

__all__ = ["open_array", "open_slide", "reopen"]


def open_slide(
    path: str | os.PathLike[str],
    *,
    mpp: float | tuple[float, float] | None = None,
    probe: bool = False,
) -> Slide:
    """Open a slide lazily, whatever the vendor.

    Parameters
    ----------
    path : str or path
        A whole-slide file, a DICOM file or folder, an OME-Zarr folder, an (OME-)TIFF, or a plain
        JPEG or PNG.
    mpp : float or tuple of float, optional
        Micrometres per level-0 pixel, one number or (x, y). Wins over what the file says. It is
        not remembered; see :func:`remember_mpp`.
    probe : bool
        Let a child process open the slide first, so that a file that makes a decoder crash, hang
        or ask for too much memory can't take this process with it. Once per content.

    Returns
    -------
    Slide
        Close it, or use it as a context manager.

    Raises
    ------
    SlideNotFoundError
        If there is no such file.
    NotASlideError
        If it is no slide, or too damaged to open.
    SlideTooLargeError
        If its header asks for more memory than is reasonable.
    UsageError
        If ``mpp`` is no pixel size a slide can have.
    """
    p = Path(path)
    size = None if mpp is None else given(mpp)
    try:
        exists = p.exists()
    except (OSError, ValueError):
        exists = False
    if not exists:
        raise SlideNotFoundError("not_found", name=p.name or str(p), path=p)
    spec = SlideSpec(str(p.absolute()), size)
    try:
        structure = check_header(Path(spec.path))
        if probe:
            from napari_her2.slides.probe import probe_slide

            probe_slide(Path(spec.path))
        return _open(spec, structure)
    except Her2Error:
        raise
    except Exception as e:  # noqa: BLE001 - libraries raise anything; the user gets a sentence
        LOGGER.debug("opening a slide failed", exc_info=True)
        raise NotASlideError("damaged_slide", name=p.name, reason=brief(e)) from None


def open_array(
    array: ArrayLike | Sequence[ArrayLike],
    *,
    mpp: float | tuple[float, float] | None = None,
    slide_id: str = "array",
) -> Slide:
    """Make a slide of pixels in memory.

    Parameters
    ----------
    array : array_like or sequence of array_like
        uint8, shape (height, width, 3); a list or tuple of arrays is a pyramid, finest first.
    mpp : float or tuple of float, optional
        Micrometres per level-0 pixel, one number or (x, y).
    slide_id : str
        Its name.

    Raises
    ------
    NotASlideError
        If the array is no 8-bit RGB picture.
    UsageError
        If ``mpp`` is no pixel size a slide can have.
    """
    from napari_her2.slides.array_backend import ArraySlide

    levels: list[ArrayLike] = [*array] if isinstance(array, list | tuple) else [array]  # type: ignore[list-item]
    return ArraySlide(levels, None if mpp is None else given(mpp), slide_id)


def reopen(spec: SlideSpec) -> Slide:
    """Open a slide from its description; how slides are unpickled."""
    return open_slide(spec.path, mpp=spec.mpp)


def check_header(path: Path) -> TiffStructure | None:
    """Check the header of a TIFF before any library reads it; None for other files."""
    if kind_of(path) != "tiff":
        return None
    from napari_her2.slides.header import read_structure

    return read_structure(path)


def _open(spec: SlideSpec, structure: TiffStructure | None) -> BackendSlide:
    path = Path(spec.path)
    name, slide_id, kind = path.name, slide_name(path), kind_of(path)
    if kind == "image":
        from napari_her2.slides.image_backend import ImageSlide

        return ImageSlide(spec, slide_id)
    if kind == "zarr":
        from napari_her2.slides.zarr_backend import ZarrSlide

        return ZarrSlide(spec, slide_id)
    if kind is None:
        reason = "a folder without DICOM or OME-Zarr" if path.is_dir() else "unknown file type"
        raise NotASlideError("not_slide", name=name, reason=reason)
    if structure is not None and structure.is_ome:
        return _open_tiff(spec, slide_id, structure)
    from napari_her2.slides.openslide_backend import OpenSlideSlide, vendor_of

    file = dicom_file_in(path) if kind == "dicom-folder" else path
    if file is not None and vendor_of(file) is not None:
        return OpenSlideSlide(spec, slide_id, file, structure)
    if structure is not None:
        return _open_tiff(spec, slide_id, structure)
    raise NotASlideError("not_slide", name=name, reason="OpenSlide does not know this format")


def _open_tiff(spec: SlideSpec, slide_id: str, structure: TiffStructure) -> BackendSlide:
    from napari_her2.slides.tiff_backend import TiffSlide

    return TiffSlide(spec, slide_id, structure)
