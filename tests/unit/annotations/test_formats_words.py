"""Every reason and note that an importer or exporter may give has its words."""

from __future__ import annotations

import ast
from pathlib import Path

from napari_her2.annotations import formats
from napari_her2.annotations.formats.losses import losses
from napari_her2.annotations.formats.reasons import REASONS
from napari_her2.messages import MESSAGES

SOURCES = [*Path(formats.__file__).parent.glob("*.py")]
SOURCES.append(Path(formats.__file__).parents[1] / "interchange.py")


def calls(method):
    """First arguments of ``….method("…")`` that are plain texts."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and node.func.attr == method
            ):
                for argument in ast.walk(node.args[0]):
                    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
                        yield argument.value


def test_notes_are_sentences_of_the_table():
    notes = set(calls("note"))
    assert len(notes) > 8
    assert notes <= set(MESSAGES)
    assert {"note_closed", "note_depth"} <= set(MESSAGES)


def test_reasons_are_in_their_table():
    given = set(calls("skip"))
    assert len(given) > 4
    assert given <= set(REASONS)
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Raise) and "BadShapeError" in ast.dump(node):
                texts = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                assert set(texts) <= {*REASONS, None}, path.name


def test_whatever_a_format_has_no_place_for_has_a_reason():
    from drawn_objects import every_kind

    lost = losses(every_kind(), ())
    assert len(lost) == 8
    assert set(lost) <= set(REASONS)
