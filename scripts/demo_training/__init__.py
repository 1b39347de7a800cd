"""Training and checking of the demo models on synthetic tissue; not part of the package."""
