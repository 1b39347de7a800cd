"""Results as napari layer-data tuples: pure functions that know no viewer."""
