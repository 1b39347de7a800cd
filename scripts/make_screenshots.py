"""Takes the pictures of the window for README and docs; needs a display (xvfb-run does).

python scripts/make_screenshots.py [FOLDER] [--slide SLIDE]

Writes ``predict-demo.png`` and ``predict-results.png``, ``score-sample.png`` and
``score-results.png`` (sample slides), ``annotate-dock.png``, each dock in both themes at
100 and 150 %, and with ``--slide`` (or the shared data beside the checkout) ``predict-cmu1.png``.
Uses a user folder of its own: no settings of yours are read.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
CMU1 = ROOT.parent / "shared/data/wsi-aperio-cmu1-small/CMU-1-Small-Region.svs"
SAMPLE = "he-her2-positive"
IHC_SAMPLE = "her2-ihc"


def main() -> int:
    """Take all pictures, each scale in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "docs" / "screenshots")
    parser.add_argument("--slide", type=Path, default=CMU1)
    parser.add_argument("--scene", choices=["demo", "slide", "docks", "score", "annotate"])
    args = parser.parse_args()
    args.folder.mkdir(parents=True, exist_ok=True)
    if args.scene:
        isolate()
        SCENES[args.scene](args.folder, args.slide)
        return 0
    runs = [("demo", "1"), ("score", "1"), ("annotate", "1"), ("docks", "1"), ("docks", "1.5")]
    if args.slide.exists():
        runs.append(("slide", "1"))
    else:
        print(f"left out: {args.slide} is not there")
    for scene, scale in runs:
        command = [sys.executable, __file__, str(args.folder), "--slide", str(args.slide)]
        env = {**os.environ, "QT_SCALE_FACTOR": scale}
        subprocess.run([*command, "--scene", scene], env=env, check=True)
    return 0


def isolate() -> None:
    """A user folder that is thrown away, no dialogs, no animation, English numbers."""
    base = Path(tempfile.mkdtemp(prefix="napari-her2-shots-"))
    os.environ.update(
        NAPARI_HER2_DATA=str(base / "data"),
        NAPARI_HER2_CACHE=str(base / "cache"),
        NAPARI_CONFIG=str(base / "napari.yaml"),
        NAPARI_HER2_ACCEPT_NOTICE="1",
        NAPARI_HER2_REDUCED_MOTION="1",
        LC_ALL="C.UTF-8",
    )
    from qtpy.QtCore import QLocale

    QLocale.setDefault(QLocale("en_US"))


class Stage:
    """A window with both docks and one slide."""

    def __init__(self, width: int, height: int) -> None:
        from napari_her2._qt.app import make_viewer
        from napari_her2._qt.session import session_of

        self.viewer = make_viewer(width=width, height=height)
        self.session = session_of(self.viewer)
        docks = self.viewer.window.dock_widgets
        self.slide_dock = next(w for n, w in docks.items() if n.startswith("Slide "))
        self.predict_dock = next(w for n, w in docks.items() if n.startswith("Predict "))
        self.score_dock = next(w for n, w in docks.items() if n.startswith("Score "))

    def wait(self, seconds: float, until: Any = None) -> None:
        """Let the window work."""
        from napari_her2._qt.app import settle

        settle(seconds, until)

    def surveyed(self) -> None:
        """Wait for the first look at the slide."""
        self.wait(60, lambda: self.session.active and self.session.active.survey)

    def run(self, step_px: int | None = None) -> None:
        """Predict and wait for the end."""
        form = self.predict_dock.form
        if step_px is not None:
            form.choose_step(step_px)
        self.predict_dock.run()
        self.wait(900, lambda: not self.session.runner.running)
        self.wait(2)
        if self.predict_dock.errors.sentence:
            raise SystemExit(self.predict_dock.errors.sentence)

    def score(self) -> None:
        """Score the cells and wait for the end."""
        self.score_dock.run()
        self.wait(900, lambda: not self.session.runner.running)
        self.wait(2)
        if self.score_dock.errors.sentence:
            raise SystemExit(self.score_dock.errors.sentence)

    def visit_cell(self, margin_px: float = 100) -> None:
        """Go to the most doubtful cell whose picture does not reach over the slide's edge."""
        presenter = self.session.score.presenter
        table, size = presenter.run.table, presenter.entry.slide.size
        for number, row in enumerate(presenter.doubtful):
            x, y = table["x_px"][row], table["y_px"][row]
            near = min(x, y, size.width - x, size.height - y)
            if near > margin_px:
                presenter.visit(number)
                return

    def window(self, path: Path) -> None:
        """Picture of the whole window."""
        # The canvas has its final width only now.
        self.viewer.reset_view()
        from napari_her2._qt.app import window_picture

        self.wait(1.5)
        save(window_picture(self.viewer), path)

    def narrow(self) -> None:
        """Make the docks as narrow as they go: 340 px."""
        from qtpy.QtCore import Qt
        from qtpy.QtWidgets import QDockWidget

        from napari_her2._qt.components.dock_body import MIN_WIDTH

        window = self.slide_dock.window()
        frames = [f for f in window.findChildren(QDockWidget) if f.isAncestorOf(self.slide_dock)]
        window.resizeDocks(frames, [MIN_WIDTH], Qt.Orientation.Horizontal)
        self.wait(0.5)

    def close(self) -> None:
        """Close the window."""
        self.viewer.close()


def save(rgba: Any, path: Path) -> None:
    """Write a PNG of 256 colours: a quarter of the size, and none of it is for measuring."""
    from PIL import Image

    picture = Image.fromarray(rgba[..., :3])
    picture.quantize(
        256, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG
    ).save(path, optimize=True)
    print(f"{path.name}: {path.stat().st_size // 1024} kB")


