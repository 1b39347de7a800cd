"""Pure numbers: from cell classes and probabilities to scores, calls and agreement."""
