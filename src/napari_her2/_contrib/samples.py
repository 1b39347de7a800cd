"""Sample slides: synthetic tissue whose truth is known, ready-made or drawn when asked for."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["SAMPLES", "sample_layers"]

SAMPLES: Final[dict[str, str]] = {
    "he-er-positive": "H&E, ER and PR positive (synthetic)",
    "he-her2-positive": "H&E, HER2 positive (synthetic)",
    "he-triple-negative": "H&E, triple negative (synthetic)",
    "her2-ihc": "HER2 IHC (synthetic)",
}

LayerData = tuple[Any, dict[str, Any], str]


def sample_layers(key: str) -> list[LayerData]:
    """Layers of one sample slide.

    Parameters
    ----------
    key : str
        A key of :data:`SAMPLES`.
    """
    from napari_her2._contrib.reader import read_slide
    from napari_her2.synthetic.samples import sample_path

    return read_slide(str(sample_path(key)))
