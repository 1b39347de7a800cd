"""Parts of ``train_cell_models.py``: material, learning, comparison, files."""
