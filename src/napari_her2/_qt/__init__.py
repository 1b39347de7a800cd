"""The only home of Qt and napari imports."""
