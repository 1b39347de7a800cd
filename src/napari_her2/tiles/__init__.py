"""Tissue, tile grids, selection and batched reading."""
