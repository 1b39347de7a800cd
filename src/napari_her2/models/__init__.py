"""Model cards, weights, networks and the registry."""
