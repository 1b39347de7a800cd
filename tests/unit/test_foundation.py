"""Settings, provenance, and what importing the package may cost."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from pathlib import Path

from napari_her2 import __version__
from napari_her2.provenance import now, software
from napari_her2.settings import get_settings, reset_settings

HEAVY = ("napari", "qtpy", "PySide6", "PyQt6", "torch", "openslide", "skimage", "sklearn", "dask")


def run_python(code: str, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": ""}, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_is_quick_and_loads_nothing_heavy(tmp_path):
    code = (
        "import time; t = time.perf_counter(); import napari_her2; "
        "s = time.perf_counter() - t; import sys; "
        f"print(s, [m for m in {HEAVY!r} if m in sys.modules])"
    )
    answers = [run_python(code, tmp_path).split(" ", 1) for _ in range(3)]
    assert {loaded for _, loaded in answers} == {"[]"}
    assert min(float(seconds) for seconds, _ in answers) < 0.5


def test_the_command_line_starts_without_qt_napari_or_torch(tmp_path):
    code = (
        "import sys; from napari_her2.cli.app import run; run(['--help']); "
        f"print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    assert run_python(code, tmp_path).splitlines()[-1] == "[]"


def test_running_as_a_module_is_the_same_program(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "napari_her2", "--version"],
        capture_output=True, text=True, check=False, cwd=tmp_path, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0
    assert __version__ in done.stdout


def test_settings_come_from_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_HER2_DATA", str(tmp_path / "d"))
    monkeypatch.setenv("NAPARI_HER2_TILE_CACHE_MB", "64")
    reset_settings()
    settings = get_settings()
    assert settings.data_dir == tmp_path / "d"
    assert settings.tile_cache_bytes == 64 * 2**20
    monkeypatch.setenv("NAPARI_HER2_DATA", str(tmp_path / "other"))
    assert get_settings() is settings, "read once"
    reset_settings()
    assert get_settings().data_dir == tmp_path / "other"


def test_nothing_is_written_by_asking_where_things_go(monkeypatch, tmp_path):
    monkeypatch.setenv("NAPARI_HER2_DATA", str(tmp_path / "never"))
    reset_settings()
    get_settings()
    assert not (tmp_path / "never").exists()


def test_provenance_names_what_touches_pixels():
    found = software()
    assert found["napari-her2"] == __version__
    for name in ("python", "system", "numpy", "torch", "openslide-bin", "tifffile", "zarr"):
        assert found[name], name


def test_time_is_a_label_with_a_zone():
    parsed = dt.datetime.fromisoformat(now())
    assert parsed.tzinfo is not None
    assert abs(dt.datetime.now(dt.UTC) - parsed) < dt.timedelta(seconds=5)
