"""napari-her2: ER, PR and HER2 on whole slides, in napari and on the command line.

Research use only. Not a medical device. Not for diagnosis or treatment decisions.
Importing the package loads no Qt, napari or torch.
"""

from __future__ import annotations

__version__ = "0.1.0"
__all__ = ["__version__"]
