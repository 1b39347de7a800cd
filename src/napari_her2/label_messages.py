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
    "one_test_slide": (
        "The test holds one slide: intervals are drawn over single examples of it and say nothing "
        "about other slides."
    ),
}
