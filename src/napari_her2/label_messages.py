"""Sentences on annotations, label sets and training; :mod:`napari_her2.messages` takes them in."""

from __future__ import annotations

from typing import Final

__all__ = ["LABEL_MESSAGES"]

LABEL_MESSAGES: Final[dict[str, str]] = {
    # schemas
    "bad_schema": "{name} is not a class schema ({reason}).",
    # annotations
    "bad_annotations": "{name} could not be read as {kind} ({reason}): nothing was imported.",
    "foreign_ann": (
        "These annotations belong to another slide ({theirs} px, this one is {ours} px): nothing "
        "was imported."
    ),
    "locked_by": ("{name} are open in another window since {time}: this copy is read-only."),
    "recovered": (
        "{n} edits were recovered after the last session ended suddenly; the latest is from {time}."
    ),
    "crosses_itself": "This outline crosses itself: [Repair] makes {n} parts.",
    # files of other tools: why something in them was left out, and what was changed
    "unknown_annotations": (
        "{name} is no annotation file this program knows ({reason}): save it as QuPath GeoJSON, "
        "ImageScope XML, ASAP XML or CSV and try again."
    ),
    "annotations_too_large": (
        "{name} holds more than {limit}, which is too much to import at once: split the file."
    ),
    "annotations_need": "{name} cannot be imported without {what}: give {how} and try again.",
    "skip_no_shape": "without a shape",
    "skip_bad_shape": "shape that is not readable",
    "skip_not_finite": "coordinates that are not finite numbers",
    "skip_far": "coordinates beyond any slide",
    "skip_few_points": "too few points for an outline",
    "skip_no_area": "outline without area",
    "skip_not_object": "entry that is no annotation",
    "skip_cut_off": "cut off at the end of the file",
    "skip_collection_members": "entries about the file as a whole",
    "note_cut_off": "The file ends too early or is damaged: what stands before was imported.",
    "note_repaired": "{n} outlines crossed themselves and were repaired.",
    "note_crossing": "{n} outlines cross themselves and were kept as they are.",
    "note_closed": "{n} outlines were open and were closed.",
    "note_depth": "{n} shapes had a third coordinate, which was left out.",
    "note_outside": "{n} objects lie outside the slide.",
    "note_same_id": "{n} objects had an id that another one has, and got a new one.",
    "note_tree": "{n} objects lay inside others; all are in one list now.",
    "note_split": "{n} objects of mixed shapes became {parts}.",
    "note_encoding": "The text is not UTF-8: letters beyond ASCII may be wrong.",
    "note_mpp": "The file was drawn at {theirs} µm/px, this slide has {ours} µm/px.",
    # label sets
    # training
    "one_slide": (
        "All labels come from one slide: without a second slide there is no honest test, so only "
        "training figures are shown."
    ),
    "no_examples": (
        "Class {name} has no labels: draw at least one region of it or switch the class off."
    ),
    "bad_checkpoint": (
        "The checkpoint {name} can't be read ({reason}): training starts from the beginning."
    ),
    "tile_test": "Tiles of one slide are in both sets: figures are optimistic.",
    # evaluation
    "nothing_to_test": "There is nothing to test on: the test set holds no labelled example.",
    "bad_probabilities": "{n} predictions hold no usable probability: no figure can be given.",
    "intervals_by_item": (
        "Which slide each example comes from is not known: intervals are drawn over single "
        "examples and are too narrow where neighbours look alike."
    ),
    "intervals_few_slides": (
        "The test holds {n} slides, fewer than 5: intervals are drawn over single examples and "
        "are too narrow, because examples of one slide look alike."
    ),
    "one_group": (
        "Cross-validation needs labels from two slides (or tiles) at least: these all come from "
        "one."
    ),
    "validation_demo": (
        "{model} knows synthetic tissue only: no record can make it a validated model."
    ),
    "validation_incomplete": (
        "A validation is recorded with all of metric, value, 95 % interval, n, site and date: "
        "{missing} is missing."
    ),
    "validation_wrong": "The validation was not recorded: {reason}.",
    "one_test_slide": (
        "The test holds one slide: intervals are drawn over single examples of it and say nothing "
        "about other slides."
    ),
}
