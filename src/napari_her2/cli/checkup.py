"""The checks of ``doctor``: each looks at one thing and says what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

from napari_her2.settings import get_settings

__all__ = ["Check", "qt_binding_advice", "run_checks", "version_tuple"]

_MIN_FREE: Final = 5 * 2**30


@dataclass(frozen=True, slots=True)
class Check:
    """One finding.

    Attributes
    ----------
    name : str
        What was looked at.
    ok : bool
        Whether it is as it should be.
    found : str
        What was found.
    advice : str
        What to do; empty where nothing is to be done.
    needed : bool
        False where the command line works without it (a viewer, a graphics card).
    """

    name: str
    ok: bool
    found: str
    advice: str = ""
    needed: bool = True


def version_tuple(text: str) -> tuple[int, ...]:
    """Read the leading numbers of a version: ``2.13.0+cpu`` gives (2, 13, 0)."""
    numbers = []
    for part in text.split("+")[0].split("."):
        if not part.isdigit():
            break
        numbers.append(int(part))
    return tuple(numbers)


def _package(name: str, least: str, why: str) -> Check:
    try:
        found = version(name)
    except PackageNotFoundError:
        return Check(name, False, "not installed", f"pip install '{name}>={least}'")
    ok = version_tuple(found) >= version_tuple(least)
    advice = "" if ok else f"pip install --upgrade '{name}>={least}': {why}"
    return Check(name, ok, found, advice)


def _python() -> Check:
    ok = sys.version_info >= (3, 11)
    return Check(
        "Python", ok, platform.python_version(), "" if ok else "Install Python 3.11 or newer."
    )


def _napari() -> Check:
    return _package("napari", "0.9.2", "older versions lack the menus and settings used here.")


def _openslide() -> Check:
    return _package("openslide-bin", "4.0.1", "older ones crash on some damaged slides.")


def _torch() -> Check:
    base = _package("torch", "2.10", "older ones have known faults in reading files.")
    if not base.ok:
        return base
    from napari_her2.models.tile_models import choose_device

    return Check("torch", True, f"{base.found}, computes on {choose_device('auto').type}")


def qt_binding_advice(binding: str, found: str, python: tuple[int, int]) -> str:
    """Say what is wrong with a Qt binding; empty where nothing is.

    Parameters
    ----------
    binding : str
        ``PySide6`` or ``PyQt6``.
    found : str
        Its version.
    python : (int, int)
        Python's version.
    """
    numbers = version_tuple(found)
    if binding != "PySide6":
        return ""
    if numbers[:3] in {(6, 11, 0), (6, 11, 1)}:
        return "napari does not work with this release: pip install 'PySide6>=6.11.2,<6.12'"
    if numbers[:2] >= (6, 12) and python < (3, 12):
        return (
            "PySide6 6.12 stops the program after a while on Python 3.11: "
            "pip install 'PySide6>=6.8,<6.12,!=6.11.0,!=6.11.1', or use Python 3.12"
        )
    return ""


def _qt() -> Check:
    for binding in ("PySide6", "PyQt6"):
        try:
            found = version(binding)
        except PackageNotFoundError:
            continue
        advice = qt_binding_advice(binding, found, sys.version_info[:2])
        return Check("Qt", not advice, f"{binding} {found}", advice, needed=False)
    return Check(
        "Qt", False, "no Qt binding", "For the viewer: pip install 'napari-her2[qt]'", needed=False
    )


def _display() -> Check:
    if sys.platform in {"win32", "darwin"}:
        return Check("display", True, "the system's own", needed=False)
    found = os.environ.get("WAYLAND_DISPLAY") or os.environ.get("DISPLAY")
    if found:
        return Check("display", True, found, needed=False)
    return Check(
        "display", False, "none",
        "The viewer needs one; without a screen use xvfb-run, or demo --headless.", needed=False,
    )  # fmt: skip


def _opengl() -> Check:
    from ctypes.util import find_library

    if sys.platform in {"win32", "darwin"}:
        return Check("OpenGL", True, "the system's own", needed=False)
    missing = [name for name in ("GL", "EGL") if find_library(name) is None]
    advice = "" if not missing else "On Debian: apt-get install libgl1 libegl1 libgl1-mesa-dri"
    found = "present" if not missing else "missing: " + ", ".join(f"lib{m}" for m in missing)
    return Check("OpenGL", not missing, found, advice, needed=False)


def _data_dir() -> Check:
    folder = get_settings().data_dir
    advice = "Choose another folder with the environment variable NAPARI_HER2_DATA."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-{os.getpid()}"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        return Check("data folder", False, f"{folder}: {error.strerror or error}", advice)
    return Check("data folder", True, str(folder))


def _disk() -> Check:
    folder = get_settings().data_dir
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    here = shutil.disk_usage(Path.cwd()).free
    least = min(free, here)
    ok = least >= _MIN_FREE
    return Check(
        "disk space", ok, f"{least / 2**30:.1f} GiB free",
        "" if ok else "Keep at least 5 GiB free for results and caches.", needed=False,
    )  # fmt: skip


def _memory() -> Check:
    import psutil

    total = psutil.virtual_memory().total / 2**30
    ok = total >= 3.5
    return Check(
        "memory", ok, f"{total:.1f} GiB",
        "" if ok else "4 GiB or more are wanted for prediction.", needed=False,
    )  # fmt: skip


def _models() -> Check:
    from napari_her2.errors import Her2Error
    from napari_her2.models.registry import Registry

    registry = Registry()
    demo = [m for m in registry.list() if m.built_in]
    wanted = {"ER", "PR", "HER2"}
    have = {m.card.biomarker for m in demo}
    again = "Install the package again."
    if not wanted <= have:
        return Check("demo models", False, "missing: " + ", ".join(sorted(wanted - have)), again)
    for model in demo:
        try:
            registry.verify(model.card.id)
        except Her2Error as error:
            return Check("demo models", False, error.sentence, again)
    return Check("demo models", True, ", ".join(m.card.id for m in demo) + ": intact")


CHECKS: Final[tuple[Callable[[], Check], ...]] = (
    _python, _napari, _qt, _display, _opengl, _openslide, _torch, _models, _data_dir, _disk,
    _memory,
)  # fmt: skip


def run_checks() -> list[Check]:
    """Run every check; one that fails in an unforeseen way is a finding, not the end."""
    found = []
    for check in CHECKS:
        try:
            found.append(check())
        except Exception as error:  # noqa: BLE001  (a broken installation can fail in any way)
            name = check.__name__.strip("_").replace("_", " ")
            found.append(
                Check(name, False, f"{type(error).__name__}: {error}", "Install the package again.")
            )
    return found
