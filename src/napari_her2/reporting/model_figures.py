"""The pictures of a test as drawings (SVG) and as tables: page and dock export the same."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from napari_her2.layers.colours import CELL_CLASSES, CONCEPTS, REGIONS, STATUS
from napari_her2.training.curves import Curve
from napari_her2.training.evaluation import Evaluation

__all__ = [
    "FIGURES",
    "class_colour",
    "estimate_text",
    "figure_csv",
    "figure_rows",
    "figure_svg",
    "history_svg",
    "plain_cell",
]

FIGURES: Final = ("matrix", "roc", "pr", "mcc_f1", "calibration")
"""Pictures of a test."""

_KNOWN: Final = {k.lower(): v for k, v in {**CELL_CLASSES, **REGIONS, **CONCEPTS}.items()}
_OTHERS: Final = tuple(CELL_CLASSES.values())
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")
_SIDE, _LEFT, _TOP, _FOOT = 260, 56, 14, 44
_INK: Final = "#202020"
_FAINT: Final = "#d0d0d0"


def class_colour(name: str, index: int = 0) -> str:
    """The colour of a class: that of its regions and cells, else one of the seven in turn."""
    return _KNOWN.get(name.lower(), _OTHERS[index % len(_OTHERS)])


def estimate_text(value: float | None, ci95: Sequence[float] | None = None) -> str:
    """Write a figure as ``0.78 (0.74–0.82)``; a dash where it is undefined."""
    if value is None:
        return "–"
    if ci95 is None:
        return f"{value:.2f}"
    return f"{value:.2f} ({ci95[0]:.2f}–{ci95[1]:.2f})"


# ---- tables


def figure_rows(evaluation: Evaluation, figure: str) -> list[list[Any]]:
    """A picture as a table, its header first.

    Parameters
    ----------
    evaluation : Evaluation
        The test.
    figure : str
        One of :data:`FIGURES`, or ``metrics``.

    Raises
    ------
    KeyError
        For any other.
    """
    return _TABLES[figure](evaluation)


def figure_csv(evaluation: Evaluation, figure: str) -> str:
    """The same as text of a CSV file: a point for decimals, no marks between thousands."""
    out = io.StringIO()
    rows = [[plain_cell(v) for v in row] for row in figure_rows(evaluation, figure)]
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def plain_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def _matrix_rows(e: Evaluation) -> list[list[Any]]:
    names = e.class_names
    counts: list[list[int]] = e.confusion.tolist()
    return [["true \\ called", *names], *([n, *row] for n, row in zip(names, counts, strict=True))]


def _curve_rows(name: str, x: str, y: str) -> Callable[[Evaluation], list[list[Any]]]:
    def rows(e: Evaluation) -> list[list[Any]]:
        found: list[list[Any]] = [["class", x, y, "threshold"]]
        for c in e.classes:
            curve: Curve | None = getattr(c, name)
            if curve is not None:
                found += [
                    [c.name, *point]
                    for point in zip(
                        curve.x.tolist(), curve.y.tolist(), curve.threshold.tolist(), strict=True
                    )
                ]
        return found

    return rows


def _calibration_rows(e: Evaluation) -> list[list[Any]]:
    header = ["from", "to", "n", "mean probability", "share right"]
    return [header, *([b.low, b.high, b.n, b.confidence, b.right] for b in e.calibration)]


def _metric_rows(e: Evaluation) -> list[list[Any]]:
    rows: list[list[Any]] = [["figure", "value", "low 95 %", "high 95 %", "n"]]
    for name, v in e.metrics().items():
        rows.append([name, v.value, *(v.ci95 or (None, None)), e.n])
    return rows


_TABLES: Final[Mapping[str, Callable[[Evaluation], list[list[Any]]]]] = {
    "matrix": _matrix_rows,
    "roc": _curve_rows("roc", "1 - specificity", "sensitivity"),
    "pr": _curve_rows("pr", "recall", "precision"),
    "mcc_f1": _curve_rows("mcc_f1", "F1", "MCC, scaled to 0 to 1"),
    "calibration": _calibration_rows,
    "metrics": _metric_rows,
}


# ---- drawings


def figure_svg(evaluation: Evaluation, figure: str) -> str:
    """A picture as an SVG document that stands alone.

    Parameters
    ----------
    evaluation : Evaluation
        The test.
    figure : str
        One of :data:`FIGURES`.

    Raises
    ------
    KeyError
        For any other.
    """
    return _DRAWINGS[figure](evaluation)


def _matrix_svg(e: Evaluation) -> str:
    k, names = len(e.classes), e.class_names
    cell = max(30, min(56, 392 // k))
    left = 14 + 7 * max(len(n) for n in names)
    width, height = left + k * cell + 12, 60 + k * cell + 7 * max(len(n) for n in names)
    parts = [_text(left + k * cell / 2, 14, "class called", "middle")]
    for i, row in enumerate(e.confusion.tolist()):
        total = sum(row) or 1
        parts.append(_text(left - 6, 24 + (i + 0.5) * cell + 4, names[i], "end"))
        for j, count in enumerate(row):
            share = count / total
            x, y = left + j * cell, 24 + i * cell
            fill = f"rgb({round(255 - 224 * share)},{round(255 - 160 * share)},255)"
            ink = "#ffffff" if share > 0.6 else _INK
            title = f"{names[i]} called {names[j]}: {count} of {sum(row)}"
            parts += [
                (
                    f'<rect x="{x}" y="{y}" width="{cell}" height="{cell}" fill="{fill}" '
                    f'stroke="{_FAINT}"><title>{_safe(title)}</title></rect>'
                ),
                _text(x + cell / 2, y + cell / 2 + 4, f"{count}", "middle", ink),
            ]
    for j, name in enumerate(names):
        at, foot = left + (j + 0.5) * cell + 4, 34 + k * cell
        parts.append(
            f'<text transform="translate({at:.1f} {foot}) rotate(90)">{_safe(name)}</text>'
        )
    return _document(width, height, "Confusion matrix: rows the truth", parts)


def _curve_svg(
    name: str, title: str, x: str, y: str, area: str | None
) -> Callable[[Evaluation], str]:
    def draw(e: Evaluation) -> str:
        parts = _axes(x, y)
        if name == "roc":
            parts.append(_line([(0, 0), (1, 1)], _FAINT, 1, dash="4 3"))
        legend = []
        for i, c in enumerate(e.classes):
            curve: Curve | None = getattr(c, name)
            if curve is None:
                legend.append((class_colour(c.name, i), f"{c.name}: no figure"))
                continue
            points = list(zip(curve.x.tolist(), curve.y.tolist(), strict=True))
            # Yellow can't be seen on white: every line has a dark one under it.
            parts.append(_line(points, _INK, 3.4))
            parts.append(_line(points, class_colour(c.name, i), 2))
            value = getattr(c, area) if area else None
            said = "" if value is None else f" {estimate_text(value.value, value.ci95)}"
            legend.append((class_colour(c.name, i), f"{c.name}{said}"))
        return _with_legend(parts, legend, title)

    return draw


def _calibration_svg(e: Evaluation) -> str:
    parts = [
        *_axes("mean probability of the class called", "share right"),
        _line([(0, 0), (1, 1)], _FAINT, 1, dash="4 3"),
    ]
    most = max((b.n for b in e.calibration), default=0) or 1
    points = []
    for b in e.calibration:
        if not b.n or b.confidence is None or b.right is None:
            continue
        x, y = _at(b.low, 0)
        tall = 40 * b.n / most
        parts.append(
            f'<rect x="{x:.1f}" y="{y - tall:.1f}" width="{_SIDE * (b.high - b.low) - 1:.1f}" '
            f'height="{tall:.1f}" fill="{_FAINT}"><title>{b.n} predictions</title></rect>'
        )
        points.append((b.confidence, b.right, b.n))
    parts.append(_line([(p[0], p[1]) for p in points], STATUS["negative"], 2))
    for confidence, right, n in points:
        x, y = _at(confidence, right)
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{STATUS["negative"]}">'
            f"<title>probability {confidence:.2f}, right {right:.2f}, n = {n}</title></circle>"
        )
    said = f"calibration error {estimate_text(e.ece.value, e.ece.ci95)}"
    return _with_legend(parts, [(STATUS["negative"], said), (_FAINT, "predictions")], "Calibration")


_DRAWINGS: Final[Mapping[str, Callable[[Evaluation], str]]] = {
    "matrix": _matrix_svg,
    "roc": _curve_svg("roc", "ROC, one class against the rest", "1 - specificity", "sensitivity",
                      "auc"),
    "pr": _curve_svg("pr", "Precision and recall", "recall", "precision", "average_precision"),
    "mcc_f1": _curve_svg("mcc_f1", "MCC and F1 over all cuts", "F1", "MCC, 0 to 1", None),
    "calibration": _calibration_svg,
}  # fmt: skip


def history_svg(rows: Sequence[Mapping[str, Any]], series: Mapping[str, str]) -> str:
    """Loss and figures over the epochs.

    Parameters
    ----------
    rows : sequence of mapping
        One for each epoch, with ``epoch`` and the series' keys.
    series : mapping
        Key of a series and its colour; values between 0 and 1, except ``loss``, which is drawn as
        a share of its largest value.
    """
    parts = _axes("epoch", "")
    last = max((float(r["epoch"]) for r in rows), default=1.0) or 1.0
    for key, colour in series.items():
        points = [(float(r["epoch"]) / last, float(r[key])) for r in rows if r.get(key) is not None]
        if key == "loss" and points:
            top = max(y for _, y in points) or 1.0
            points = [(x, y / top) for x, y in points]
        parts.append(_line(points, colour, 2))
    legend = [(colour, "loss, share of largest" if k == "loss" else k)
              for k, colour in series.items()]  # fmt: skip
    return _with_legend(parts, legend, f"{len(rows)} epochs")


def _axes(x: str, y: str) -> list[str]:
    parts = []
    for tick in (0, 0.25, 0.5, 0.75, 1):
        left, top = _at(tick, tick)
        foot = _TOP + _SIDE
        parts += [
            f'<line x1="{left:.1f}" y1="{_TOP}" x2="{left:.1f}" y2="{foot}" stroke="#ececec"/>',
            (
                f'<line x1="{_LEFT}" y1="{top:.1f}" x2="{_LEFT + _SIDE}" y2="{top:.1f}" '
                'stroke="#ececec"/>'
            ),
            _text(_LEFT - 6, top + 4, f"{tick:g}", "end"),
        ]
        if x != "epoch":
            parts.append(_text(left, foot + 16, f"{tick:g}", "middle"))
    parts.append(
        f'<rect x="{_LEFT}" y="{_TOP}" width="{_SIDE}" height="{_SIDE}" fill="none" '
        f'stroke="{_INK}"/>'
    )
    parts.append(_text(_LEFT + _SIDE / 2, _TOP + _SIDE + 34, x, "middle"))
    if y:
        parts.append(
            f'<text transform="translate(14 {_TOP + _SIDE / 2}) rotate(-90)" '
            f'text-anchor="middle">{_safe(y)}</text>'
        )
    return parts


def _at(x: float, y: float) -> tuple[float, float]:
    return _LEFT + _SIDE * x, _TOP + _SIDE * (1 - y)


def _line(points: Iterable[tuple[float, float]], colour: str, width: float, dash: str = "") -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (_at(*p) for p in points))
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}" '
        f'stroke-linejoin="round"{dashed}/>'
    )


def _with_legend(parts: list[str], legend: Sequence[tuple[str, str]], title: str) -> str:
    longest = max((len(text) for _, text in legend), default=0)
    width = max(_LEFT + _SIDE + 14, 40 + 7 * longest)
    foot = _TOP + _SIDE + _FOOT
    for i, (colour, text) in enumerate(legend):
        y = foot + 18 * i
        parts.append(
            f'<rect x="{_LEFT - 40}" y="{y}" width="12" height="12" fill="{colour}" '
            f'stroke="{_INK}" stroke-width="0.7"/>'
        )
        parts.append(_text(_LEFT - 22, y + 11, text))
    return _document(width, foot + 18 * len(legend) + 6, title, parts)


def _text(x: float, y: float, text: str, anchor: str = "start", ink: str = _INK) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{ink}">{_safe(text)}</text>'


def _document(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" '
        f'viewBox="0 0 {width:.0f} {height:.0f}" font-family="sans-serif" font-size="12" '
        f'role="img" aria-label="{_safe(title)}"><title>{_safe(title)}</title>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>{"".join(parts)}</svg>'
    )


def _safe(text: str) -> str:
    return html.escape(text, quote=True)
