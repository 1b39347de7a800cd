"""Open slides lazily, whatever the vendor."""
