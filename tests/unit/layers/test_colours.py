"""Colours that mean different things must look different, to everyone."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from skimage.color import deltaE_ciede2000, rgb2lab

from napari_her2.layers import colours

# Machado, Oliveira and Fernandes 2009, full severity, for linear RGB.
DEFICIENCIES = {
    "normal": np.eye(3),
    "protan": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deutan": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritan": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def seen(colour: str, vision: str) -> np.ndarray:
    srgb = colours.hex_to_rgb(colour)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(np.asarray(DEFICIENCIES[vision]) @ linear, 0, 1)
    back = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return rgb2lab(back)


def distance(a: str, b: str, vision: str) -> float:
    return float(deltaE_ciede2000(seen(a, vision), seen(b, vision)))


@pytest.mark.parametrize("vision", DEFICIENCIES)
@pytest.mark.parametrize("table", ["CELL_CLASSES", "REGIONS", "CONCEPTS", "QC"])
def test_classes_can_be_told_apart(table, vision):
    members = getattr(colours, table).values()
    nearest = min(distance(a, b, vision) for a, b in itertools.combinations(members, 2))
    assert nearest >= 20


@pytest.mark.parametrize("vision", DEFICIENCIES)
def test_status_colours_can_be_told_apart(vision):
    # Negative and grey come nearest, for tritans; each also has its sign.
    pairs = itertools.combinations(colours.STATUS.values(), 2)
    assert min(distance(a, b, vision) for a, b in pairs) >= 19.5


@pytest.mark.parametrize("vision", DEFICIENCIES)
def test_the_map_of_probabilities_is_blue_low_red_high_and_safe(vision):
    stops = np.array([colours.hex_to_rgb(c) for c in colours.BLUE_RED])

    def at(p: float) -> str:
        rgb = [np.interp(p, np.linspace(0, 1, 5), stops[:, i]) for i in range(3)]
        return "#" + "".join(f"{round(v * 255):02X}" for v in rgb)

    assert distance(at(0), at(1), vision) >= 35
    assert distance(at(0.3), at(0.7), vision) >= 34
    lightness = [seen(at(p), "normal")[0] for p in (0, 0.25, 0.5, 0.75, 1)]
    assert lightness[0] < lightness[1] < lightness[2] > lightness[3] > lightness[4]
    low, high = stops[0], stops[-1]
    assert low[2] > low[0]
    assert high[0] > high[2]


def test_tumour_grades_also_differ_in_lightness():
    order = [colours.CELL_CLASSES[f"Tumour {g}"] for g in ("1+", "2+", "3+")]
    lightness = [seen(c, "normal")[0] for c in order]
    assert lightness == sorted(lightness, reverse=True)


def test_borders_contrast_with_their_fill():
    borders = {name: colours.border_of(c) for name, c in colours.CELL_CLASSES.items()}
    assert borders["Tumour 1+"] == "#000000"
    assert borders["Tumour 3+"] == borders["Tumour 0"] == "#FFFFFF"


@pytest.mark.parametrize("name", colours.MAPS)
def test_nothing_scored_is_transparent(name):
    table = colours.colour_map(name)
    assert table["nan_color"][3] == 0
    assert all(c[3] == 1 for c in table["colors"])
