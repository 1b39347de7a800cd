"""The Annotate dock: draw regions, give them classes, turn them into a label set."""
