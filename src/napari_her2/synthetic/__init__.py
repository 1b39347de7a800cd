"""Tissue with known truth, drawn from scratch: sample slides, demo models, tests."""

from napari_her2.synthetic.he import HeScene
from napari_her2.synthetic.ihc import IhcScene
from napari_her2.synthetic.truth import Truth
from napari_her2.synthetic.writing import KINDS, write_slide

__all__ = ["KINDS", "HeScene", "IhcScene", "Truth", "write_slide"]
