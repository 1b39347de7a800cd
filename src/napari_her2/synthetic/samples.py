"""The ready-made sample slides: where they lie, in a checkout and in a wheel."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from napari_her2.errors import SlideNotFoundError

__all__ = ["SAMPLES", "Sample", "sample_path"]


@dataclass(frozen=True, slots=True)
class Sample:
    """One sample slide.

    Attributes
    ----------
    name : str
        Key, as in the sample menu.
    title : str
        What a person reads.
    file : str
        File name in the sample folder.
    description : str
        One sentence on what it is good for.
    """

    name: str
    title: str
    file: str
    description: str


SAMPLES: Final[tuple[Sample, ...]] = (
    Sample(
        "he-er-positive",
        "H&E, ER and PR positive (synthetic)",
        "he-er-positive.svs",
        "Single files of small even cells in reactive stroma; normal lobules and fat.",
    ),
    Sample(
        "he-her2-positive",
        "H&E, HER2 positive (synthetic)",
        "he-her2-positive.svs",
        "In-situ ducts with comedo necrosis among high-grade cells with wide cytoplasm.",
    ),
    Sample(
        "he-triple-negative",
        "H&E, triple negative (synthetic)",
        "he-triple-negative.svs",
        "Solid high-grade sheets, loose stroma, many lymphocytes.",
    ),
    Sample(
        "her2-ihc",
        "HER2 IHC (synthetic)",
        "her2-ihc.svs",
        "Membranes of all four scores, every cell's completeness and intensity known.",
    ),
    Sample(
        "he-no-mpp",
        "H&E without pixel size (synthetic)",
        "he-no-mpp.svs",
        "States no pixel size: the program has to ask (it is 1 µm per pixel).",
    ),
    Sample(
        "pair-he",
        "Serial sections, H&E (synthetic)",
        "pair.svs",
        "The same tissue as the HER2 section of the pair; landmarks lie beside both.",
    ),
    Sample(
        "pair-her2",
        "Serial sections, HER2 (synthetic)",
        "pair_her2.svs",
        "The HER2 section of the pair: turned, shifted and bent by a known warp.",
    ),
)
"""All samples, in menu order."""


def _folders() -> tuple[Path, ...]:
    package = Path(__file__).resolve().parents[1]
    # A wheel carries the folder inside the package; a checkout has it at the root.
    return package / "sample_data", package.parents[1] / "sample_data"


def sample_path(name: str) -> Path:
    """Path of a sample slide.

    Parameters
    ----------
    name : str
        Its key, e.g. ``he-er-positive``.

    Raises
    ------
    SlideNotFoundError
        If there is no such sample, or its file is missing from the installation.
    """
    file = next((s.file for s in SAMPLES if s.name == name), None)
    for folder in _folders():
        if file is not None and (folder / file).is_file():
            return folder / file
    raise SlideNotFoundError("not_found", name=name, path=f"sample_data/{file or name}")
