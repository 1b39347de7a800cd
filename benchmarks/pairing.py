"""Candidates take turns; what counts is the median of the ratios within each round.

Rates on a shared machine move by a factor of two between runs; the ratio of two candidates that
took turns in the same minute does not.
"""

from __future__ import annotations

import json
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil

__all__ = ["Row", "compare", "machine", "paired", "report"]


@dataclass(frozen=True)
class Row:
    """One comparison: both medians, the median paired ratio ours / peer, and whether it holds.

    ``limit`` is what the ratio must not be above; ``least`` what it must not be below.
    """

    name: str
    value: float
    unit: str
    peer: str
    peer_value: float
    ratio: float
    ratios: tuple[float, ...]
    limit: float | None
    least: float | None
    ok: bool


def paired(
    name: str,
    ours: Callable[[], object],
    peer: str,
    theirs: Callable[[], object],
    *,
    rounds: int,
    limit: float,
) -> Row:
    """Time two functions in turn, once each to warm up, the first one changing with the rounds."""
    seconds: tuple[list[float], list[float]] = ([], [])
    for i in range(rounds + 1):
        for which in (0, 1) if i % 2 else (1, 0):
            start = time.perf_counter()
            (ours, theirs)[which]()
            if i:
                seconds[which].append(1e3 * (time.perf_counter() - start))
    ratios = [a / b for a, b in zip(*seconds, strict=True)]
    return compare(name, seconds[0], peer, seconds[1], ratios, unit="ms", limit=limit)


def compare(
    name: str,
    ours: Sequence[float],
    peer: str,
    theirs: Sequence[float],
    ratios: Sequence[float],
    *,
    unit: str,
    limit: float | None = None,
    least: float | None = None,
) -> Row:
    """Sum up figures that were taken in turns."""
    ratio = statistics.median(ratios)
    ok = (limit is None or ratio <= limit) and (least is None or ratio >= least)
    return Row(
        name, round(statistics.median(ours), 4), unit, peer, round(statistics.median(theirs), 4),
        round(ratio, 3), tuple(round(r, 3) for r in ratios), limit, least, ok,
    )  # fmt: skip


def report(rows: Sequence[Row], path: Path | None = None) -> int:
    """Print the rows; write them as JSON if asked to. 0 if all hold."""
    for r in rows:
        wanted = f"<= {r.limit}" if r.limit is not None else f">= {r.least}"
        sys.stdout.write(
            f"{'ok  ' if r.ok else 'FAIL'} {r.name}: {r.value:g} {r.unit}, {r.peer} "
            f"{r.peer_value:g} {r.unit}, ratio {r.ratio:g} (wanted {wanted})\n"
        )
    if path is not None:
        # Here, because the peer's environment imports this module without having our package.
        from napari_her2.provenance import now, software

        document = {
            "rows": [asdict(r) for r in rows],
            "machine": machine(),
            "software": software(),
            "date": now(),
        }
        path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    return 0 if all(r.ok for r in rows) else 1


def machine() -> dict[str, object]:
    """What the figures were taken on, and how busy it was."""
    return {
        "processor": platform.processor() or platform.machine(),
        "cores": psutil.cpu_count(logical=True),
        "load": [round(x, 2) for x in psutil.getloadavg()],
    }
