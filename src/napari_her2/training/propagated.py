"""Labels carried over from another section tell which slides are sections of one block."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

__all__ = ["blocks_by_carrying"]


def blocks_by_carrying(
    slides: Mapping[str, Sequence[str]],
    carried_from: Mapping[str, Sequence[str]],
    blocks: Mapping[str, str],
) -> dict[str, str]:
    """Give slides that share labels one block, where no block is given.

    A label is carried from section to section of one block only (Gamble 2021, stage 1). So a slide
    whose labels came from another one is of its block, and so are two slides whose labels came
    from the same third one, whether that is in the set or not. Without this, a block nobody named
    could be learnt from on one section and tested on the next.

    Parameters
    ----------
    slides : mapping of str to sequence of str
        Key of each slide -> the names it goes by (slide id, file name).
    carried_from : mapping of str to sequence of str
        Key of each slide -> the slides its labels were carried from, by whatever name.
    blocks : mapping of str to str
        Key of each slide -> its block, empty where it is not known.

    Returns
    -------
    dict of str to str
        Key of each slide -> its block. A block that was given stays as it is.
    """
    known = {n.casefold(): key for key, names in slides.items() for n in names}
    parent: dict[str, str] = {key: key for key in slides}

    def root(node: str) -> str:
        while parent[node] != node:
            node = parent[node]
        return node

    for key, sources in carried_from.items():
        for source in sources:
            called = _names(source)
            here = next((known[n] for n in called if n in known), None)
            other = f"elsewhere: {called[-1]}" if here is None else here
            parent.setdefault(other, other)
            a, b = sorted((root(key), root(other)))
            parent[b] = a
    members: dict[str, list[str]] = {}
    for key in sorted(slides):
        members.setdefault(root(key), []).append(key)
    out = {key: blocks.get(key, "") for key in slides}
    for keys in members.values():
        if len(keys) < 2:
            continue
        given = sorted({out[k] for k in keys if out[k]})
        name = given[0] if given else f"block of {min(min(slides[k]) for k in keys)}"
        for key in keys:
            out[key] = out[key] or name
    return out


def _names(source: str) -> list[str]:
    """What a slide may go by: as it is written, its file name, that without its ending."""
    last = PurePath(source.replace("\\", "/")).name
    stem = PurePath(last).stem
    bare = stem[: -len(".ome")] if stem.lower().endswith(".ome") else stem
    return [n.casefold() for n in (source, last, bare or last)]
