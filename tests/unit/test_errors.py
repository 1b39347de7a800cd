"""Errors and the sentences they carry."""

from __future__ import annotations

import ast
import re
import string
from pathlib import Path

import pytest

from napari_her2 import errors
from napari_her2.errors import Her2Error, NotASlideError, SlideNotFoundError, UnknownMppError
from napari_her2.messages import MESSAGES, NOTICE, tr

CLASSES = [getattr(errors, name) for name in errors.__all__]
FORBIDDEN_WORDS = (
    "diagnosis", "confident", "certain", "safe", "clinical-grade", "AI says",
    "HER2-positive patient", "no cancer", "please", "oops", "sorry",
)  # fmt: skip


def slots_of(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_each_error_is_also_a_builtin_and_has_an_exit_code(cls):
    assert issubclass(cls, Her2Error)
    assert cls.exit_code in {2, 3, 4}
    if cls is not Her2Error:
        assert any(b.__module__ == "builtins" and b not in (Exception, object)
                   for b in cls.__mro__)  # fmt: skip


def test_an_error_is_one_sentence_without_the_builtins_decoration():
    error = SlideNotFoundError("not_found", name="a.svs", path="/data/a.svs")
    assert str(error) == "a.svs was not found: check the path (/data/a.svs)."
    assert error.sentence == str(error)
    with pytest.raises(FileNotFoundError):
        raise error


@pytest.mark.parametrize("cls", CLASSES, ids=lambda c: c.__name__)
def test_errors_come_back_from_worker_processes(cls):
    # What a process pool does: reduce here, rebuild there.
    error = cls("not_slide", name="ä.svs", reason="no TIFF")
    rebuild, args = error.__reduce__()[:2]
    again = rebuild(*args)
    assert type(again) is cls
    assert (again.message_id, again.slots, str(again)) == (
        error.message_id, error.slots, str(error),
    )  # fmt: skip


def test_an_unknown_id_or_slot_is_a_programming_error():
    with pytest.raises(KeyError):
        tr("no_such_message")
    with pytest.raises(KeyError):
        tr("not_slide", name="x")


def test_needed_choices_exit_with_four():
    assert UnknownMppError.exit_code == 4
    assert errors.StainMismatchError.exit_code == 4
    assert errors.ModelNotTrustedError.exit_code == 4
    assert errors.UsageError.exit_code == 2
    assert NotASlideError.exit_code == 3


@pytest.mark.parametrize("message_id", MESSAGES)
def test_each_message_is_one_plain_sentence(message_id):
    text = MESSAGES[message_id]
    if message_id == "usage":
        return
    assert text == text.strip()
    assert "\n" not in text
    assert "!" not in text
    filled = text.format(**{**dict.fromkeys(slots_of(text), "7"), "sentence": "It broke."})
    assert filled.endswith((".", "?"))
    assert "{" not in filled
    for word in FORBIDDEN_WORDS:
        assert not re.search(rf"\b{re.escape(word)}\b", text, re.IGNORECASE), word


def test_the_notice_is_verbatim():
    assert NOTICE == (
        "Research use only. Not a medical device. Not for diagnosis or treatment decisions."
    )


def _calls(tree: ast.AST):
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        first = node.args[0]
        if isinstance(first, ast.Constant) and isinstance(first.value, str):
            yield node, name, first.value


def test_every_raised_sentence_is_in_the_table_with_all_its_slots(repo_root: Path):
    names = set(errors.__all__) | {"tr"}
    problems, seen = [], 0
    for path in sorted((repo_root / "src").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for node, name, message_id in _calls(tree):
            if name not in names:
                continue
            seen += 1
            where = f"{path.relative_to(repo_root)}:{node.lineno} {message_id}"
            if message_id not in MESSAGES:
                problems.append(f"{where}: no such message")
            elif all(k.arg for k in node.keywords):
                given = {k.arg for k in node.keywords}
                if given != slots_of(MESSAGES[message_id]):
                    problems.append(f"{where}: {given} for {slots_of(MESSAGES[message_id])}")
    assert not problems, "\n".join(problems)
    assert seen > 0
