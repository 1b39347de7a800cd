from __future__ import annotations

import pytest
from napari.layers import Image, Labels, Points, Shapes
from napari.utils.key_bindings import coerce_keybinding
from qtpy.QtGui import QKeySequence

from napari_her2._qt.actions import ViewerActions
from napari_her2._qt.keys import KEYS, SILENCED
from napari_her2._qt.window import WindowKeeper


def test_no_key_of_the_viewer_is_taken_by_a_napari_layer():
    taken = set()
    for layer_class in (Image, Labels, Points, Shapes):
        taken |= {str(k) for k in layer_class.class_keymap}
    ours = {str(coerce_keybinding(k.keys)) for k in KEYS if k.where == "viewer"}
    assert ours & taken == set()


def test_each_key_is_used_once():
    keys = [k.keys for k in KEYS]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("key", [k for k in KEYS if k.where == "window"], ids=lambda k: k.keys)
def test_window_keys_are_known_to_qt_and_have_an_action(key):
    assert not QKeySequence(key.keys).isEmpty()
    assert callable(getattr(WindowKeeper, key.action))


def test_viewer_keys_are_bound(desk):
    bound = {str(k) for k in desk.viewer.keymap}
    for key in KEYS:
        if key.where == "viewer":
            assert str(coerce_keybinding(key.keys)) in bound, key.keys
    assert isinstance(desk.session.keeper.actions, ViewerActions)


def test_keys_that_would_spoil_a_slide_do_nothing_there(desk):
    layer = desk.session.active.layer
    for key in SILENCED:
        layer.keymap[coerce_keybinding(key)](layer)
    assert layer.mode == "pan_zoom"
    assert layer.affine.affine_matrix.tolist() == [[1, 0, 0], [0, 1, 0], [0, 0, 1]]
