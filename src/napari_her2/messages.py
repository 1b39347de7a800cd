"""The one table of sentences a user can meet: each says what happened and what to do next.

Every user-visible sentence has an id and named slots, so that it can be translated, tested and
searched for. Code raises :class:`napari_her2.errors.Her2Error` with an id, never with free text.
"""

from __future__ import annotations

from typing import Final

from napari_her2.label_messages import LABEL_MESSAGES

NOTICE: Final = "Research use only. Not a medical device. Not for diagnosis or treatment decisions."
"""Stands in the first-run notice, every report, every JSON document and on CLI stderr."""

FIRST_RUN: Final = (
    "A model gives a probability. Unless your laboratory has validated the model, nobody knows how "
    "often it is right on your slides. Read it beside IHC and ISH, never instead of them."
)

DEMO_MODEL: Final = (
    "Demo model: trained on synthetic tissue. Its number says nothing about the tissue on this "
    "slide."
)

HER2_FROM_HE: Final = (
    "HER2 from H&E is weak: published slide AUC 0.60 (P1), 0.81 (P4, selected tiles); "
    "balanced acc. 0.54 (P3)."
)

MESSAGES: Final[dict[str, str]] = {
    # slides
    "no_slide": "No slide is open: choose “Open slide…” or drop a slide file on the window.",
    "not_found": "{name} was not found: check the path ({path}).",
    "not_slide": "{name} is not a slide this program can read ({reason}).",
    "damaged_slide": (
        "{name} looks damaged ({reason}): get a fresh copy from the scanner or the archive."
    ),
    "too_large": (
        "{name} is too large to open this way ({reason}): convert it to a tiled pyramid first."
    ),
    "no_mpp": (
        "This slide does not state its pixel size: enter µm per pixel to go on; "
        "it is never guessed."
    ),
    "no_mpp_cli": (
        "{name} does not state its pixel size: give it with --mpp (µm per pixel); "
        "it is never guessed."
    ),
    "bad_mpp": (
        "{value} µm/px is not a pixel size a slide can have: give a number between 0.05 and 20."
    ),
    "mpp_conflict": ("The file says {power}x but {mpp} µm/px, which do not agree; µm/px is used."),
    "levels_dropped": "{n} levels of {name} do not fit the first one and are not used.",
    "false_colours": (
        "The file calls its colours RGB but its frames hold YCbCr: what is shown has false colours."
    ),
    "one_piece": (
        "The image is {width} x {height} px in one piece, which takes {gib} GiB to read: a tiled "
        "pyramid would not."
    ),
    "in_strips": (
        "The image is {width} x {height} px in strips, which are slow to read in parts: a tiled "
        "pyramid would not be."
    ),
    "first_plane": "{name} has several planes or channels: the first plane is used.",
    "tile_unreadable": "A tile of {name} could not be read ({reason}).",
    "bad_region": "The region {region} lies outside {name} ({width} x {height} px).",
    "no_level": "{name} has no level {level}: it has {n}.",
    "no_associated": "{name} holds no image called “{image}”: it holds {available}.",
    # models
    "wrong_stain": (
        "This slide looks like {found} ({confidence}), but {model} is made for {needed}: choose "
        "another model, or {remedy} (recorded in the result)."
    ),
    "dark_field": (
        "{name} is dark where a stained slide lets light through (fluorescence, or a negative?): "
        "it was not scored."
    ),
    "no_colour": (
        "{name} is a grey picture: brown can’t be told from blue in it, so it was not scored."
    ),
    "wrong_mpp": (
        "{model} needs {needed} µm/px and this slide offers {offered} at best: detail would have "
        "to be invented, so it was not run."
    ),
    "not_trusted": (
        "{model} contains program code (TorchScript): run it only if you trust its source, "
        "{source}, SHA-256 {sha256}."
    ),
    "bad_hash": (
        "The weights of {model} do not match its card (expected {expected}, found {found}): "
        "the model was not loaded."
    ),
    "bad_weights": "The weights of {model} can't be used ({reason}): the model was not loaded.",
    "bad_card": "The model card {name} can't be used ({reason}).",
    "no_model": (
        "No model for {biomarker} is installed: add one with “Models…”, or try the demo model on "
        "a sample slide."
    ),
    "trust_needs_yes": (
        "{model} contains program code that will run as you (SHA-256 {sha256}): if you trust its "
        "source, say so with --yes."
    ),
    "unknown_model": (
        "No model called {name} is installed: choose one of {available}, or add one with “Models…”."
    ),
    "unknown_classifier": (
        "No classifier of cells called {name} is installed: choose one of {available}, or add one "
        "with “Models…”."
    ),
    "no_cell_model": (
        "{model} scores tiles and can't classify cells: choose another classifier, or run it with "
        "“predict”."
    ),
    "cell_model": (
        "{model} classifies single cells and can't score tiles: use it with “cells”, for IHC."
    ),
    "bad_runtime": "There is no runtime called {name}: choose one of {available}.",
    "not_model": (
        "{name} is not a model ({reason}): choose a folder or zip with card.json and "
        "weights.safetensors, or a WSInfer folder."
    ),
    "bad_archive": (
        "{name} was not unpacked because it looks unsafe or damaged ({reason}): get it from its "
        "author again."
    ),
    "hub_revision": (
        "{name} names no fixed revision: write hf:owner/name@ followed by the 40 digits of a "
        "commit, so that the same model is meant tomorrow."
    ),
    "hub_offline": (
        "{name} would be fetched from huggingface.co, and downloading is off: allow it with "
        "--download, or download the folder yourself and add that."
    ),
    "hub_failed": (
        "{name} could not be fetched ({reason}): check the name and the connection, or download "
        "the folder yourself and add that."
    ),
    "no_device": "This computer has no device “{device}”: choose auto, cpu or cuda.",
    "bad_trust": (
        "The list of trusted models {path} is damaged ({reason}): mend or delete it, then trust "
        "your models again."
    ),
    "model_exists": "A model called {model} is installed already: remove it first.",
    "built_in_model": "{model} comes with the program and can't be removed.",
    # running
    "no_tissue": (
        "No tissue was found: check the outline with “Show tissue”, or draw a region and choose "
        "it under Where."
    ),
    "bad_tiles": (
        "{failed} of {total} tiles could not be read; they are hatched on the slide and left out."
    ),
    "part_unreadable": (
        "{percent} % of the area looked at could not be read: cells there are left out."
    ),
    "much_unreadable": (
        "{percent} % of the area looked at could not be read, so no slide result is given: the "
        "file may be damaged."
    ),
    "many_bad_tiles": (
        "{failed} of {total} tiles ({percent} %) could not be read, so no slide result is given: "
        "the file may be damaged."
    ),
    "no_tumour": (
        "No tile was called tumour at t = {t}, so {biomarker} is not assessable on this slide."
    ),
    "no_slide_level": "No tile was scored, or this model says nothing about whole slides.",
    "no_slide_result": "The run did not come to a slide result.",
    "stain_override": (
        "Run as asked although this slide looks like {found} ({confidence}); made for {needed}: "
        "{models}."
    ),
    "stain_unknown": (
        "The stain of this slide could not be told: check that it is {needed}, which is needed by "
        "{models}."
    ),
    "enlarged": (
        "The slide is a little coarser than {models} needs ({needed} µm/px): its tiles were "
        "enlarged."
    ),
    "model_failed": "{model} was left out: {sentence}",
    "mem_retry": "Not enough memory for {n} tiles at once: going on with {smaller}.",
    "mem": (
        "Not enough memory even for one tile: close other programs or choose a smaller model; "
        "{n} tiles are kept."
    ),
    "disk": (
        "The disk that holds the results is full: {n} tiles are kept; free {needed} and press "
        "Resume."
    ),
    "disk_write": (
        "The disk that holds {path} is full: free {needed} and try again; what was there is kept."
    ),
    "cannot_write": "{path} can't be written ({reason}): choose another folder.",
    "cancelled": "Cancelled: {done} of {total} tiles are kept; Resume goes on from there.",
    "cancelled_cli": (
        "Cancelled: {done} of {total} tiles are kept; the same command goes on from there."
    ),
    "slide_changed": (
        "{name} changed while it was being read: nothing was mixed; open it again and run again."
    ),
    "run_busy": (
        "Another program is writing this result ({owner}): wait for it, or choose another folder."
    ),
    "foreign_corrections": (
        "The corrections kept with {name} belong to another result: none is shown and the file is "
        "left as it is."
    ),
    "damaged_corrections": (
        "The corrections kept with {name} are damaged in line {line}: none is shown and the file "
        "is left as it is."
    ),
    "corrections_elsewhere": (
        "The cells of {name} were corrected in another window meanwhile: open the result again to "
        "go on from there."
    ),
    "damaged_run": "The stored result {name} is damaged ({reason}): it will be made again.",
    "worker_gone": "A worker stopped; its slides were given to the others.",
    "demo_score": (
        "Rule yields {ihc} for the classes of a demo model; it says nothing of this slide."
    ),
    "tile_worker_gone": "A worker stopped; its tiles were given to the others.",
    "unexpected": (
        "{name} could not be finished because of a fault in the program ({kind}, {digest}): the "
        "log holds the details."
    ),
    "scheduler_gone_mid": (
        "The scheduler at {address} stopped answering: finished slides are kept; run again to go "
        "on."
    ),
    "worker_died": "Reading {name} stopped the worker process twice: the file may be damaged.",
    "scheduler_plain": (
        "{address} is not protected: use tls://, or allow it with --insecure-scheduler on a "
        "network you trust."
    ),
    "scheduler_gone": (
        "The scheduler at {address} does not answer: run on this computer instead, or check the "
        "address."
    ),
    "missing_extra": (
        "{feature} needs {package}: install it with pip install 'napari-her2[{extra}]'."
    ),
    # scoring
    "few_tumour": (
        "Only {n} tumour cells were counted (fewer than {minimum}), so no score is given."
    ),
    "few_tumour_one": (
        "Only 1 tumour cell was counted (fewer than {minimum}), so no score is given."
    ),
    "all_nuclei": (
        "All nuclei were counted, of stroma and immune cells too: draw a region of tumour for a "
        "score of tumour cells."
    ),
    "few_nuclei": "Only {n} nuclei were counted (fewer than {minimum}), so no score is given.",
    "no_tumour_cells": "No tumour cell was counted, so no score is given.",
    "no_cells": "No cell was found, so no score is given.",
    "all_artefact": "Every detected object looks like artefact, so no score is given.",
    "no_clusters": (
        "A biopsy is scored by clusters of stained tumour cells, which were not measured, so no "
        "score is given."
    ),
    "breast_rule_on_gea": "Breast rules do not apply to gastro-oesophageal tissue.",
    "gea_rule_on_breast": "Gastro-oesophageal rules do not apply to breast tissue.",
    "unknown_rule": "No rule called {name} fits this tissue: choose one of {available}.",
    "rule_specimen": "{rule} is made for a {needed}, not for a {given}: choose another rule.",
    "percent_sum": "Sum is {sum}: the percentages of 0, 1+, 2+ and 3+ have to add up to 100.",
    "percent_range": "Each percentage has to lie between 0 and 100.",
    "low_range": "0 and 1+ are where readers and programs agree least.",
    "unusual_intense": (
        "3+ in {share} % of the tumour cells, which is 10 % or less: an unusual pattern, called 2+."
    ),
    "unusual_incomplete": (
        "Moderate to intense but incomplete staining in {share} % of the tumour cells: an unusual "
        "pattern, called 2+."
    ),
    "low_needs_ish": "2+ is called low only when ISH is negative.",
    "descriptor": "Descriptor (research): {descriptor}; it is no category of the guideline.",
    "ish_needs_ihc": "ISH group {group} is read together with IHC of the same tissue.",
    "ish_recount": (
        "ISH group {group} with IHC 2+: a second observer, blind to the first count, counts at "
        "least 20 cells again."
    ),
    "ish_dual_probe": (
        "4 to 6 copies by a single probe, with IHC 2+ or without IHC: a dual-probe test decides."
    ),
    "ish_not_numbers": "HER2 copies and ratio have to be numbers above 0.",
    "er_low": (
        "ER in 1 to 10 % of the nuclei is ER low positive, reported with the guideline’s comment."
    ),
    "er_controls": (
        "ER in 10 % of the nuclei or fewer: state how internal and external controls stained."
    ),
    "zero_support": "The test set holds no {name}: its figures say nothing about {name}.",
    "usage": "{detail}",
    # viewer
    "window_busy": (
        "Another run is going on in this window: wait until it ends, or cancel it first."
    ),
    "view_closed": "View closed; the result is kept (Slide > Results).",
    "flat_slide": "Slides are flat: press Ctrl+Y again to return to 2D.",
    "keys_two": "Scores are set in Review or on the Cells layer.",
    **LABEL_MESSAGES,
}


def tr(message_id: str, /, **slots: object) -> str:
    """Give the sentence of an id with its slots filled in.

    Parameters
    ----------
    message_id : str
        A key of :data:`MESSAGES`.
    **slots : object
        Values for the named slots of that sentence.

    Returns
    -------
    str
        One sentence, ready to be shown.

    Raises
    ------
    KeyError
        If the id or one of its slots is unknown; both are programming errors.
    """
    return MESSAGES[message_id].format(**slots)
