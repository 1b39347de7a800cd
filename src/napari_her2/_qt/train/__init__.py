"""The Train dock: from a label set to a model, its figures, and its use."""
