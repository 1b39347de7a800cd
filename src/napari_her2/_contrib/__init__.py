"""What napari calls through the manifest: glue only."""
