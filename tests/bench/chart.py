"""The chart for the README, drawn from a stored result. Pure."""

from collections.abc import Callable, Sequence
from html import escape
from math import ceil, log10
from typing import NamedTuple

from tests.bench.paths import DEFLATE, LIVEGATE, NGINX, PROXY
from tests.bench.result import Result, Row

COLOURS = {NGINX: "#9aa5b1", PROXY: "#5b8def", DEFLATE: "#b9cdf7", LIVEGATE: "#e4572e"}
LABELS = {
    NGINX: "nginx",
    PROXY: "one process, no deflate",
    DEFLATE: "one process, deflate",
    LIVEGATE: "livegate: edge + Redis + worker",
}
WIDTH, HEIGHT, MARGIN = 860, 330, 24
TOP, BOTTOM, GAP = 84, 278, 46
INK, FAINT = "#1f2933", "#d9dee4"
TICKS = 4
HEAD = (
    'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="12"'
    ' role="img"'
)

LEAST_MS = 0.1
"""Where the axis of a latency begins: it is logarithmic, for what is too slow is so by far."""

Figure = Callable[[Row], float]


class Axis(NamedTuple):
    """The numbers beside it, and how high a value is, from 0 to 1."""

    ticks: list[float]
    height: Callable[[float], float]


def linear(most: float) -> Axis:
    """From zero."""
    top = scale(most)
    return Axis([top * tick / TICKS for tick in range(TICKS + 1)], lambda value: value / top)


def logarithmic(most: float) -> Axis:
    """In decades from `LEAST_MS`; what is less has no height."""
    decades = max(1, ceil(log10(max(most, LEAST_MS) / LEAST_MS)))
    return Axis(
        [LEAST_MS * 10**tick for tick in range(decades + 1)],
        lambda value: log10(max(value, LEAST_MS) / LEAST_MS) / decades,
    )


PANELS: tuple[tuple[str, Callable[[float], Axis], Figure], ...] = (
    ("CPU a frame, µs", linear, lambda row: row.cpu_total_us),
    ("added latency, median, ms", logarithmic, lambda row: row.added.p50 if row.added else 0.0),
    ("added latency, p99, ms", logarithmic, lambda row: row.added.p99 if row.added else 0.0),
)


def draw(result: Result) -> str:
    """An SVG on a white card: three panels, a group of bars for each number of sessions."""
    rows = [row for row in result.rows if row.path in COLOURS]
    width = (WIDTH - 2 * MARGIN - GAP * (len(PANELS) - 1)) / len(PANELS)
    parts = [
        f'<svg {HEAD} viewBox="0 0 {WIDTH} {HEIGHT}">',
        "<title>What each way to carry the same sessions costs and adds</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" rx="8" fill="#fff"/>',
        *_legend(),
    ]
    for number, (title, axis, figure) in enumerate(PANELS):
        left = MARGIN + number * (width + GAP)
        ruler = axis(max((figure(row) for row in rows), default=1.0))
        parts.append(_text(left, TOP - 20, title, weight="600"))
        parts += _panel(rows, ruler, figure, left, width)
    machine = result.machine
    note = f"{machine.get('cores', '?')} cores, {machine.get('cpu', 'unknown processor')}; 100 ms"
    parts.append(_text(MARGIN, HEIGHT - 12, f"{note} chunks both ways; by the number of sessions"))
    return "\n".join([*parts, "</svg>", ""])


def _legend() -> list[str]:
    parts, x = [], float(MARGIN)
    for path, colour in COLOURS.items():
        parts.append(f'<rect x="{x:.0f}" y="20" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(_text(x + 18, 30, LABELS[path]))
        x += 44 + 6.4 * len(LABELS[path])
    return parts


def _panel(rows: Sequence[Row], axis: Axis, figure: Figure, left: float, width: float) -> list[str]:
    parts = []
    for tick in axis.ticks:
        y = BOTTOM - (BOTTOM - TOP) * axis.height(tick)
        parts.append(
            f'<line x1="{left + 26:.0f}" x2="{left + width:.0f}" y1="{y:.1f}" y2="{y:.1f}"'
            f' stroke="{FAINT}"/>'
        )
        parts.append(_text(left + 22, y + 4, f"{tick:g}", anchor="end"))
    counts = sorted({row.sessions for row in rows})
    group = (width - 26) / max(1, len(counts))
    bar = group * 0.84 / len(COLOURS)
    for place, sessions in enumerate(counts):
        begin = left + 26 + place * group + group * 0.08
        here = {row.path: figure(row) for row in rows if row.sessions == sessions}
        for slot, (path, colour) in enumerate(COLOURS.items()):
            height = (BOTTOM - TOP) * axis.height(here.get(path, 0.0))
            parts.append(
                f'<rect x="{begin + slot * bar:.1f}" y="{BOTTOM - height:.1f}"'
                f' width="{bar - 1:.1f}" height="{height:.1f}" fill="{colour}">'
                f"<title>{escape(LABELS[path])}, {sessions} sessions:"
                f" {here.get(path, 0.0):.3g}</title></rect>"
            )
        parts.append(_text(begin + group * 0.42, BOTTOM + 16, f"{sessions}", anchor="middle"))
    return parts


def scale(most: float) -> float:
    """The end of an axis that `most` fits on: four equal steps of round numbers."""
    if most <= 0:
        return 1.0
    step = 10.0 ** ceil(log10(most / TICKS))
    parts = (0.1, 0.2, 0.25, 0.5, 1.0)
    return TICKS * next((step * part for part in parts if TICKS * step * part >= most), step)


def _text(x: float, y: float, text: str, anchor: str = "start", weight: str = "400") -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" fill="{INK}" text-anchor="{anchor}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )
