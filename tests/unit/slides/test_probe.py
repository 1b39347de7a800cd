"""A child process opens a slide first, so that a decoder's crash is a sentence."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import made_slides as made
import numpy as np
import pytest

from napari_her2.errors import NotASlideError
from napari_her2.settings import get_settings
from napari_her2.slides import open_slide, probe


@pytest.fixture(autouse=True)
def own_child(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test its own child and memory of what was tried."""
    probe.stop_probe()
    monkeypatch.setattr(probe, "_known", set())
    yield
    probe.stop_probe()


@pytest.fixture
def support_on_path(monkeypatch: pytest.MonkeyPatch, repo_root: Path) -> None:
    monkeypatch.setenv("PYTHONPATH", str(repo_root / "tests" / "support"))


def test_sound_slide_is_probed_once_per_content(aperio: Path, tmp_path: Path) -> None:
    with open_slide(aperio, probe=True) as slide:
        assert slide.info.backend == "openslide+direct"
    child = probe._child
    assert child is not None
    assert child.process.poll() is None
    marks = list((get_settings().cache_dir / "probed").iterdir())
    assert len(marks) == 1
    copy = tmp_path / "other name.svs"
    copy.write_bytes(aperio.read_bytes())
    open_slide(copy, probe=True).close()
    assert list((get_settings().cache_dir / "probed").iterdir()) == marks
    assert "slide" not in marks[0].name


def test_non_ascii_path_and_folders(aperio_made: Path, tmp_path: Path, image: np.ndarray) -> None:
    with open_slide(aperio_made, probe=True) as slide:
        assert slide.path == aperio_made
        assert not aperio_made.name.isascii()
    folder = made.write_ome_zarr(tmp_path / "ü.zarr", image)
    with open_slide(folder, probe=True) as slide:
        assert (slide.size.height, slide.size.width) == image.shape[:2]
    # Both went through the child, which lives on.
    assert len(list((get_settings().cache_dir / "probed").iterdir())) == 2
    assert probe._child is not None
    assert probe._child.process.poll() is None


def test_a_refusal_of_the_child_keeps_its_sentence(tmp_path: Path) -> None:
    path = tmp_path / "x.mrxs"
    path.write_bytes(b"nothing")
    with pytest.raises(NotASlideError, match=r"x\.mrxs"):
        open_slide(path, probe=True)
    assert not (get_settings().cache_dir / "probed").exists()


@pytest.mark.usefixtures("support_on_path")
def test_a_child_that_hangs_is_given_up(aperio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_MODULE", "probe_hangs")
    short = replace(get_settings(), probe_seconds=0.5)
    monkeypatch.setattr(probe, "get_settings", lambda: short)
    with pytest.raises(NotASlideError, match="took more than") as caught:
        open_slide(aperio, probe=True)
    assert caught.value.message_id == "damaged_slide"
    assert probe._child is None


@pytest.mark.usefixtures("support_on_path")
def test_a_child_that_crashes_is_a_sentence(aperio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "_MODULE", "probe_crashes")
    with pytest.raises(NotASlideError, match="crashed"):
        open_slide(aperio, probe=True)
    monkeypatch.setattr(probe, "_MODULE", "napari_her2.slides.probe_child")
    open_slide(aperio, probe=True).close()


def test_no_child_no_probe_but_the_header_check_holds(
    aperio: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "_MODULE", "no_such_module_at_all")
    open_slide(aperio, probe=True).close()
    made.loop_directories(aperio)
    with pytest.raises(NotASlideError, match="loops"):
        open_slide(aperio, probe=True)


@pytest.mark.skipif(sys.platform == "win32", reason="no RLIMIT_AS")
def test_the_child_has_a_memory_limit() -> None:
    import psutil

    probe.warm_probe()
    child = probe._child
    assert child is not None
    child._wait(30, 2**40)
    if hasattr(psutil.Process, "rlimit"):
        limits = psutil.Process(child.process.pid).rlimit(psutil.RLIMIT_AS)
        assert limits[0] == get_settings().probe_bytes


def test_the_child_ends_with_its_input() -> None:
    probe.warm_probe()
    child = probe._child
    assert child is not None
    assert child.process.stdin is not None
    child._wait(30, 2**40)
    child.process.stdin.close()
    assert child.process.wait(10) == 0


def test_attempt_reports_without_raising(aperio: Path, tmp_path: Path) -> None:
    from napari_her2.slides.probe_child import attempt

    assert attempt(aperio) == {"ok": True}
    answer = attempt(tmp_path / "none.svs")
    assert answer["ok"] is False
    assert answer["id"] == "not_found"
