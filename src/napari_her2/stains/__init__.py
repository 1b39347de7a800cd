"""What stain a slide carries."""
