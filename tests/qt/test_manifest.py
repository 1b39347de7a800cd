from __future__ import annotations

from importlib import import_module

import pytest
import yaml
from npe2 import PluginManifest

from napari_her2._contrib.samples import COMMANDS
from napari_her2.synthetic.samples import SAMPLES

CONTRIBUTABLE = {
    "napari/file/io_utilities", "napari/file/acquire", "napari/file/new_layer",
    *(f"napari/layers/{x}" for x in (
        "visualize", "annotate", "data", "metadata", "layer_type", "filter", "transform",
        "measure", "register", "project", "segment", "track", "classify",
    )),
}  # fmt: skip


@pytest.fixture(scope="module")
def manifest(repo_root):
    return PluginManifest.from_file(repo_root / "src/napari_her2/napari.yaml")


def test_the_manifest_at_the_top_is_the_one_in_the_package(repo_root):
    top = (repo_root / "napari.yaml").read_text(encoding="utf-8")
    # A checkout without links holds the target's path as text instead.
    assert top.strip() == "src/napari_her2/napari.yaml" or top == (
        repo_root / "src/napari_her2/napari.yaml"
    ).read_text(encoding="utf-8")


def test_every_command_can_be_imported(manifest):
    for command in manifest.contributions.commands:
        module, _, name = command.python_name.partition(":")
        assert callable(getattr(import_module(module), name)), command.id


def test_menus_are_ones_that_napari_takes(manifest):
    assert set(manifest.contributions.menus) <= CONTRIBUTABLE


def test_slides_of_all_kinds_and_folders_are_offered(manifest):
    (reader,) = manifest.contributions.readers
    assert reader.accepts_directories
    wanted = [
        "svs", "ndpi", "mrxs", "scn", "bif", "vms", "svslide", "tif", "tiff", "dcm", "zarr",
    ]  # fmt: skip
    assert {f"*.{x}" for x in wanted} <= set(reader.filename_patterns)


def test_the_sample_menu_is_the_table_of_samples(repo_root):
    text = (repo_root / "src/napari_her2/napari.yaml").read_text(encoding="utf-8")
    contributions = yaml.safe_load(text)["contributions"]
    commands = {c["id"]: c["python_name"] for c in contributions["commands"]}
    menu = {s["key"]: s["display_name"] for s in contributions["sample_data"]}
    assert menu == {s.name: s.title for s in SAMPLES}
    assert list(COMMANDS) == list(menu)
    for entry in contributions["sample_data"]:
        module, _, name = commands[entry["command"]].partition(":")
        assert getattr(import_module(module), name) is COMMANDS[entry["key"]]
