"""All annotations of a slide as they were at one moment: so that opening need not replay years.

``snapshot-<number of the last action>-<start of its SHA-256>.bin``: a magic, a checksum, and
compressed a head (JSON) and the annotations. A snapshot is written beside and renamed into place;
the last three are kept.
"""

from __future__ import annotations

import json
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from napari_her2.annotations.annotation import Annotation
from napari_her2.annotations.journal import FORMAT, START, listed, pack, unpack, unreadable
from napari_her2.annotations.lossless import annotations_from_bytes, annotations_to_bytes
from napari_her2.annotations.store import AnnotationStore, Step
from napari_her2.errors import BadAnnotationsError
from napari_her2.results.atomic import discard, write_bytes

__all__ = ["GENERATIONS", "Snapshot", "read_snapshot", "snapshots_in", "write_snapshot"]

GENERATIONS: Final = 3
"""How many snapshots are kept."""

_MAGIC: Final = b"HER2SNA1"
_CRC: Final = struct.Struct("<I")
_LENGTH: Final = struct.Struct("<Q")
_NAME: Final = re.compile(r"snapshot-(\d{12})-[0-9a-f]{8}\.bin")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one of them holds.

    Attributes
    ----------
    identity : dict
        What slide it belongs to.
    mpp : list of float or None
        Micrometres per pixel when it was written, x and y.
    seq, chain
        Number and SHA-256 of the last action in it.
    journal : str
        Name of the journal that holds this action; those before it are not needed to go on.
    annotations : tuple of Annotation
        In the order of drawing.
    ranks : dict of str to int
        Places in that order, also of annotations that are gone and may be brought back.
    done, undone : tuple of Step
        What can be undone and redone; the edits are in the journals.
    """

    identity: dict[str, Any]
    mpp: list[float] | None
    seq: int
    chain: str
    journal: str
    annotations: tuple[Annotation, ...] = ()
    ranks: Mapping[str, int] = None  # type: ignore[assignment]
    done: tuple[Step, ...] = ()
    undone: tuple[Step, ...] = ()


def snapshots_in(folder: Path) -> list[Path]:
    """The snapshots of a folder, newest first."""
    return listed(folder, _NAME)[::-1]


def write_snapshot(
    folder: Path,
    store: AnnotationStore,
    *,
    identity: Mapping[str, Any],
    mpp: tuple[float, float] | None,
    seq: int,
    chain: str,
    journal: str,
) -> Path:
    """Write what a store holds, and remove all but the newest three.

    Raises
    ------
    DiskFullError, CannotWriteError
        The older ones are as they were.
    """
    annotations, ranks = store.all(), dict(store.ranks)
    document = {
        "format": FORMAT,
        "identity": dict(identity),
        "mpp": None if mpp is None else list(mpp),
        "seq": seq,
        "chain": chain,
        "journal": journal,
        # Mostly the annotations in their order, and then it goes without saying.
        "ranks": None if list(ranks) == [a.id for a in annotations] else ranks,
        "done": [[s.label, s.number] for s in store.done_steps],
        "undone": [[s.label, s.number] for s in store.undone_steps],
    }
    head = json.dumps(document).encode("ascii")
    data = pack(b"".join((_LENGTH.pack(len(head)), head, annotations_to_bytes(annotations))))
    path = folder / f"snapshot-{seq:012d}-{chain[:8]}.bin"
    write_bytes(path, b"".join((_MAGIC, _CRC.pack(zlib.crc32(data)), data)))
    for old in snapshots_in(folder)[GENERATIONS:]:
        discard(old)
    return path


def read_snapshot(path: Path) -> Snapshot:
    """Read one.

    Raises
    ------
    BadAnnotationsError
        As :func:`~.journal.read_segment`.
    """
    try:
        content = path.read_bytes()
        head = len(_MAGIC) + _CRC.size
        (crc,) = _CRC.unpack_from(content, len(_MAGIC))
        if content[: len(_MAGIC)] != _MAGIC or zlib.crc32(content[head:]) != crc:
            msg = "its checksum is wrong"
            raise ValueError(msg)
        plain = unpack(content[head:])
        end = _LENGTH.size + _LENGTH.unpack_from(plain)[0]
        document = json.loads(plain[_LENGTH.size : end])
        if document["format"] > FORMAT:
            raise BadAnnotationsError("annotations_newer", name=path.name)
        annotations = annotations_from_bytes(plain[end:])
        ranks = document["ranks"]
        if ranks is None:
            ranks = {a.id: i for i, a in enumerate(annotations)}
        return Snapshot(
            dict(document["identity"]),
            document["mpp"],
            int(document["seq"]),
            str(document["chain"]),
            str(document["journal"]),
            annotations,
            {str(k): int(v) for k, v in ranks.items()},
            tuple(Step(str(label), int(n)) for label, n in document["done"]),
            tuple(Step(str(label), int(n)) for label, n in document["undone"]),
        )
    except BadAnnotationsError:
        raise
    except OSError as e:
        raise unreadable(path, e) from None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, struct.error):
        raise BadAnnotationsError("annotations_damaged", name=path.name) from None


def empty_snapshot(identity: Mapping[str, Any]) -> Snapshot:
    """Where a slide starts from that nobody has drawn on."""
    return Snapshot(dict(identity), None, 0, START, "", (), {}, (), ())
