"""Sample slides in napari's sample menu: synthetic tissue whose truth is known."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from napari_her2._contrib.reader import read_slide

__all__ = ["COMMANDS", "sample_layers"]

LayerData = tuple[Any, dict[str, Any], str]


def sample_layers(name: str) -> list[LayerData]:
    """Layers of one sample slide.

    Parameters
    ----------
    name : str
        Its key in :data:`napari_her2.synthetic.samples.SAMPLES`.

    Raises
    ------
    SlideNotFoundError
        If the sample is not part of this installation.
    """
    from napari_her2.synthetic.samples import sample_path

    return read_slide(str(sample_path(name)))


# The manifest names one function for each entry of the menu.
he_er_positive = partial(sample_layers, "he-er-positive")
he_her2_positive = partial(sample_layers, "he-her2-positive")
he_triple_negative = partial(sample_layers, "he-triple-negative")
her2_ihc = partial(sample_layers, "her2-ihc")
he_no_mpp = partial(sample_layers, "he-no-mpp")
pair_he = partial(sample_layers, "pair-he")
pair_her2 = partial(sample_layers, "pair-her2")

COMMANDS: Final = {
    "he-er-positive": he_er_positive,
    "he-her2-positive": he_her2_positive,
    "he-triple-negative": he_triple_negative,
    "her2-ihc": her2_ihc,
    "he-no-mpp": he_no_mpp,
    "pair-he": pair_he,
    "pair-her2": pair_her2,
}
"""By key of the sample; a test holds it equal to the table of samples and to the manifest."""
