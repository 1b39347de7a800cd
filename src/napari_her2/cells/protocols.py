"""What a classifier of cells is, whatever it is made of."""

from __future__ import annotations

from typing import Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from napari_her2.cells.table import CellTable
from napari_her2.types import ModelStatus, Probs

__all__ = ["CellClassifier", "CropChannels", "Crops"]

CropChannels = Literal["stains", "rgb"]
"""What crops show: haematoxylin and DAB (two channels), or the colours as scanned (three)."""

Crops = NDArray[np.uint8]
"""Shape (n, side, side, channels): see :func:`napari_her2.cells.crops.cut_crops`."""


@runtime_checkable
class CellClassifier(Protocol):
    """Gives each cell of a table a probability for each class.

    Attributes
    ----------
    id, name, version : str
        As on the model card; the weight-free classifier is called ``membrane``.
    status : str or None
        Status of the card; None where there are no weights.
    classes : tuple of str
        Columns of the result.
    needs_crops : bool
        Whether ``classify`` needs crops beside the table.
    channels : {"stains", "rgb"} or None
        What the crops must show.
    crop_px : int or None
        Side of the crops in pixels.
    crop_mpp : float or None
        Micrometres per pixel of the crops.
    digest : str
        Changes whenever the same cells would get other numbers: weights or cuts, and runtime.
    """

    @property
    def id(self) -> str:
        """Name it is asked for by."""
        ...

    @property
    def name(self) -> str:
        """Name for people."""
        ...

    @property
    def version(self) -> str:
        """As on the card."""
        ...

    @property
    def status(self) -> ModelStatus | None:
        """Status of the card."""
        ...

    @property
    def classes(self) -> tuple[str, ...]:
        """Columns of the result."""
        ...

    @property
    def needs_crops(self) -> bool:
        """Whether crops are needed."""
        ...

    @property
    def channels(self) -> CropChannels | None:
        """What the crops show."""
        ...

    @property
    def crop_px(self) -> int | None:
        """Side of the crops."""
        ...

    @property
    def crop_mpp(self) -> float | None:
        """Pixel size of the crops."""
        ...

    @property
    def digest(self) -> str:
        """Changes with the numbers."""
        ...

    def classify(self, table: CellTable, crops: Crops | None = None) -> Probs:
        """Classify cells.

        Parameters
        ----------
        table : CellTable
            The cells with what was measured of them.
        crops : ndarray of uint8, optional
            One for each cell, where the classifier needs them.

        Returns
        -------
        ndarray of float32
            Shape (n, classes), rows sum to 1.
        """
        ...
