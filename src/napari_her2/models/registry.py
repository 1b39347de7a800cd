"""Installed models: the demo models of the program and those the user added.

The registry works on files and never on the network, except when a pinned revision is added with
the user's yes. It imports no torch until a model is loaded.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from napari_her2.errors import (
    BadModelError,
    CannotWriteError,
    ModelNotFoundError,
    ModelNotTrustedError,
    UsageError,
)
from napari_her2.models.card import ModelCard, read_card
from napari_her2.models.installed import (
    InstalledModel,
    LoadedModel,
    aggregator_of,
    card_of,
    check_files,
)
from napari_her2.models.intake import CARD, WEIGHTS, Fetch, collect, collect_from_hub, parse_hub
from napari_her2.models.weights import (
    check_hash,
    read_bytes,
    sha256_of,
    sync_folder,
    write_atomic,
)
from napari_her2.models.wsinfer import CONFIG, SCRIPT, read_config, slug, wrap
from napari_her2.provenance import now
from napari_her2.settings import LOGGER, get_settings

__all__ = ["InstalledModel", "LoadedModel", "Registry"]

DEMO_DIR: Final = Path(__file__).parent / "demo"


class Registry:
    """Finds, checks, loads, adds and removes models.

    Parameters
    ----------
    data_dir : Path, optional
        User data; default ``settings.data_dir``. Holds ``models/``, ``trusted.json`` and
        ``model_defaults.json``.
    demo_dir : Path, optional
        Built-in models.
    """

    def __init__(self, data_dir: Path | None = None, demo_dir: Path | None = None) -> None:
        self._data = data_dir or get_settings().data_dir
        self._demo = demo_dir or DEMO_DIR

    # ---- finding

    def list(self) -> list[InstalledModel]:
        """All usable models, built-in first, then by id. A damaged one is logged and left out."""
        found: dict[str, InstalledModel] = {}
        for root, built_in in ((self._demo, True), (self._data / "models", False)):
            for folder in sorted(p for p in _folders(root)):
                try:
                    card = card_of(folder)
                except BadModelError as e:
                    LOGGER.warning("model folder left out: %s", e)
                    continue
                # What comes with the program can't be shadowed by a folder of the same name.
                found.setdefault(card.id, InstalledModel(card, folder, built_in))
        return list(found.values())

    def resolve(self, name: str) -> InstalledModel:
        """Find a model by id, or by biomarker: the user's default for it, else the demo model.

        Raises
        ------
        ModelNotFoundError
            If there is none.
        """
        models = self.list()
        for model in models:
            if model.card.id == name:
                return model
        # A biomarker's name means its model for tiles; classifiers of cells are asked for by id.
        candidates = [
            m
            for m in models
            if (m.card.biomarker or "").upper() == name.upper() != "" and not m.card.is_cell_model
        ]
        chosen = self._defaults().get(name.upper())
        # The user's choice first, then what comes with the program.
        candidates.sort(key=lambda m: (m.card.id != chosen, not m.built_in))
        if candidates:
            return candidates[0]
        if name.upper() in {"ER", "PR", "HER2"}:
            raise ModelNotFoundError("no_model", biomarker=name.upper())
        available = ", ".join(m.card.id for m in models) or "none"
        raise ModelNotFoundError("unknown_model", name=name[:80], available=available)

    def set_default(self, biomarker: str, name: str) -> None:
        """Make a model the one that is meant by its biomarker's name.

        Raises
        ------
        UsageError
            If the model is for something else.
        """
        model = self.resolve(name)
        if (model.card.biomarker or "").upper() != biomarker.upper():
            detail = f"{model.card.id} is not a model for {biomarker}."
            raise UsageError("usage", detail=detail)
        if model.card.is_cell_model:
            raise UsageError("cell_model", model=model.card.id)
        _write_json(self._defaults_path, {**self._defaults(), biomarker.upper(): model.card.id})

    # ---- using

    def load(self, name: str, device: str = "auto") -> LoadedModel:
        """Load a model; its files are checked against the card first.

        Parameters
        ----------
        name : str
            Id or biomarker.
        device : str
            ``auto``, ``cpu``, ``cuda`` or ``cuda:N``.

        Raises
        ------
        ModelNotFoundError
            If there is no such model.
        UsageError
            If it classifies cells, not tiles.
        ModelNotTrustedError
            If it is TorchScript whose hash the user has not trusted.
        ModelIntegrityError, BadModelError
            If a file does not match the card or can't be used.
        """
        model = self.resolve(name)
        if model.card.is_cell_model:
            raise UsageError("cell_model", model=model.card.id)
        aggregator = aggregator_of(model)
        if model.is_torchscript:
            data = read_bytes(model.weights_path, model.card.id)
            found = check_hash(data, model.card.weights_sha256, model.card.id)
            # The bytes that were hashed are the bytes that run.
            self._require_trust(model, found)
            from napari_her2.models.tile_models import TorchScriptTileModel, choose_device

            scripted = TorchScriptTileModel(model.card, data, choose_device(device))
            return LoadedModel(model.card, scripted, aggregator)
        from napari_her2.models.tile_models import load_tile_model

        tile_model = load_tile_model(model.card, model.folder, device)
        return LoadedModel(model.card, tile_model, aggregator)

    def verify(self, name: str) -> bool:
        """Check a model's files against its card without running anything.

        Returns
        -------
        bool
            True; anything else raises.

        Raises
        ------
        ModelIntegrityError, BadModelError
            If a file does not match the card or the architecture.
        """
        check_files(self.resolve(name))
        return True

    # ---- trust

    def trust(self, name: str) -> str:
        """Note that the user trusts the program code of a model, by its SHA-256.

        Returns
        -------
        str
            The hash that is trusted now.
        """
        model = self.resolve(name)
        data = read_bytes(model.weights_path, model.card.id)
        found = check_hash(data, model.card.weights_sha256, model.card.id)
        entry = {"model": model.card.id, "source": model.card.source, "date": now()}
        _write_json(self._trust_path, {**self._trusted(), found: entry})
        return found

    def is_trusted(self, name: str) -> bool:
        """Whether a model may run: safetensors always, TorchScript if its hash is trusted."""
        model = self.resolve(name)
        return not model.is_torchscript or (model.card.weights_sha256 or "") in self._trusted()

    def _require_trust(self, model: InstalledModel, sha256: str) -> None:
        if sha256 not in self._trusted():
            raise ModelNotTrustedError(
                "not_trusted", model=model.card.id, source=model.card.source, sha256=sha256
            )

    # ---- adding and removing

    def add(
        self, source: str | Path, *, download: bool = False, fetch: Fetch | None = None
    ) -> InstalledModel:
        """Install a model for this user.

        Parameters
        ----------
        source : str or Path
            Folder or zip with ``card.json``, a WSInfer folder or zip, or
            ``hf:owner/name@<40 digits>``.
        download : bool
            The user's yes to fetching from the hub; nothing else uses the network.
        fetch : callable, optional
            Stands in for the network.

        Returns
        -------
        InstalledModel
            A card that claims local validation elsewhere is set back to ``user-unvalidated``: it
            has not been validated *here*.

        Raises
        ------
        UsageError
            If the hub reference names no full revision or downloading was not allowed.
        BadModelError, ModelIntegrityError
            If the files are unsafe, damaged or do not match each other.
        """
        text = str(source)
        with self._staging() as staging:
            if text.startswith("hf:"):
                spec = parse_hub(text)
                if not download:
                    raise UsageError("hub_offline", name=str(spec))
                collect_from_hub(spec, staging, fetch=fetch)
                name, origin = spec.repository.split("/")[1], str(spec)
            else:
                path = Path(source)
                collect(path, staging)
                name = path.stem if path.is_file() else path.resolve().name
                origin = f"added from {path.name}"
            card = _settle_card(staging, name, origin)
            model = InstalledModel(card, staging, built_in=False)
            check_files(model)
            if any(m.card.id == card.id for m in self.list()):
                raise BadModelError("model_exists", model=card.id)
            final = self._data / "models" / card.id
            self._install(staging, final)
        return InstalledModel(card, final, built_in=False)

    def remove(self, name: str) -> None:
        """Remove a user's model.

        Raises
        ------
        UsageError
            If it comes with the program.
        """
        model = self.resolve(name)
        if model.built_in:
            raise UsageError("built_in_model", model=model.card.id)
        try:
            # Renamed first: a removal that is cut short leaves no half model behind.
            gone = model.folder.parent / f".gone-{secrets.token_hex(8)}"
            model.folder.replace(gone)
            shutil.rmtree(gone)
        except OSError as e:
            raise _cannot_write(model.folder, e) from None

    def _install(self, staging: Path, final: Path) -> None:
        try:
            for path in staging.iterdir():
                with path.open("r+b") as f:
                    os.fsync(f.fileno())
            staging.replace(final)
            sync_folder(final.parent)
        except OSError as e:
            raise _cannot_write(final, e) from None

    @contextmanager
    def _staging(self) -> Iterator[Path]:
        root = self._data / "models"
        try:
            folder = root / f".new-{secrets.token_hex(8)}"
            folder.mkdir(parents=True)
        except OSError as e:
            raise _cannot_write(root, e) from None
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    # ---- small files of the user

    @property
    def _trust_path(self) -> Path:
        return self._data / "trusted.json"

    @property
    def _defaults_path(self) -> Path:
        return self._data / "model_defaults.json"

    def _trusted(self) -> dict[str, Any]:
        return _read_table(self._trust_path)

    def _defaults(self) -> dict[str, Any]:
        return _read_table(self._defaults_path)


def _folders(root: Path) -> Iterator[Path]:
    try:
        yield from (p for p in root.iterdir() if p.is_dir() and not p.name.startswith((".", "_")))
    except OSError:
        return


def _settle_card(staging: Path, name: str, origin: str) -> ModelCard:
    if not (staging / CARD).exists() and not (staging / CONFIG).exists():
        raise BadModelError("not_model", name=name, reason="it has neither card nor configuration")
    if (staging / CARD).exists():
        card = read_card(staging / CARD)
        if card.tile_model.get("kind") != "torchscript" and card.weights_sha256 is None:
            data = read_bytes(staging / WEIGHTS, card.id)
            card = card.model_copy(update={"weights_sha256": sha256_of(data)})
        if card.status == "user-validated-locally":
            card = card.model_copy(update={"status": "user-unvalidated"})
    else:
        data = read_bytes(staging / SCRIPT, name)
        card = wrap(read_config(staging / CONFIG), slug(name), sha256_of(data), origin)
    _write_json(staging / CARD, card.model_dump(mode="json"))
    return card


def _read_table(path: Path) -> dict[str, Any]:
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as e:
        raise BadModelError("bad_trust", path=str(path), reason=str(e)[:200]) from None
    if not isinstance(table, dict):
        raise BadModelError("bad_trust", path=str(path), reason="it is not a table")
    return table


def _write_json(path: Path, value: Any) -> None:
    text = json.dumps(value, indent=2, ensure_ascii=False) + "\n"
    write_atomic(path, text.encode("utf-8"))


def _cannot_write(path: Path, e: OSError) -> CannotWriteError:
    return CannotWriteError("cannot_write", path=str(path), reason=e.strerror or str(e))
