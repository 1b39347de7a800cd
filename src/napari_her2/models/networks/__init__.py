"""Network architectures, each our own module; importing this package imports no torch."""
