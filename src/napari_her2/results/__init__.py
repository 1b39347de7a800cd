"""What a run produced and where it is kept."""
