"""Tissue with known truth, drawn from scratch: sample slides, demo models, tests."""

from napari_her2.synthetic.he import HeScene

__all__ = ["HeScene"]
