"""``models``: what is installed, where it came from, whether it is intact."""

from __future__ import annotations

from typing import Any

import click

from napari_her2.cli.options import json_option
from napari_her2.cli.output import clean_stdout, emit

__all__ = ["models"]


@click.group(epilog="Example: napari-her2 models list")
def models() -> None:
    """List, show, add, check, trust and remove models."""


def _row(installed: Any) -> dict[str, Any]:
    card = installed.card
    return {
        "id": card.id,
        "name": card.name,
        "version": card.version,
        "biomarker": card.biomarker,
        "stain": card.stain,
        "status": card.status,
        "sha256": card.weights_sha256,
        "licence": card.licence,
        "built_in": installed.built_in,
    }


def _line(row: dict[str, Any]) -> str:
    sha = (row["sha256"] or "–")[:12]
    return (
        f"{row['id']:<24} {row['biomarker'] or '–':<6} {row['stain']:<6} {row['status']:<24} "
        f"{sha}  {row['licence']}"
    )


def _emit_rows(rows: list[dict[str, Any]], as_json: bool, said: str = "") -> None:
    lines = [_line(r) for r in rows] or ["no models"]
    emit({"models": rows}, [said, *lines] if said else lines, as_json=as_json)


@models.command("list", epilog="Example: napari-her2 models list --json")
@json_option
def list_command(as_json: bool) -> None:
    """List the installed models."""
    with clean_stdout():
        from napari_her2.models.registry import Registry

        rows = [_row(m) for m in Registry().list()]
    _emit_rows(rows, as_json)


@models.command("show", epilog="Example: napari-her2 models show HER2")
@click.argument("model")
@json_option
def show_command(model: str, as_json: bool) -> None:
    """Show a model's card."""
    with clean_stdout():
        from napari_her2.models.registry import Registry

        registry = Registry()
        installed = registry.resolve(model)
        row = {**_row(installed), "card": installed.card.model_dump(mode="json")}
    emit({"models": [row], **row}, _card_lines(row["card"]), as_json=as_json)


def _card_lines(card: dict[str, Any]) -> list[str]:
    from napari_her2.messages import DEMO_MODEL

    lines = [f"{card['name']} ({card['id']} {card['version']})"]
    if card["status"] == "synthetic-demo":
        lines.append(f"  {DEMO_MODEL}")
    field_um = card["patch_size_pixels"] * card["spacing_um_px"]
    made_for = f"{card['stain']}, {card['organ']}, {card['spacing_um_px']:g} µm/px"
    of_cells = card["selector"].get("kind") == "cells"
    what = "single cells, crops" if of_cells else "tiles"
    lines += [
        f"  Made for    {made_for}, {what} of {field_um:g} µm",
        f"  Trained on  {card['training_data']}",
    ]
    for v in card["validation"]:
        ci = "" if v["ci95"] is None else f" ({v['ci95'][0]:.2f}–{v['ci95'][1]:.2f})"
        lines.append(
            f"  Checked on  {v['metric']} {v['value']:.2f}{ci}, n = {v['n']} {v['unit']}, "
            f"{v['site']}, {v['date']}"
        )
    if card["good_at"]:
        lines.append(f"  Good at     {card['good_at']}")
    if card["weak_at"]:
        lines.append(f"  Weak at     {card['weak_at']}")
    lines += [
        f"  Status      {card['status']}",
        f"  Use         {card['intended_use']}",
        f"  Licence     {card['licence']}; source: {card['source']}",
        f"  Weights     sha256 {card['weights_sha256'] or '–'}",
    ]
    return lines


@models.command("add", epilog="Example: napari-her2 models add my-model.zip")
@click.argument("source")
@click.option("--download", is_flag=True, help="Yes, fetch from the hub; nothing else does.")
@json_option
def add_command(source: str, download: bool, as_json: bool) -> None:
    """Install a model: a folder, a zip, a WSInfer zoo folder, or hf:owner/name@revision."""
    with clean_stdout():
        from napari_her2.models.registry import Registry

        rows = [_row(Registry().add(source, download=download))]
    _emit_rows(rows, as_json, f"Installed {rows[0]['id']}.")


@models.command("verify", epilog="Example: napari-her2 models verify")
@click.argument("model", nargs=-1)
@json_option
def verify_command(model: tuple[str, ...], as_json: bool) -> None:
    """Check weights against their cards (all models where none is named)."""
    with clean_stdout():
        from napari_her2.models.registry import Registry

        registry = Registry()
        chosen = [registry.resolve(m) for m in model] if model else registry.list()
        rows = []
        for installed in chosen:
            registry.verify(installed.card.id)
            rows.append({**_row(installed), "ok": True})
    _emit_rows(rows, as_json, "Weights and cards agree:")


@models.command("remove", epilog="Example: napari-her2 models remove my-model")
@click.argument("model")
@json_option
def remove_command(model: str, as_json: bool) -> None:
    """Remove an installed model. What comes with the program stays."""
    with clean_stdout():
        from napari_her2.models.registry import Registry

        registry = Registry()
        row = _row(registry.resolve(model))
        registry.remove(row["id"])
    _emit_rows([row], as_json, f"Removed {row['id']}.")


@models.command("trust", epilog="Example: napari-her2 models trust zoo-model --yes")
@click.argument("model")
@click.option("--yes", is_flag=True, help="I trust the source of this model.")
@json_option
def trust_command(model: str, yes: bool, as_json: bool) -> None:
    """Allow a model that holds program code (TorchScript) to run on this computer."""
    with clean_stdout():
        from napari_her2.errors import ModelNotTrustedError
        from napari_her2.models.registry import Registry

        registry = Registry()
        row = _row(registry.resolve(model))
        if not yes:
            raise ModelNotTrustedError(
                "trust_needs_yes", model=row["id"], sha256=row["sha256"] or "–"
            )
        registry.trust(row["id"])
    _emit_rows([row], as_json, f"{row['id']} may run on this computer.")
