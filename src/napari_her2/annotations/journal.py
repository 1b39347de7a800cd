"""Every action on the annotations of a slide, as it stands on the disk.

A journal is a file that only grows (:class:`~napari_her2.results.append_log.AppendLog`), one for
each time that annotations were opened and changed. Each entry holds its number, what was done, by
whom and when, the SHA-256 of the entry before it, and the edit itself, compressed. So the entries
form a chain: none can be changed, left out or put in without breaking it. Order is by number; the
time is a label.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Final, get_args

import pyarrow as pa

from napari_her2.annotations.edits import Edit
from napari_her2.annotations.lossless import annotations_from_bytes, annotations_to_bytes
from napari_her2.annotations.store import Action
from napari_her2.errors import BadAnnotationsError, Her2Error
from napari_her2.results.append_log import AppendLog

__all__ = [
    "FORMAT",
    "START",
    "AnnotationJournal",
    "Entry",
    "Segment",
    "journal_name",
    "journals_in",
    "listed",
    "pack",
    "pack_edit",
    "read_header",
    "read_segment",
    "unpack",
    "unpack_edit",
    "unreadable",
]

FORMAT: Final = 1
"""Version of the files; grows when an older program could not read them."""

START: Final = "0" * 64
"""What the first entry has for the SHA-256 of the entry before it."""

_NAME: Final = re.compile(r"journal-\d{6,}-[0-9a-f]{8}\.bin")
_HEAD: Final = struct.Struct("<I")
_SIZE: Final = struct.Struct("<Q")
_CODEC: Final = pa.Codec("zstd", compression_level=1)
_MAX_PLAIN: Final = 4 << 30
_MAX_RATIO: Final = 1000


@dataclass(frozen=True, slots=True)
class Entry:
    """One action.

    Attributes
    ----------
    seq : int
        Its number, 1 for the first action on a slide.
    action : {"edit", "undo", "redo"}
        Whether the edit was new, taken back or done again.
    of : int
        Number of the entry that holds the edit; its own one for a new edit.
    label, author, time : str
        What it is called, who did it, and when (ISO 8601).
    removed, added : int
        How many annotations went and came.
    before : str
        SHA-256 of the entry before.
    body : bytes
        The edit, packed; empty for undo and redo.
    chain : str
        SHA-256 of this entry with all of the above.
    """

    seq: int
    action: Action
    of: int
    label: str
    author: str
    time: str
    removed: int
    added: int
    before: str
    body: bytes = field(repr=False)
    chain: str = ""

    @property
    def edit(self) -> Edit:
        """The edit of a new one; raises ValueError if it holds none."""
        return unpack_edit(self.label, self.body)

    def payload(self) -> bytes:
        """As it stands in the file."""
        head = {
            "seq": self.seq, "action": self.action, "of": self.of, "label": self.label,
            "author": self.author, "time": self.time, "removed": self.removed,
            "added": self.added, "before": self.before,
        }  # fmt: skip
        # Names may hold halves of surrogate pairs, which only an escape keeps.
        data = json.dumps(head).encode("ascii")
        return b"".join((_HEAD.pack(len(data)), data, self.body))

    def sealed(self) -> Entry:
        """The same with its SHA-256."""
        chain = hashlib.sha256(self.payload()).hexdigest()
        return Entry(
            self.seq, self.action, self.of, self.label, self.author, self.time, self.removed,
            self.added, self.before, self.body, chain,
        )  # fmt: skip


class AnnotationJournal(AppendLog[Entry]):
    """The journal of one session with the annotations of a slide."""

    magic: ClassVar[bytes] = b"HER2ANN1"

    @staticmethod
    def encode(batch: Entry, header: Mapping[str, Any]) -> bytes:
        """Turn an entry into a payload."""
        del header
        return batch.payload()

    @staticmethod
    def decode(payload: bytes, header: Mapping[str, Any]) -> Entry:
        """Turn a payload into an entry."""
        del header
        (length,) = _HEAD.unpack_from(payload)
        start = _HEAD.size + length
        head = json.loads(payload[_HEAD.size : start])
        action: Action = head["action"]
        if action not in get_args(Action):
            msg = f"no such action: {action}"
            raise ValueError(msg)
        return Entry(
            seq=int(head["seq"]),
            action=action,
            of=int(head["of"]),
            label=str(head["label"]),
            author=str(head["author"]),
            time=str(head["time"]),
            removed=int(head["removed"]),
            added=int(head["added"]),
            before=str(head["before"]),
            body=payload[start:],
            chain=hashlib.sha256(payload).hexdigest(),
        )

    @staticmethod
    def number(batch: Entry) -> int:
        """Number of an entry."""
        return batch.seq


@dataclass(frozen=True, slots=True)
class Segment:
    """What could be read of one journal.

    Attributes
    ----------
    path : Path
        The file.
    header : dict or None
        What slide it belongs to; None if the program ended before that was written.
    entries : tuple of Entry
        In the order of writing.
    unread : int
        Bytes at the end that are no whole entry: what a sudden end leaves.
    """

    path: Path
    header: dict[str, Any] | None
    entries: tuple[Entry, ...]
    unread: int


def read_segment(path: Path) -> Segment:
    """Read a journal without changing it.

    Raises
    ------
    BadAnnotationsError
        ``annotations_damaged`` if it is none, ``annotations_newer`` if it is of a newer version of
        this program, ``annotations_unreadable`` if the disk does not give it.
    """
    try:
        header, entries, good = AnnotationJournal.replay(path)
        size = path.stat().st_size
    except OSError as e:
        raise unreadable(path, e) from None
    except (ValueError, KeyError, TypeError, RecursionError, struct.error, Her2Error):
        raise BadAnnotationsError("annotations_damaged", name=path.name) from None
    if header is not None and header.get("format", FORMAT) > FORMAT:
        raise BadAnnotationsError("annotations_newer", name=path.name)
    return Segment(path, header, tuple(entries), size - good)


def read_header(path: Path) -> dict[str, Any] | None:
    """What slide a journal belongs to, without reading it all; None if that can't be told."""
    try:
        return AnnotationJournal.read_header(path)
    except (OSError, ValueError, RecursionError):
        return None


