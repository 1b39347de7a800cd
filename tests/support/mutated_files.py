"""Files of annotations, damaged in every way: what importers are fuzzed with."""

from __future__ import annotations

import json
import random
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from drawn_objects import every_kind

from napari_her2.annotations.formats.outcome import Imported
from napari_her2.annotations.interchange import read_annotations, write_annotations
from napari_her2.errors import Her2Error

ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1e308, -1e308, 1e-320, 10**400, float("nan"), float("inf"), "", "NaN",
    "é\u0000",
    "=1+1", [], {}, [[]], [[[]]], [1], [1, 2], [[1, 2], [1, 2]], {"type": "Polygon"},
    {"type": "Feature"}, "PathAnnotationObject", "root", [[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]],
    "POLYGON EMPTY", "POINT (nan 1)", "MULTIPOINT (1 2", [0, 0, 9, 9, 9, 0, 0, 9], -16777216,
    "x" * 500,
)  # fmt: skip

ASAP = """<?xml version="1.0"?><ASAP_Annotations><Annotations>
<Annotation Name="A" Type="Polygon" PartOfGroup="T" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="1" Y="2"/><Coordinate Order="1" X="9" Y="2"/>
<Coordinate Order="2" X="9" Y="8"/></Coordinates></Annotation>
<Annotation Name="B" Type="Dot" PartOfGroup="None" Color="#F4FA58"><Coordinates>
<Coordinate Order="0" X="1" Y="2"/></Coordinates></Annotation></Annotations><AnnotationGroups>
<Group Name="T" PartOfGroup="None" Color="#64FE2E"><Attributes/></Group></AnnotationGroups>
</ASAP_Annotations>"""

CYTOMINE = {
    "annotation": {
        "id": 4, "location": "POLYGON ((1 2, 9 2, 9 8, 1 2))", "term": [7],
        "created": "1619514118480",
    }
}  # fmt: skip

SECTRA = {
    "id": "10_k", "type": "Area", "name": None, "modifiedAt": "2021-04-20T08:38:03Z",
    "result": "5.33 mm²",
    "content": [{"x": 0.1, "y": 0.1}, {"x": 0.2, "y": 0.1}, {"x": 0.2, "y": 0.3}],
}  # fmt: skip


def whole_files(folder: Path) -> dict[str, bytes]:
    """One small file of each format."""
    drawn = every_kind()
    for to in ("geojson", "csv", "parquet", "coco", "imagescope"):
        write_annotations(folder / to, drawn, to=to, size=(700, 700))
    write_annotations(folder / "old", drawn, dialect="old")
    found = {p.name: p.read_bytes() for p in sorted(folder.iterdir())}
    texts = {"asap": ASAP, "cytomine": json.dumps(CYTOMINE), "sectra": json.dumps(SECTRA)}
    texts["wkt"] = "POINT (1 2)\nPOLYGON ((0 0, 1 1, 1 0, 0 0))\n"
    return found | {k: v.encode() for k, v in texts.items()}


def mutated(data: bytes, rng: random.Random) -> bytes:
    """The file with some things in it replaced, doubled, nested, cut or overwritten."""
    if data[:1] in b"[{" and rng.random() < 0.7:
        document = json.loads(data)
        for _ in range(rng.randint(1, 4)):
            document = _replaced(document, rng)
        return json.dumps(document).encode()
    out = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        if not out:
            break
        at, n = rng.randrange(len(out)), rng.randint(1, 40)
        how = rng.randrange(5)
        if how == 0:
            out[at] = rng.randrange(256)
        elif how == 1:
            del out[at : at + n]
        elif how == 2:
            out[at:at] = out[at : at + n]
        elif how == 3:
            del out[at:]
        else:
            out[at : at + n] = str(rng.choice(ODD)).encode()[:200]
    return bytes(out)


def _replaced(document: Any, rng: random.Random) -> Any:
    """A random place in a JSON document gets something odd, is removed, doubled or wrapped."""
    places: list[tuple[Any, Any]] = []
    if not isinstance(document, (dict, list)):
        return deepcopy(rng.choice(ODD))
    waiting = [document]
    while waiting:
        node = waiting.pop()
        inside = node.items() if isinstance(node, dict) else enumerate(node)
        for key, value in inside:
            places.append((node, key))
            if isinstance(value, (dict, list)):
                waiting.append(value)
    if not places:
        return deepcopy(rng.choice(ODD))
    node, key = rng.choice(places)
    how = rng.randrange(5)
    if how == 0:
        del node[key]
    elif how == 1 and isinstance(node, list):
        node.insert(key, deepcopy(node[key]))
    elif how == 2:
        value = node[key]
        for _ in range(rng.choice((1, 3, 150))):
            value = [value]
        node[key] = value
    else:
        node[key] = deepcopy(rng.choice(ODD))
    return document


def read_or_refuse(path: Path) -> Imported | None:
    """Import a file; whatever it holds, the result is fit to keep or one sentence.

    Raises
    ------
    AssertionError
        If it is neither.
    """
    try:
        found = read_annotations(path, slide_size=(700, 700), mpp=(0.5, 0.5))
    except Her2Error as e:
        sentence = e.sentence
    else:
        return _fit(found)
    assert sentence.endswith((".", "?"))
    assert "\n" not in sentence
    return None


def _fit(found: Imported) -> Imported:
    """The import, if it can be kept."""
    shapes = np.array([a.geometry for a in found.annotations], dtype=object)
    assert np.isfinite(shapely.get_coordinates(shapes)).all()
    assert shapely.is_valid(shapes).all()
    assert not shapely.is_empty(shapes).any()
    assert len({a.id for a in found.annotations}) == len(found.annotations)
    assert all(s.n > 0 and s.reason for s in found.skipped)
    return found


def ids_written_and_read(found: Imported | None, folder: Path) -> list[str]:
    """Ids of what was imported, after it was written and read once more."""
    if found is None:
        return []
    write_annotations(folder / "again.json", found.annotations)
    return [a.id for a in read_annotations(folder / "again.json").annotations]
