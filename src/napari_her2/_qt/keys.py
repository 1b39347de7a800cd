"""The one table of keys: napari, Qt and the help sheet are fed from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = [
    "CELLS_SILENCED", "KEYS", "LABELS_SILENCED", "LABEL_KEYS", "SILENCED", "Key", "Where",
]  # fmt: skip

Where = Literal["viewer", "window", "slide", "cells", "labels"]


@dataclass(frozen=True, slots=True)
class Key:
    """One row of the table.

    Attributes
    ----------
    keys : str
        As napari and Qt spell it (Ctrl is Cmd on macOS).
    action : str
        Name of the action it starts.
    where : {"viewer", "window", "slide", "cells", "labels"}
        ``viewer``: while the picture has the focus. ``window``: anywhere in the window.
        ``slide``: while a Slide layer is active. ``cells``: while a Cells layer is active, which a
        click on a cell makes it. ``labels``: while a Labels layer is active, which taking a tool
        makes it.
    text : str
        What the help sheet says.
    """

    keys: str
    action: str
    where: Where
    text: str


KEYS: Final[tuple[Key, ...]] = (
    Key("K", "toggle_map", "viewer", "map shown"),
    Key("Shift+K", "next_biomarker", "viewer", "next biomarker"),
    Key("U", "toggle_doubt", "viewer", "doubt veil"),
    Key("Q", "bare_tissue", "viewer", "bare tissue while held (all overlays)"),
    Key("`", "toggle_docks", "viewer", "our docks shown"),
    Key(",", "previous_place", "viewer", "previous place"),
    Key(".", "next_place", "viewer", "next place"),
    Key("Home", "whole_slide", "viewer", "whole slide"),
    Key("Ctrl+1", "zoom_1.25", "viewer", "1.25x at the cursor"),
    Key("Ctrl+2", "zoom_5", "viewer", "5x at the cursor"),
    Key("Ctrl+3", "zoom_10", "viewer", "10x at the cursor"),
    Key("Ctrl+4", "zoom_20", "viewer", "20x at the cursor"),
    Key("Ctrl+5", "zoom_40", "viewer", "40x at the cursor"),
    Key("J", "pick_tile", "viewer", "pick the tile under the cursor: its probabilities"),
    Key("H", "toggle_cells", "viewer", "cells shown"),
    Key("Shift+H", "toggle_labels", "viewer", "annotations shown"),
    Key("0", "class_0", "cells", "this cell is tumour 0"),
    Key("1", "class_1", "cells", "this cell is tumour 1+"),
    Key("2", "class_2", "cells", "this cell is tumour 2+"),
    Key("3", "class_3", "cells", "this cell is tumour 3+"),
    Key("4", "class_4", "cells", "this cell is stroma"),
    Key("5", "class_5", "cells", "this cell is immune"),
    Key("6", "class_6", "cells", "this is artefact"),
    Key("[", "previous_doubtful", "cells", "previous doubtful cell in view"),
    Key("]", "next_doubtful", "cells", "next doubtful cell in view"),
    Key("Ctrl+Z", "undo", "cells", "undo the last correction"),
    Key("Ctrl+Shift+Z", "redo", "cells", "redo it"),
    Key("Ctrl+Return", "run", "window", "main button of the front dock"),
    Key("Ctrl+.", "cancel", "window", "cancel the run of the front dock"),
    Key("F1", "help", "window", "key sheet and help of this dock"),
    Key("F6", "switch_focus", "window", "focus canvas <-> dock"),
)

LABEL_KEYS: Final[tuple[Key, ...]] = (
    *(Key(str(n), f"class_{n}", "labels", f"class with key {n}, for the next or selected region")
      for n in range(10)),
    Key("P", "tool_polygon", "labels", "polygon"),
    Key("F", "tool_freehand", "labels", "freehand"),
    Key("R", "tool_rectangle", "labels", "rectangle"),
    Key("O", "tool_ellipse", "labels", "ellipse"),
    Key("B", "tool_brush", "labels", "brush"),
    Key("W", "tool_wand", "labels", "wand"),
    Key("M", "tool_move", "labels", "move the picture"),
    Key("S", "tool_select", "labels", "select regions"),
    Key("D", "tool_vertices", "labels", "edit corners"),
    Key("Shift+.", "tool_points", "labels", "points"),
    Key(">", "tool_points", "labels", "points"),
    Key("E", "toggle_subtract", "labels", "draw holes (Alt: for one stroke; Shift: extend)"),
    Key("[", "brush_smaller", "labels", "brush smaller"),
    Key("]", "brush_larger", "labels", "brush larger"),
    Key("Enter", "finish", "labels", "finish the outline"),
    Key("Backspace", "back", "labels", "last corner back"),
    Key("Escape", "escape", "labels", "drop the outline"),
    Key("Delete", "delete", "labels", "delete the selected regions"),
    Key("Ctrl+Z", "undo", "labels", "undo"),
    Key("Ctrl+Shift+Z", "redo", "labels", "redo"),
)  # fmt: skip
"""Keys of the Labels layer; bound on our own layer, where they come before napari's."""

LABELS_SILENCED: Final[tuple[str, ...]] = (
    "A", "Ctrl+A", "Shift+A", "Ctrl+C", "Ctrl+V", "C", "I", "L", "T", "V", "X", "Y", "Z",
)  # fmt: skip
"""Keys of napari's shape layers that would copy, paste or select shapes: bound to nothing there."""

SILENCED: Final[tuple[str, ...]] = ("1", "2", "C", "O", "X", "Y", "Z")
"""Keys of napari's image layers that would move or recolour a slide: bound to nothing there.

``2`` is napari's transform mode, which drags the slide off its coordinates.
"""

CELLS_SILENCED: Final[tuple[str, ...]] = (
    "P", "S", "Z", "A", "Shift+A", "Ctrl+A", "Ctrl+C", "Ctrl+V",
)  # fmt: skip
"""Keys of napari's point layers that would add, select or copy cells: bound to nothing there."""
