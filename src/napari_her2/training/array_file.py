"""Arrays on disk that grow row by row, and are read without being loaded."""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

__all__ = ["ArrayWriter", "open_rows"]


class ArrayWriter:
    """Writes a ``.npy`` file whose number of rows is known at the end only.

    Parameters
    ----------
    path : Path
        The file; must not be there yet.
    row_shape : tuple of int
        Shape of one row.
    dtype : data type
        Of the numbers.
    """

    def __init__(self, path: Path, row_shape: tuple[int, ...], dtype: Any = np.uint8) -> None:
        self.path = path
        self.rows = 0
        self._row = row_shape
        self._dtype = np.dtype(dtype)
        self._file: BinaryIO = path.open("xb")
        self._file.write(self._header())

    def append(self, values: NDArray[Any]) -> None:
        """Add rows, shape (n, *row_shape)."""
        data = np.ascontiguousarray(values, self._dtype)
        if data.shape[1:] != self._row:
            msg = f"rows of shape {data.shape[1:]}, not {self._row}"
            raise ValueError(msg)
        self._file.write(data.tobytes())
        self.rows += len(data)

    def close(self) -> None:
        """Write the number of rows and close."""
        if not self._file.closed:
            self._file.seek(0)
            self._file.write(self._header())
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _header(self) -> bytes:
        # NumPy leaves room for a first axis of any length: the header is equally long at the end.
        text = io.BytesIO()
        described = {"descr": npy.dtype_to_descr(self._dtype), "fortran_order": False,
                     "shape": (self.rows, *self._row)}  # fmt: skip
        npy.write_array_header_1_0(text, described)
        return text.getvalue()


def open_rows(path: Path) -> NDArray[Any]:
    """Map a ``.npy`` file into memory, read-only. Nothing but plain numbers is read.

    Raises
    ------
    OSError, ValueError
        If it is no such file or is cut short.
    """
    with path.open("rb") as f:
        version = npy.read_magic(f)
        if version != (1, 0):
            msg = "not a file of this program"
            raise ValueError(msg)
        shape, _, dtype = npy.read_array_header_1_0(f, max_header_size=1000)
        at = f.tell()
    if dtype.hasobject or any(s < 0 for s in shape):
        msg = "not plain numbers"
        raise ValueError(msg)
    size = at + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if path.stat().st_size != size:
        msg = "it is cut short or too long"
        raise ValueError(msg)
    if not shape or shape[0] == 0:
        return np.zeros(shape, dtype)
    return np.memmap(path, dtype, "r", at, shape)
