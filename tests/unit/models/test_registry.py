from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from napari_her2.errors import (
    BadModelError,
    ModelIntegrityError,
    ModelNotFoundError,
    ModelNotTrustedError,
    UsageError,
)
from napari_her2.models import intake
from napari_her2.models.registry import Registry
from napari_her2.models.wsinfer import slug
from napari_her2.settings import get_settings

MakeModel = Callable[..., Path]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry without built-in models."""
    return Registry(demo_dir=tmp_path / "no-demo")


def _zip(path: Path, members: dict[str, bytes], *, mode: int | None = None) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            if mode is not None:
                info.external_attr = mode << 16
            archive.writestr(info, data)
    return path


def _files(folder: Path, prefix: str = "") -> dict[str, bytes]:
    return {prefix + p.name: p.read_bytes() for p in folder.iterdir()}


def test_add_list_load_remove(registry: Registry, make_model: MakeModel) -> None:
    assert registry.list() == []
    added = registry.add(make_model())
    assert added.folder == get_settings().data_dir / "models" / "tiny-er"
    assert [m.card.id for m in registry.list()] == ["tiny-er"]
    assert registry.verify("tiny-er")
    assert registry.is_trusted("tiny-er")
    loaded = registry.load("ER", "cpu")
    tiles = np.random.default_rng(0).integers(0, 256, (2, 96, 96, 3), dtype=np.uint8)
    probs = loaded.tile_model.predict(tiles)
    assert probs.shape == (2, 3)
    assert loaded.aggregator is not None
    assert loaded.aggregator.aggregate(probs, 1e-4).assessable
    registry.remove("tiny-er")
    assert registry.list() == []
    assert list((get_settings().data_dir / "models").iterdir()) == []


def test_the_same_model_is_not_added_twice(registry: Registry, make_model: MakeModel) -> None:
    folder = make_model()
    registry.add(folder)
    with pytest.raises(BadModelError, match="installed already"):
        registry.add(folder)
    assert len(list((get_settings().data_dir / "models").iterdir())) == 1


def test_a_claim_of_validation_elsewhere_does_not_count_here(
    registry: Registry, make_model: MakeModel
) -> None:
    added = registry.add(make_model(status="user-validated-locally"))
    assert added.card.status == "user-unvalidated"
    assert registry.resolve("tiny-er").card.status == "user-unvalidated"


@pytest.mark.parametrize("prefix", ["", "some-folder/"])
def test_add_from_zip(
    registry: Registry, make_model: MakeModel, tmp_path: Path, prefix: str
) -> None:
    folder = make_model()
    members = {**_files(folder, prefix), prefix + "extra.exe": b"MZ"}
    added = registry.add(_zip(tmp_path / "model.zip", members))
    assert registry.verify(added.card.id)
    assert "extra.exe" not in {p.name for p in added.folder.iterdir()}


@pytest.mark.parametrize(
    "name",
    [
        "../card.json",
        "x/../../card.json",
        "/etc/card.json",
        "..\\card.json",
        "C:\\card.json",
        "C:card.json",
    ],
)
def test_zip_slip_is_refused(
    registry: Registry, make_model: MakeModel, tmp_path: Path, name: str
) -> None:
    files = _files(make_model())
    with pytest.raises(BadModelError, match="points outside"):
        registry.add(_zip(tmp_path / "m.zip", {**files, name: b"{}"}))
    assert list((get_settings().data_dir / "models").iterdir()) == []


def test_links_in_a_zip_are_refused(
    registry: Registry, tmp_path: Path, make_model: MakeModel
) -> None:
    path = _zip(tmp_path / "m.zip", {"card.json": b"/etc/passwd"}, mode=stat.S_IFLNK | 0o777)
    with pytest.raises(BadModelError, match="points outside"):
        registry.add(path)


def test_a_zip_bomb_is_refused(registry: Registry, make_model: MakeModel, tmp_path: Path) -> None:
    files = {**_files(make_model()), "weights.safetensors": bytes(300 * 2**20)}
    with pytest.raises(BadModelError, match="too much"):
        registry.add(_zip(tmp_path / "m.zip", files))


def test_small_files_that_are_large_are_refused(
    registry: Registry, make_model: MakeModel, tmp_path: Path
) -> None:
    files = {**_files(make_model()), "README.md": os.urandom(intake.MAX_SMALL_BYTES + 1)}
    with pytest.raises(BadModelError, match=r"README\.md is too large"):
        registry.add(_zip(tmp_path / "m.zip", files))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({}, "neither card nor"),
        ({"card.json": b"{"}, "can't be used"),
        ({"a/card.json": b"{}", "b/weights.safetensors": b""}, "several folders"),
        ({"a/card.json": b"{}", "a\\card.json": b"{}"}, "in twice|several folders"),
        ({f"f{i}": b"" for i in range(1001)}, "too many"),
    ],
    ids=["empty", "damaged card", "two folders", "twice", "many"],
)
def test_other_zips_are_refused(
    registry: Registry, tmp_path: Path, members: dict[str, bytes], message: str
) -> None:
    with pytest.raises(BadModelError, match=message):
        registry.add(_zip(tmp_path / "m.zip", members))


def test_a_cut_zip_and_things_that_are_no_model(
    registry: Registry, make_model: MakeModel, tmp_path: Path
) -> None:
    whole = _zip(tmp_path / "m.zip", _files(make_model())).read_bytes()
    cut = tmp_path / "cut.zip"
    damaged = bytearray(whole)
    damaged[200:400] = bytes(200)
    cut.write_bytes(bytes(damaged))
    with pytest.raises(BadModelError):
        registry.add(cut)
    (tmp_path / "text.zip").write_text("hello")
    with pytest.raises(BadModelError, match="neither a folder nor a zip"):
        registry.add(tmp_path / "text.zip")
    with pytest.raises(BadModelError, match="not there"):
        registry.add(tmp_path / "nowhere")


@pytest.mark.skipif(sys.platform == "win32", reason="making links needs a privilege there")
def test_links_in_a_folder_are_refused(
    registry: Registry, make_model: MakeModel, tmp_path: Path
) -> None:
    folder = make_model()
    (tmp_path / "elsewhere").write_bytes((folder / "card.json").read_bytes())
    (folder / "card.json").unlink()
    (folder / "card.json").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(BadModelError, match="not a plain file"):
        registry.add(folder)


def test_tampered_weights_are_not_loaded(registry: Registry, make_model: MakeModel) -> None:
    added = registry.add(make_model())
    path = added.folder / "weights.safetensors"
    data = bytearray(path.read_bytes())
    data[-5] ^= 4
    path.write_bytes(bytes(data))
    for action in (registry.verify, registry.load):
        with pytest.raises(ModelIntegrityError, match="do not match its card"):
            action("tiny-er")


def test_tampered_aggregator_is_not_loaded(registry: Registry, make_model: MakeModel) -> None:
    added = registry.add(make_model())
    path = added.folder / "aggregator.json"
    document = json.loads(path.read_text())
    document["intercept"] = 9.0
    path.write_text(json.dumps(document))
    with pytest.raises(ModelIntegrityError):
        registry.load("tiny-er")


def test_weights_of_another_architecture_are_refused_at_the_door(
    registry: Registry, make_model: MakeModel
) -> None:
    with pytest.raises(BadModelError, match="shape"):
        registry.add(make_model(tile_model={"width": 0.2}))
    assert registry.list() == []


def test_an_aggregator_of_a_class_that_does_not_exist_is_refused(
    registry: Registry, make_model: MakeModel
) -> None:
    described = {"kind": "mean", "positive": 3}
    with pytest.raises(BadModelError, match="class that does not exist"):
        registry.add(make_model(aggregator=described))


def test_damaged_folders_are_left_out_of_the_list(
    registry: Registry, make_model: MakeModel
) -> None:
    registry.add(make_model())
    bad = get_settings().data_dir / "models" / "bad"
    bad.mkdir()
    (bad / "card.json").write_text('{"id": 5}')
    assert [m.card.id for m in registry.list()] == ["tiny-er"]


def test_resolve_prefers_the_users_default(registry: Registry, make_model: MakeModel) -> None:
    registry.add(make_model("one", id="er-one"))
    registry.add(make_model("two", id="er-two"))
    registry.add(make_model("three", id="pr-one", biomarker="PR"))
    assert registry.resolve("er").card.id == "er-one"
    registry.set_default("ER", "er-two")
    assert registry.resolve("ER").card.id == "er-two"
    assert registry.resolve("er-one").card.id == "er-one"
    with pytest.raises(UsageError, match="not a model for HER2"):
        registry.set_default("HER2", "er-one")
    registry.remove("er-two")
    assert registry.resolve("ER").card.id == "er-one"


def test_unknown_models_are_sentences(registry: Registry, make_model: MakeModel) -> None:
    with pytest.raises(ModelNotFoundError, match="No model for HER2"):
        registry.resolve("HER2")
    registry.add(make_model())
    with pytest.raises(ModelNotFoundError, match="unknown is installed: choose one of tiny-er"):
        registry.resolve("unknown")


def test_built_in_models_stay_and_are_not_shadowed(make_model: MakeModel, tmp_path: Path) -> None:
    demo = tmp_path / "demo"
    demo.mkdir()
    shutil.move(make_model(), demo / "tiny-er")
    registry = Registry(demo_dir=demo)
    with pytest.raises(UsageError, match="comes with the program"):
        registry.remove("tiny-er")
    with pytest.raises(BadModelError, match="installed already"):
        registry.add(make_model())
    user = get_settings().data_dir / "models" / "tiny-er"
    user.parent.mkdir(parents=True, exist_ok=True)
    shutil.copytree(tmp_path / "tiny", user)
    assert [m.built_in for m in registry.list()] == [True]


def test_digest_follows_what_decides_a_number(make_model: MakeModel, tmp_path: Path) -> None:
    registry = Registry(demo_dir=tmp_path / "none")
    one = registry.add(make_model("one", id="one"))
    two = registry.add(make_model("two", id="two", name="Another name"))
    three = registry.add(make_model("three", id="three", spacing_um_px=1.0))
    assert one.digest == two.digest
    assert one.digest != three.digest


# ---- WSInfer folders


def test_wsinfer_runs_only_after_trust(registry: Registry, wsinfer_folder: Path) -> None:
    added = registry.add(wsinfer_folder)
    card = added.card
    assert (card.id, card.status, card.num_classes) == (
        "breast-tumor.demo", "user-unvalidated", 2,
    )  # fmt: skip
    assert card.class_roles == {"tumour": 1, "other": 0}
    assert registry.verify(card.id)
    assert not registry.is_trusted(card.id)
    with pytest.raises(ModelNotTrustedError, match=str(card.weights_sha256)) as caught:
        registry.load(card.id)
    assert caught.value.exit_code == 4

    assert registry.trust(card.id) == card.weights_sha256
    assert registry.is_trusted(card.id)
    model = registry.load(card.id, "cpu")
    tiles = np.zeros((2, 64, 64, 3), np.uint8)
    tiles[1] = 255
    probs = model.tile_model.predict(tiles)
    # Normalised red is -2 for black and 2 for white; logits are (red, -red).
    p = 1 / (1 + np.exp(-4.0))
    np.testing.assert_allclose(probs, [[1 - p, p], [p, 1 - p]], atol=1e-5)
    assert model.aggregator is not None
    assert model.aggregator.aggregate(probs).probability == pytest.approx(0.5, abs=1e-5)


def test_trust_is_of_the_hash_not_of_the_name(registry: Registry, wsinfer_folder: Path) -> None:
    added = registry.add(wsinfer_folder)
    registry.trust(added.card.id)
    script = added.folder / "torchscript_model.pt"
    script.write_bytes(script.read_bytes() + b"\0")
    with pytest.raises(ModelIntegrityError):
        registry.load(added.card.id)
    with pytest.raises(ModelIntegrityError):
        registry.trust(added.card.id)
    (added.folder / "card.json").unlink()
    # Wrapped anew from config.json, with the new hash: trusted no longer.
    with pytest.raises(ModelNotTrustedError):
        registry.load(slug(added.folder.name))


def test_wsinfer_folder_put_there_by_hand(registry: Registry, wsinfer_folder: Path) -> None:
    shutil.copytree(wsinfer_folder, get_settings().data_dir / "models" / "by-hand")
    assert [m.card.id for m in registry.list()] == ["by-hand"]
    registry.trust("by-hand")
    assert registry.load("by-hand", "cpu").card.num_classes == 2


def test_script_that_is_none_is_a_sentence(registry: Registry, wsinfer_folder: Path) -> None:
    (wsinfer_folder / "torchscript_model.pt").write_bytes(b"not TorchScript")
    card = registry.add(wsinfer_folder).card
    registry.trust(card.id)
    with pytest.raises(BadModelError, match="can't be used"):
        registry.load(card.id, "cpu")


def test_one_class_models_get_a_complement(registry: Registry, wsinfer_folder: Path) -> None:
    config = json.loads((wsinfer_folder / "config.json").read_text())
    config.update(num_classes=1, class_names=["TILs"])
    (wsinfer_folder / "config.json").write_text(json.dumps(config))
    card = registry.add(wsinfer_folder).card
    assert card.class_names == ("not TILs", "TILs")
    assert card.class_roles == {}
    assert card.aggregator is None
    registry.trust(card.id)
    # The script gives two outputs where the configuration says one.
    model = registry.load(card.id, "cpu")
    with pytest.raises(BadModelError, match=r"\(n, 1\) is needed"):
        model.tile_model.predict(np.zeros((1, 64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    "change",
    [
        {"spec_version": "2.0"},
        {"num_classes": 3},
        {"class_names": ["a", "a"]},
        {"transform": [{"name": "Exec", "arguments": {}}]},
        {"patch_size_pixels": 10**6},
    ],
    ids=str,
)
def test_configurations_that_break_the_schema(
    registry: Registry, wsinfer_folder: Path, change: dict[str, object]
) -> None:
    config = json.loads((wsinfer_folder / "config.json").read_text())
    (wsinfer_folder / "config.json").write_text(json.dumps({**config, **change}))
    with pytest.raises(BadModelError, match=r"config\.json"):
        registry.add(wsinfer_folder)


def test_damaged_trust_list_is_a_sentence(registry: Registry, wsinfer_folder: Path) -> None:
    card = registry.add(wsinfer_folder).card
    (get_settings().data_dir / "trusted.json").write_text("{")
    with pytest.raises(BadModelError, match="list of trusted models"):
        registry.load(card.id)


# ---- the hub

REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize(
    "text",
    ["hf:owner/name", "hf:owner/name@main", "hf:owner/name@" + "0" * 39, "hf:owner", "hf:a/b/c@x"],
)
def test_hub_needs_a_full_revision(registry: Registry, text: str) -> None:
    with pytest.raises(UsageError, match="names no fixed revision"):
        registry.add(text, download=True, fetch=_no_network)


def test_hub_is_off_until_the_user_says_yes(registry: Registry) -> None:
    with pytest.raises(UsageError, match="downloading is off"):
        registry.add(f"hf:owner/name@{REVISION}", fetch=_no_network)


def _no_network(url: str, limit: int) -> bytes:
    pytest.fail(f"asked for {url}")


def test_hub_model_is_checked_like_any_other(registry: Registry, wsinfer_folder: Path) -> None:
    asked = []

    def fetch(url: str, limit: int) -> bytes:
        asked.append(url)
        path = wsinfer_folder / url.rsplit("/", 1)[1]
        return path.read_bytes()

    card = registry.add(f"hf:owner/Demo@{REVISION}", download=True, fetch=fetch).card
    assert card.id == "demo"
    assert card.source == f"hf:owner/Demo@{REVISION}"
    assert not registry.is_trusted("demo")
    assert all(
        u.startswith(f"https://huggingface.co/owner/Demo/resolve/{REVISION}/") for u in asked
    )


def test_hub_that_does_not_answer_is_a_sentence(registry: Registry) -> None:
    def fetch(url: str, limit: int) -> bytes:
        raise ConnectionError("no route")

    with pytest.raises(BadModelError, match="no route"):
        registry.add(f"hf:owner/name@{REVISION}", download=True, fetch=fetch)
    assert registry.list() == []


def test_offline_setting_of_the_hub_is_kept(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(BadModelError, match="HF_HUB_OFFLINE"):
        registry.add(f"hf:owner/name@{REVISION}", download=True)


# ---- imports


def test_cards_and_registry_load_no_torch_and_no_network() -> None:
    code = (
        "import sys, socket; socket.socket.connect = None\n"
        "import napari_her2.models.card, napari_her2.models.registry as r\n"
        "r.Registry().list()\n"
        "heavy = {'torch', 'sklearn', 'napari', 'qtpy'} & set(sys.modules); assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


# ---- the shared WSInfer configuration


@pytest.mark.shared
def test_real_zoo_configuration_fits_schema_and_reader(
    shared_data: Path, registry: Registry, wsinfer_folder: Path
) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    folder = shared_data / "wsinfer-model-config"
    schema = json.loads((folder / "model-config.schema.json").read_text())
    real = folder / "breast-tumor-resnet34.tcga-brca" / "config.json"
    jsonschema.validate(json.loads(real.read_text()), schema)
    jsonschema.validate(json.loads((wsinfer_folder / "config.json").read_text()), schema)
    shutil.copyfile(real, wsinfer_folder / "config.json")
    card = registry.add(wsinfer_folder).card
    assert (card.patch_size_pixels, card.spacing_um_px) == (350, 0.25)
    assert card.class_roles == {"tumour": 1, "other": 0}
    registry.trust(card.id)
    probs = registry.load(card.id, "cpu").tile_model.predict(np.zeros((1, 350, 350, 3), np.uint8))
    assert probs.shape == (1, 2)
    # What we write as the card's WSInfer keys is again valid for the zoo.
    keys = set(schema["properties"])
    ours = {k: v for k, v in card.model_dump(mode="json", exclude_none=True).items() if k in keys}
    jsonschema.validate(ours, schema)
