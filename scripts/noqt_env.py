"""Make ``.venv-noqt``: the packages of ``.venv`` without any Qt, to prove that Qt is not needed.

The environment is real (its own interpreter link and site-packages folder); the packages in it are
links, so it takes a second instead of a second installation.
"""

from __future__ import annotations

import shutil
import sys
import sysconfig
import venv
from pathlib import Path

REPO = Path(__file__).resolve().parents[1]
TARGET = REPO / ".venv-noqt"
QT = ("pyside6", "shiboken6", "pyqt", "pytest_qt", "pytestqt")


def site_packages(prefix: Path) -> Path:
    """Where an environment keeps its packages."""
    return Path(sysconfig.get_path("purelib", vars={"base": str(prefix), "platbase": str(prefix)}))


def main() -> int:
    """Make the environment anew."""
    source = site_packages(Path(sys.prefix))
    shutil.rmtree(TARGET, ignore_errors=True)
    venv.create(TARGET, with_pip=False, symlinks=True)
    target = site_packages(TARGET)
    for entry in source.iterdir():
        if not entry.name.lower().startswith(QT) and not (target / entry.name).exists():
            (target / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    return 0


if __name__ == "__main__":
    sys.exit(main())
