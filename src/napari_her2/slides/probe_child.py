"""The child process of :mod:`napari_her2.slides.probe`: opens what it is told to, and says how.

One JSON string (a path) per line comes in, one JSON object per line goes out.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

__all__ = ["main"]

_SIDE = 64


def attempt(path: Path) -> dict[str, object]:
    """Open a slide and read the first pixels of each stored level."""
    from napari_her2.errors import Her2Error
    from napari_her2.slides.backend import BackendSlide
    from napari_her2.slides.opening import open_slide

    try:
        with open_slide(path) as slide:
            stored = slide.stored_levels if isinstance(slide, BackendSlide) else 1
            # Plain images decode whole; their size was checked and they are read only when asked.
            for level in slide.levels[: stored if slide.info.backend != "image" else 0]:
                slide.read(level.index, 0, 0, min(_SIDE, level.width), min(_SIDE, level.height))
    except Her2Error as e:
        slots = {k: str(v) for k, v in e.slots.items()}
        return {"ok": False, "error": type(e).__name__, "id": e.message_id, "slots": slots}
    except MemoryError:
        reason = "opening it needs too much memory"
        slots = {"name": path.name, "reason": reason}
        return {"ok": False, "error": "NotASlideError", "id": "damaged_slide", "slots": slots}
    return {"ok": True}


def main() -> None:
    """Serve until the input closes, which it does when the parent ends."""
    limit = int(sys.argv[1]) if len(sys.argv) > 1 else 2 * 2**30
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    # Libraries may write to standard output; answers go to a copy that only this module knows.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    with contextlib.suppress(ImportError):
        from napari_her2.slides import openslide_backend  # noqa: F401 - warms the imports
    _say(out, {"ok": True})
    for line in sys.stdin.buffer:
        _say(out, attempt(Path(json.loads(line))))


def _say(out: object, answer: dict[str, object]) -> None:
    out.write(json.dumps(answer).encode() + b"\n")  # type: ignore[attr-defined]
    out.flush()  # type: ignore[attr-defined]


if __name__ == "__main__":
    main()