def journal_name(number: int, token: str) -> str:
    """Name of the journal of a session; the token keeps two programs from meeting."""
    return f"journal-{number:06d}-{token}.bin"


def journals_in(folder: Path) -> list[Path]:
    """The journals of a folder, oldest session first; see :func:`listed` for what it raises."""
    return listed(folder, _NAME)


def listed(folder: Path, name: re.Pattern[str]) -> list[Path]:
    """The files of a folder whose names match, sorted; none where there is no folder.

    Raises
    ------
    BadAnnotationsError
        If the folder is there and can't be read: an empty list would look like "nothing drawn".
    """
    try:
        return sorted(p for p in folder.iterdir() if name.fullmatch(p.name))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as e:
        raise unreadable(folder, e) from None


def unreadable(path: Path, e: OSError) -> BadAnnotationsError:
    """The sentence on what the disk does not give."""
    return BadAnnotationsError(
        "annotations_unreadable", name=path.name, reason=e.strerror or type(e).__name__
    )


def pack(data: bytes) -> bytes:
    """Compressed, with its length before it."""
    return _SIZE.pack(len(data)) + bytes(_CODEC.compress(data, asbytes=True))


def unpack(data: bytes) -> bytes:
    """What :func:`pack` was given; raises ValueError if it is something else."""
    try:
        (size,) = _SIZE.unpack_from(data)
        # Before memory is taken: a damaged or hostile length must not cost more than the file.
        if size > min(_MAX_PLAIN, (1 << 20) + _MAX_RATIO * len(data)):
            msg = "too long"
            raise ValueError(msg)
        return bytes(_CODEC.decompress(data[_SIZE.size :], decompressed_size=size, asbytes=True))
    except (struct.error, OSError, pa.ArrowException) as e:
        msg = f"not what was packed: {e}"
        raise ValueError(msg) from None


def pack_edit(edit: Edit) -> bytes:
    """An edit as the body of an entry, which tells its label."""
    removed = annotations_to_bytes(edit.removed)
    return pack(_SIZE.pack(len(removed)) + removed + annotations_to_bytes(edit.added))


def unpack_edit(label: str, body: bytes) -> Edit:
    """The edit of :func:`pack_edit`; raises ValueError if it is none."""
    data = unpack(body)
    if len(data) < _SIZE.size:
        msg = "not an edit"
        raise ValueError(msg)
    end = _SIZE.size + _SIZE.unpack_from(data)[0]
    return Edit(
        label, annotations_from_bytes(data[_SIZE.size : end]), annotations_from_bytes(data[end:])
    )
