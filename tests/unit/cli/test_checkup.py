"""``doctor``: each finding comes with what to do."""

from __future__ import annotations

import pytest

from napari_her2.cli import checkup
from napari_her2.cli.checkup import Check, qt_binding_advice, run_checks, version_tuple
from napari_her2.settings import reset_settings


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("4.0.1.2", (4, 0, 1, 2)), ("2.13.0+cpu", (2, 13, 0)), ("6.12.0rc1", (6, 12)), ("x", ())],
)
def test_versions_are_compared_as_numbers(text, numbers):
    assert version_tuple(text) == numbers


@pytest.mark.parametrize(
    ("binding", "found", "python", "bad"),
    [("PySide6", "6.12.0", (3, 11), True), ("PySide6", "6.12.0", (3, 12), False),
     ("PySide6", "6.11.0", (3, 12), True), ("PySide6", "6.11.2", (3, 11), False),
     ("PySide6", "6.8.3", (3, 11), False), ("PyQt6", "6.12.0", (3, 11), False)],
)  # fmt: skip
def test_qt_bindings_that_break_are_named(binding, found, python, bad):
    advice = qt_binding_advice(binding, found, python)
    assert bool(advice) == bad
    if bad:
        assert "pip install" in advice


def test_an_old_openslide_is_named_with_the_cure(monkeypatch):
    monkeypatch.setattr(checkup, "version", lambda name: "4.0.0.6")
    check = checkup._openslide()
    assert not check.ok
    assert check.advice.startswith("pip install --upgrade 'openslide-bin>=4.0.1'")


def test_a_missing_package_is_named_with_the_cure(monkeypatch):
    def absent(name):
        raise checkup.PackageNotFoundError(name)

    monkeypatch.setattr(checkup, "version", absent)
    check = checkup._torch()
    assert (check.ok, check.found) == (False, "not installed")
    assert "pip install 'torch>=2.10'" in check.advice


def test_a_folder_that_cannot_be_written_is_named(monkeypatch, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("in the way", encoding="utf-8")
    monkeypatch.setenv("NAPARI_HER2_DATA", str(blocked / "data"))
    reset_settings()
    check = checkup._data_dir()
    assert not check.ok
    assert "NAPARI_HER2_DATA" in check.advice


def test_a_full_disk_is_a_note(monkeypatch):
    usage = type("Usage", (), {"free": 10})
    monkeypatch.setattr(checkup.shutil, "disk_usage", lambda path: usage)
    check = checkup._disk()
    assert (check.ok, check.needed) == (False, False)


def test_a_check_that_breaks_is_a_finding_and_not_the_end(monkeypatch):
    def _bad_check():
        raise OSError("libfoo.so is missing")

    monkeypatch.setattr(checkup, "CHECKS", (_bad_check, checkup._python))
    broken, python = run_checks()
    assert (broken.name, broken.ok) == ("bad check", False)
    assert "libfoo.so" in broken.found
    assert python.ok


def test_every_check_of_this_installation_is_named_and_advises_when_it_fails():
    checks = run_checks()
    assert len({c.name for c in checks}) == len(checks) >= 10
    for check in checks:
        assert isinstance(check, Check)
        assert check.found
        assert check.ok or check.advice
    by_name = {c.name: c for c in checks}
    for name in ("Python", "napari", "openslide-bin", "torch", "demo models", "data folder"):
        assert by_name[name].ok, by_name[name]