def demo(folder: Path, _slide: Path) -> None:
    """The sample slide after Predict, and the result card unfolded."""
    from napari_her2._qt.slide.actions import show_sample

    stage = Stage(1440, 900)
    show_sample(stage.session, SAMPLE)
    stage.surveyed()
    stage.run(128)
    presenter = stage.session.predict.presenter
    her2 = next(i for i, m in presenter.run.models.items() if m.name == "HER2")
    presenter.choose(her2)
    stage.window(folder / "predict-demo.png")
    stage.predict_dock.card.why.fold.setChecked(True)
    presenter.visit(0)
    stage.wait(1)
    card = stage.predict_dock.card
    card.resize(card.width(), card.sizeHint().height())
    grab(card, folder / "predict-results.png")
    stage.close()


def slide(folder: Path, path: Path) -> None:
    """A real slide after Predict."""
    from napari_her2._qt.slide.actions import open_paths

    stage = Stage(1920, 1080)
    if not open_paths(stage.session, [path]):
        raise SystemExit(3)
    stage.surveyed()
    stage.run(64)
    stage.window(folder / "predict-cmu1.png")
    stage.close()


def docks(folder: Path, _slide: Path) -> None:
    """All docks with a result, in both themes, at the scale of this process."""
    from napari.settings import get_settings

    from napari_her2._qt.slide.actions import show_sample

    scale = round(100 * float(os.environ.get("QT_SCALE_FACTOR", "1")))
    stage = Stage(1440, 900)
    show_sample(stage.session, SAMPLE)
    stage.surveyed()
    stage.run()
    stage.narrow()
    for theme in ("dark", "light"):
        get_settings().appearance.theme = theme
        stage.wait(1)
        for name, dock in (("slide", stage.slide_dock), ("predict", stage.predict_dock)):
            held(dock)
            grab(dock, folder / f"docks-{theme}-{scale}-{name}.png")
    show_sample(stage.session, IHC_SAMPLE)
    stage.surveyed()
    stage.score()
    stage.visit_cell()
    for theme in ("dark", "light"):
        get_settings().appearance.theme = theme
        stage.wait(1)
        held(stage.score_dock)
        grab(stage.score_dock, folder / f"docks-{theme}-{scale}-score.png")
    stage.close()


def held(dock: Any) -> None:
    """Docks scroll up and down only: a bar at the bottom, or a part too wide, would hide words."""
    from qtpy.QtWidgets import QScrollArea

    for area in dock.findChildren(QScrollArea):
        inner = area.widget().minimumSizeHint().width() - area.viewport().width()
        if max(inner, area.horizontalScrollBar().maximum()) > 0:
            msg = f"wider than its dock: {type(dock).__name__} by {inner} px"
            raise SystemExit(msg)


def score(folder: Path, _slide: Path) -> None:
    """The HER2 sample after Score: all its cells, and one of them near by with its card."""
    from napari_her2._qt.slide.actions import show_sample

    stage = Stage(1440, 900)
    show_sample(stage.session, IHC_SAMPLE)
    stage.surveyed()
    stage.score()
    stage.window(folder / "score-sample.png")
    stage.visit_cell()
    stage.wait(1)
    card = stage.score_dock.card
    card.resize(card.width(), card.heightForWidth(card.width()))
    stage.wait(0.3)
    grab(card, folder / "score-results.png")
    stage.close()


def annotate(folder: Path, _slide: Path) -> None:
    """Regions of the seven classes on the HER2 sample, one with a hole; the dock in both themes."""
    import numpy as np
    from napari.settings import get_settings
    from shapely.geometry import Point, Polygon

    from napari_her2._qt.components.notice_dialog import accept_notice
    from napari_her2._qt.docks import open_dock
    from napari_her2._qt.slide.actions import show_sample

    accept_notice("R1")
    stage = Stage(1440, 900)
    show_sample(stage.session, IHC_SAMPLE)
    stage.surveyed()
    dock = open_dock(stage.session, "her2-annotate")
    controller = stage.session.annotate
    stage.wait(20, lambda: controller.labels is not None)
    easel = controller.easel
    rng = np.random.default_rng(3)
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)

    def blob(x: float, y: float, r: float) -> Polygon:
        reach = r * (1 + 0.12 * np.sin(3 * angle + rng.uniform(0, 6)))
        return Polygon(np.column_stack([x + reach * np.cos(angle), y + reach * np.sin(angle)]))

    controller.take_tool("freehand")
    places = ((1350, 900, 170), (560, 420, 150), (430, 720, 110), (1270, 130, 120),
              (120, 330, 100), (1650, 1450, 130), (1180, 880, 60))  # fmt: skip
    for name, (x, y, r) in zip(controller.schema.names, places, strict=True):
        easel.choose_class(name)
        easel.commit(blob(x, y, r), "new")
    controller.labels.select([next(iter(controller.labels.store)).id])
    easel.commit(Point(1350, 900).buffer(60), "subtract")
    easel.choose_class("tumour 3+")
    controller.write_note("edge of the section")
    dock.fold.setChecked(True)
    stage.wait(1)
    stage.window(folder / "annotate-dock.png")
    stage.narrow()
    for theme in ("dark", "light"):
        get_settings().appearance.theme = theme
        stage.wait(1)
        held(dock)
        grab(dock, folder / f"docks-{theme}-100-annotate.png")
    stage.close()


def grab(widget: Any, path: Path) -> None:
    """Picture of one widget."""
    from napari._qt.utils import QImg2array

    save(QImg2array(widget.grab().toImage()), path)


SCENES = {"demo": demo, "slide": slide, "docks": docks, "score": score, "annotate": annotate}

if __name__ == "__main__":
    raise SystemExit(main())
