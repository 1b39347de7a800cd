"""Tissue with known truth, drawn from scratch: sample slides, demo models, tests."""
