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
    "foreign_ann_name": (
        "These annotations belong to the slide {theirs}, this one is {ours}: nothing was imported."
    ),
    "foreign_ann_pixels": (
        "These annotations belong to another slide that is called {name} too and has the same "
        "size, but other pixels: nothing was imported."
    ),
    "annotations_namesake": (
        "{path} holds labels of a slide of the same name and size but with other pixels: they are "
        "not shown here; import that folder if it is the same slide."
    ),
    "annotations_newer": (
        "{name} was written by a newer version of this program: it is left as it is."
    ),
    "annotations_changed": (
        "{name} were changed on the disk by another program: nothing was overwritten, and what is "
        "here is kept in {path}."
    ),
    "annotations_not_kept": (
        "{name} were changed on the disk by another program, and what is here could not be kept "
        "beside them ({reason}): save it elsewhere."
    ),
    "annotations_damaged": (
        "{name} is damaged and was left out: the annotations were put together from other files."
    ),
    "annotations_unreadable": (
        "{name} can't be read ({reason}): the labels were not opened, so that nothing is drawn "
        "over them."
    ),
    "annotations_cut_off": (
        "The end of the journal could not be read ({n} bytes): what was drawn last may be missing."
    ),
    "annotations_apart": (
        "{n} edits in {name} do not follow from the others and were left out; the file is kept."
    ),
    "annotations_there": ("The folder {path} holds annotations already: choose another one."),
    "annotations_closed": "{name} were closed here: open the slide again to change them.",
    "history_gone": (
        "What was done before can't be undone any more: the journal that holds it can't be read."
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
    "mask_name": (
        "{name} is no name for a mask: let it end in .png, .ome.tif or .ome.zarr, which also "
        "chooses the kind."
    ),
    "mask_classes": (
        "A PNG mask has room for 255 classes, not {n}: write an .ome.tif or .ome.zarr instead."
    ),
    "mask_mpp": (
        "The slide does not state its pixel size: give the size of the mask as --downsample."
    ),
    "mask_step": "{value} level-0 pixels make no pixel of a mask: give 1 or more.",
    "export_needs_slide": "This format needs the slide: give it with --slide.",
    "export_in_the_way": (
        "{path} holds something else: give a new folder, or one that such an export made."
    ),
    "note_cut_off": "The file ends too early or is damaged: what stands before was imported.",
    "note_repaired": "Outlines that crossed themselves and were repaired: {n}.",
    "note_crossing": "Outlines that cross themselves and were kept as they are: {n}.",
    "note_closed": "Outlines that were open and are closed now: {n}.",
    "note_depth": "Shapes with a third coordinate, which was left out: {n}.",
    "note_outside": "Objects that lie outside the slide: {n}.",
    "note_same_id": "Objects with an id that another one has, which got a new one: {n}.",
    "note_tree": "Objects that lay inside others and are in one list with them now: {n}.",
    "note_split": "Objects of mixed shapes, now one for each kind of shape: {n}.",
    "note_splines": "Splines taken by their control points: {n}.",
    "note_flipped": (
        "The file counts y from the lower edge: without the slide's height the objects are upside "
        "down."
    ),
    "note_encoding": "The text is not UTF-8: letters beyond ASCII may be wrong.",
    "note_mpp": "The file was drawn at {theirs} µm/px, this slide has {ours} µm/px.",
    # label sets
    "bad_label_set": "{name} is not a label set that can be used ({reason}).",
    "no_regions": (
        "No region or point has a class of “{schema}”: draw some first, or choose another schema."
    ),
    "no_tiles": (
        "No tile of {size} µm lies {share} % or more in a region of {name}: draw larger regions, "
        "choose smaller tiles or a smaller share, or switch the class off."
    ),
    "too_few_classes": "A label set needs two classes or more: “{schema}” has fewer switched on.",
    "schema_lacks": "“{schema}” has no class {name}: choose another schema or another biomarker.",
    "other_base": (
        "Labels can't be added to {name}: it has other classes, another stain or other tiles."
    ),
    "foreign_run": (
        "The corrections in {name} belong to another slide: they were not taken as labels."
    ),
    "no_patients": (
        "To test by patient, the patient of every slide must be known; it is not for {names}."
    ),
    "label_table": (
        "{name} is not a table of slides and annotations: it needs a heading with slide and "
        "annotations, and may have more of these: {columns}."
    ),
    "label_stain": (
        "{name} looks like {found} ({confidence}), but these labels need {needed}: leave the slide "
        "out, or tick “Run anyway” (--ignore-stain; recorded in the set)."
    ),
    "label_stain_unsure": "The stain of {name} could not be told: check that it is {needed}.",
    "label_stain_override": (
        "{name} was taken as asked although it looks like {found} ({confidence}), not {needed}."
    ),
    "label_cancelled": "Cancelled: no label set was written.",
    "label_inside": "{value} is no share of a tile: give a number above 0, up to 1.",
    "label_other": "{value} is no share of a tile: give a number from 0 to 1.",
    "label_cap": "{value} is no number of labels: give 1 or more.",
    "label_shares": (
        "{tune} to tune on and {test} to test on leave nothing to learn from: together they must "
        "stay below 1."
    ),
    "label_conflicts": (
        "Listed and left out, because annotations of different classes claim them: {what}."
    ),
    "label_unreadable": "Could not be read, so that nothing was drawn there: {what}.",
    "unknown_classes": (
        "These label nothing, because the schema has not their class ({names}): {what}."
    ),
    "few_examples": "Few labels: {names}. What is learnt and measured of these says little.",
    "unbalanced": (
        "{most} has {times} times as many labels as {least}: set a limit per class to even it out."
    ),
    "same_patient": "Slides of one patient are in both sets: figures are optimistic.",
    "one_block": (
        "All labels come from sections of one block: without a second block there is no honest "
        "test, so only training figures are shown."
    ),
    "one_patient": (
        "All labels come from one patient: without a second patient there is no honest test, so "
        "only training figures are shown."
    ),
    # what to label next
    "why_unsure": "Between {first} ({p_first}) and {second} ({p_second}).",
    "queue_no_classes": (
        "The cells of {name} were not told apart: choose a run with a classifier to be asked what "
        "to label next."
    ),
    "queue_no_map": "The run {name} has no map of {model}.",
    "why_unsure_new": (
        "Between {first} ({p_first}) and {second} ({p_second}), and unlike what is labelled so far."
    ),
    # training
    "one_slide": (
        "All labels come from one slide: without a second slide there is no honest test, so only "
        "training figures are shown."
    ),
    "no_examples": (
        "Class {name} has no labels: draw at least one region of it or switch the class off."
    ),
    "svm_classes": (
        "A linear SVM of one class against the rest needs three classes: choose the network or the "
        "forest."
    ),
    "no_stain": (
        "The label set {name} does not say whether it is H&E or H-DAB, so its colours can't be "
        "normalised."
    ),
    "small_tiles": (
        "Tiles of {px} px are too small for Inception-V3, which needs {least}: make the label set "
        "with larger tiles."
    ),
    "unknown_recipe": "There is no recipe called {name}.",
    "loss_lost": (
        "The loss of epoch {epoch} is no number any more: the weights so far are kept; try without "
        "mixed precision, or look for odd labels."
    ),
    "one_class": "There are labels of one class only: a model needs at least two to tell apart.",
    "tune_lacks": (
        "The items for tuning hold no {name}: the weights of the last epoch are taken, as tuning "
        "can't choose."
    ),
    "no_test": "No item is kept apart for a test, so only training figures are shown.",
    "other_classes": (
        "{recipe} can't learn the class {name}: its classes are those of the paper; choose another "
        "recipe."
    ),
    "no_features": (
        "The label set {name} holds no measurements of its cells: make it again, or choose the "
        "network without the membrane."
    ),
    "no_stain_crops": (
        "The label set {name} holds no crops of the two stains: make it again from its slides."
    ),
    "wrong_kind": (
        "The label set {name} holds {found}, and {recipe} learns from {needed}: choose another "
        "recipe or label set."
    ),
    "other_training": (
        "{name} holds an unfinished training with other labels or settings: choose another folder, "
        "or start over with --no-resume."
    ),
    "model_folder_taken": (
        "{name} holds another model already: choose another folder, or replace it with --no-resume."
    ),
    "train_cancelled": "Cancelled: the best weights so far (epoch {epoch}) are kept.",
    "train_cancelled_early": (
        "Cancelled before the first epoch was done: no model was made; the same command goes on "
        "from the last checkpoint."
    ),
    "train_paused": "Paused at epoch {epoch}: Resume goes on from there.",
    "train_stopped_early": (
        "Stopped at epoch {epoch} of {epochs}, because the tuning figure no longer grew; the "
        "weights of epoch {best} are kept."
    ),
    "train_time_up": (
        "Stopped at epoch {epoch} of {epochs}, because the time given was over; the weights of "
        "epoch {best} are kept."
    ),
    "train_died": (
        "Training stopped at epoch {epoch} ({reason}): the same request goes on from the last "
        "checkpoint."
    ),
    "train_mem": (
        "Not enough memory to train {recipe} here: close other programs, or choose a smaller width."
    ),
    "bad_start": "{name} can't be started from ({reason}).",
    "start_pickle": (
        "{name} is a pickle, which can run program code when it is read: convert it to safetensors "
        "first, in Python with safetensors.torch.save_file(state_dict, 'weights.safetensors')."
    ),
    "start_offline": (
        "{name} would be fetched from the network, and downloading is off: allow it with "
        "--download and give its SHA-256, or download the file yourself and name that."
    ),
    "start_width": (
        "{model} has width {own}, not {asked}: leave the width out, or start from something else."
    ),
    "start_no_hash": "{name} is an address without a SHA-256: give --start-sha256 too.",
    "few_folds": ("{n} slides with a status are too few for 10 folds: {folds} folds were taken."),
    "stage2_one_status": (
        "Stage 2 needs slides of both statuses, positive and negative, that could be assessed: "
        "{positive} positive and {negative} negative were found."
    ),
    "bad_slide_table": "{name} is not a table of slides and their status ({reason}).",
    "no_roles": (
        "{model} does not say which of its classes is positive and which negative, so no slide "
        "level can be fitted for it."
    ),
    "slides_left_out": "Slides that take no part: {n} ({reason}).",
    "test_not_assessable": (
        "On {n} of {total} slides no tile was called tumour: they are not assessable and count in "
        "no figure."
    ),
    "no_scores": "{name} holds no tile scores of {model} ({reason}).",
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
    "bad_predictions": "{name} is not a table of predictions ({reason}).",
    "no_model_named": "Say which model is to be tested: give its id or its folder.",
    "no_label_set": (
        "There is no label set yet: draw regions in Annotate, then press “Make label set”."
    ),
    "no_labels_named": "A cross-validation needs a label set: give its folder with --data.",
    "no_tuning": "There is no tuning part to fit a temperature on: leave --temperature out.",
    "class_not_known": (
        "{model} does not know the class {name} of these labels: it tells {available} apart."
    ),
    "other_kind": "{model} is made for {made_for} and these labels are of {given}.",
    "other_tiles": "{model} looks at tiles of {needed} and these labels hold {given}.",
    "other_stain": "{name} holds labels on {stain}, but {model} is made for {needed}.",
    "own_labels": (
        "{model} was made with these labels: figures of all but its own test part are optimistic."
    ),
    "patient_not_known": (
        "Not every slide of these labels has a patient: test by slide, or name the patients when "
        "the label set is made."
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
