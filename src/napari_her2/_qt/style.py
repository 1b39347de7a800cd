"""Colours and sizes of the docks: napari's theme for controls, fixed colours for meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from napari.settings import get_settings
from napari.utils.theme import get_theme
from qtpy.QtGui import QColor, QFontMetrics
from qtpy.QtWidgets import QWidget

from napari_her2.layers.colours import STATUS

__all__ = [
    "AMBER",
    "NEGATIVE",
    "POSITIVE",
    "TARGET_PX",
    "ThemeColours",
    "line_height",
    "theme_colours",
]

POSITIVE: Final = STATUS["positive"]
NEGATIVE: Final = STATUS["negative"]
AMBER: Final = STATUS["equivocal"]

TARGET_PX: Final = 24
"""Smallest side of anything that can be clicked."""


@dataclass(frozen=True, slots=True)
class ThemeColours:
    """The colours of napari's theme that our painted widgets need."""

    dark: bool
    background: QColor
    foreground: QColor
    primary: QColor
    text: QColor
    muted: QColor
    accent: QColor
    main: QColor
    positive: QColor
    negative: QColor
    error: QColor
    warning: QColor


def theme_colours() -> ThemeColours:
    """Colours of the theme in use; read at each paint, so that a change of theme shows at once."""
    theme = get_theme(get_settings().appearance.theme)

    def colour(name: str) -> QColor:
        return QColor(*getattr(theme, name).as_rgb_tuple()[:3])

    dark = theme.type == "dark"
    text = colour("text")
    muted = QColor(text)
    muted.setAlpha(190)
    return ThemeColours(
        dark=dark,
        background=colour("background"),
        foreground=colour("foreground"),
        primary=colour("primary"),
        text=text,
        muted=muted,
        accent=colour("current"),
        # White words on it need 4.5:1; the light theme's accent is too pale for that.
        main=QColor("#4562C4") if dark else QColor("#2F4FB0"),
        # The status colours are made for white paper: on napari's dark grey they are lifted until
        # lines and marks reach 3:1.
        positive=QColor("#E8706A" if dark else POSITIVE),
        negative=QColor("#6FA8EC" if dark else NEGATIVE),
        error=QColor("#F2736B" if dark else POSITIVE),
        warning=QColor(AMBER if dark else "#8A5F00"),
    )


def line_height(widget: QWidget) -> int:
    """Height of a line of text in this widget's font, pixels."""
    return QFontMetrics(widget.font()).height()
