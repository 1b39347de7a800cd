"""Cells: found, measured, classified."""
