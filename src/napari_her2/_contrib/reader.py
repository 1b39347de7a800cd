"""napari's way to our slides: a cheap look first, one multiscale picture after."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from napari_her2._contrib.preferences import apply_preferences

__all__ = ["get_reader", "read_slide"]

LayerData = tuple[Any, dict[str, Any], str]
PathOrPaths = str | Sequence[str]


def get_reader(path: PathOrPaths) -> Callable[[PathOrPaths], list[LayerData]] | None:
    """Offer a reader for a slide, or decline.

    Parameters
    ----------
    path : str or list of str
        A file or folder. Several files are taken only if all are DICOM: together they are one
        slide.

    Returns
    -------
    callable or None
        None for what is not a slide. Never raises: other readers want their turn.
    """
    from napari_her2.slides import looks_like_slide

    try:
        one = _one_path(path)
        return read_slide if one is not None and looks_like_slide(one) else None
    except (OSError, ValueError):
        return None


def read_slide(path: PathOrPaths) -> list[LayerData]:
    """Read a slide as one multiscale RGB picture in micrometres.

    Parameters
    ----------
    path : str or list of str
        As given to :func:`get_reader`.

    Returns
    -------
    list of one layer-data tuple

    Raises
    ------
    Her2Error
        If the slide can't be opened; one sentence.
    """
    from napari_her2.errors import NotASlideError
    from napari_her2.layers import slide_layer
    from napari_her2.slides import open_slide

    one = _one_path(path)
    if one is None:
        raise NotASlideError("not_slide", name=Path(path[0]).name, reason="several files")
    apply_preferences()
    data, kwargs, kind = slide_layer(open_slide(one, probe=True))
    return [(data, kwargs, kind)]


def _one_path(path: PathOrPaths) -> Path | None:
    if isinstance(path, str | Path):
        return Path(path)
    paths = [Path(p) for p in path]
    if len(paths) == 1:
        return paths[0]
    if paths and all(p.suffix.lower() == ".dcm" for p in paths):
        return paths[0]
    return None
