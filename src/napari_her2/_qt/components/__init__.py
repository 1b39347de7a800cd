"""Parts used by several docks: signals up, setters down, no viewer."""
