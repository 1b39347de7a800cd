"""``python -m napari_her2``: the same program as ``napari-her2``."""

from napari_her2.cli import main

if __name__ == "__main__":
    main()
