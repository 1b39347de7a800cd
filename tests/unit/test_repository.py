"""Rules of the repository that a machine can check: sizes, words, what is never loaded."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[2]
SOURCES = sorted((REPO / "src").rglob("*.py"))
TEXTS = [
    p
    for folder in ("src", "tests", "docs", "scripts", "benchmarks", "changes", ".github", ".ci")
    for p in sorted((REPO / folder).rglob("*"))
    if p.suffix in {".py", ".md", ".yml", ".yaml", ".toml", ".sh", ".j2", ".txt", ".json"}
    and "__pycache__" not in p.parts
] + [
    REPO / n for n in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "Makefile", "pyproject.toml")
]

# Loading these can run whatever a file says.
NEVER_IMPORTED = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "skops",
}
NEVER_CALLED = {
    ("torch", "load"), ("yaml", "load"), ("yaml", "unsafe_load"), ("numpy", "load"),
    ("np", "load"), ("torch.export", "load"), ("torch.package", "PackageImporter"),
}  # fmt: skip
FORBIDDEN_NAMES = {"utils.py", "helpers.py", "misc.py", "common.py"}
# Split, so that this file does not hold what it looks for.
FORBIDDEN_WORDS = re.compile(
    "|".join(
        [
            r"(?<![\w.])/(?:work|root|home)/\w",
            r"/tmp/" + r"w/",
            r"\b" + "TO" + r"DO\b(?!\()",
            r"\b" + "FIX" + r"ME\b",
            r"\b" + "XX" + r"X\b",
            r"\bissue #?\d",
            r"\bLLM\b|\bChat" + r"GPT\b|\bCl" + r"aude\b",
        ]
    )
)


def relative(path: Path) -> str:
    return path.relative_to(REPO).as_posix()


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def test_there_is_something_to_check():
    assert len(SOURCES) > 20
    assert len(TEXTS) > 20


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_source_file_is_short_and_named_for_what_it_holds(path):
    lines = path.read_text(encoding="utf-8").count("\n")
    assert lines < 400, f"{lines} lines: look for the seam"
    assert path.name not in FORBIDDEN_NAMES


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_nothing_is_loaded_that_can_run_code(path):
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found = {a.name.split(".")[0] for a in node.names}
        elif isinstance(node, ast.ImportFrom):
            found = {(node.module or "").split(".")[0]}
            names = {((node.module or ""), a.name) for a in node.names}
            assert not names & NEVER_CALLED, f"line {node.lineno}"
        elif isinstance(node, ast.Call):
            name = dotted(node.func)
            owner, _, attribute = name.rpartition(".")
            assert (owner, attribute) not in NEVER_CALLED, f"line {node.lineno}: {name}"
            assert name not in {"eval", "exec", "__import__"}, f"line {node.lineno}: {name}"
            continue
        else:
            continue
        assert not found & NEVER_IMPORTED, f"line {node.lineno}: {found & NEVER_IMPORTED}"


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_words_that_do_not_belong(path):
    text = path.read_text(encoding="utf-8")
    hits = [m.group() for m in FORBIDDEN_WORDS.finditer(text)]
    assert not hits, hits


def test_every_tracked_file_is_small_enough():
    listed = subprocess.run(
        ["git", "ls-files"], cwd=REPO, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    files = [REPO / f for f in listed.stdout.splitlines()]
    big = [relative(f) for f in files if f.is_file() and f.stat().st_size > 6_000_000]
    assert not big


def test_the_manifest_is_one_file_with_a_link_at_the_root():
    inside = REPO / "src" / "napari_her2" / "napari.yaml"
    assert (REPO / "napari.yaml").read_text(encoding="utf-8") == inside.read_text(encoding="utf-8")


def test_dependencies_ask_for_no_qt_binding_and_constraints_cover_them():
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    names = {re.split(r"[<>=!\[ ]", d)[0].lower() for d in project["dependencies"]}
    assert not names & {"pyside6", "pyqt6", "pyqt5", "torchvision", "timm"}
    lines = (REPO / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pinned = {line.split("==")[0].lower().replace("_", "-") for line in lines if "==" in line}
    extras = project["optional-dependencies"]
    wanted = names | {
        re.split(r"[<>=!\[ ]", d)[0].lower() for e in ("qt", "dev") for d in extras[e]
    }
    assert not wanted - pinned
    assert "torch==2.13.0" in lines, "the CPU build is chosen by this version"


def test_each_news_fragment_is_short():
    fragments = [p for p in (REPO / "changes").glob("*.md") if p.name != "README.md"]
    assert fragments
    for path in fragments:
        words = path.read_text(encoding="utf-8").split()
        assert 4 <= len(words) <= 120, f"{path.name}: {len(words)} words"


def test_the_models_page_holds_the_cards_figures():
    done = subprocess.run(
        [sys.executable, str(REPO / "scripts" / "model_figures.py"), "--check"], check=False
    )
    assert done.returncode == 0, "run scripts/model_figures.py"


def test_every_promise_names_a_test_that_exists():
    pages = [REPO / "docs" / name for name in ("reliability.md", "annotations.md")]
    page = "".join(p.read_text(encoding="utf-8") for p in pages)
    named = re.findall(r"`(tests/[\w/]+\.py)::(test_\w+)`", page)
    assert len(named) > 40
    missing = [
        f"{path}::{name}"
        for path, name in named
        if f"def {name}(" not in (REPO / path).read_text(encoding="utf-8")
    ]
    assert not missing
