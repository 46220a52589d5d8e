"""Line charts as SVG, light or dark as the page around them. Pure."""

from collections.abc import Sequence
from html import escape
from math import ceil, floor, log10
from typing import NamedTuple

WIDTH, HEIGHT = 860, 230
LEFT, RIGHT, TOP, BOTTOM = 56, 30, 40, 34
COLOURS = ("#2f6fed", "#e4572e", "#17936b", "#8a5cd6", "#c58b00", "#7b8794")
HEAD = (
    'xmlns="http://www.w3.org/2000/svg" font-family="system-ui, sans-serif" font-size="12"'
    ' role="img"'
)
STYLE = (
    "<style>.ink{fill:#1f2933}.faint{stroke:#d9dee4}.card{fill:#fff}"
    "@media(prefers-color-scheme:dark){.ink{fill:#e4e7eb}.faint{stroke:#3b4754}"
    ".card{fill:#161c23}}</style>"
)
TICKS = 4


class Line(NamedTuple):
    """Points by time; a value of None is a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


def chart(
    title: str,
    unit: str,
    lines: Sequence[Line],
    *,
    x_unit: str = "s",
    marks: Sequence[tuple[float, str]] = (),
) -> str:
    """An SVG of its own: the lines over one time axis, from zero up; `marks` say when what was."""
    known = [(x, y) for line in lines for x, y in line.points if y is not None]
    right = max((x for x, _ in known), default=1.0) or 1.0
    top = _round_up(max((y for _, y in known), default=1.0) or 1.0)
    width, height = WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM
    parts = [
        f'<svg {HEAD} viewBox="0 0 {WIDTH} {HEIGHT}">',
        f"<title>{escape(title)}</title>{STYLE}",
        f'<rect class="card" width="{WIDTH}" height="{HEIGHT}" rx="8"/>',
        _text(LEFT, 20, f"{title}, {unit}" if unit else title, weight=600),
    ]
    for tick in range(TICKS + 1):
        y = TOP + height * (1 - tick / TICKS)
        parts.append(f'<path class="faint" d="M{LEFT} {y:.1f}h{width}"/>')
        parts.append(_text(LEFT - 8, y + 4, f"{top * tick / TICKS:g}", anchor="end"))
        x = LEFT + width * tick / TICKS
        parts.append(_text(x, HEIGHT - 12, f"{right * tick / TICKS:.3g} {x_unit}", anchor="middle"))
    for x, name in marks:
        left = LEFT + width * x / right
        parts.append(f'<path class="faint" d="M{left:.1f} {TOP}v{height}" stroke-dasharray="3 3">')
        parts.append(f"<title>{escape(name)}</title></path>")
    at = WIDTH - RIGHT
    for line, colour in reversed(list(zip(lines, COLOURS * len(lines), strict=False))):
        path = ""
        for x, y, gap in _drawn(line.points):
            path += f"{'M' if gap else 'L'}{LEFT + width * x / right:.1f}"
            path += f" {TOP + height * (1 - y / top):.1f}"
        parts.append(f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6"/>')
        parts.append(_text(at, 20, line.name, anchor="end"))
        at -= 7 * len(line.name) + 8
        parts.append(f'<rect x="{at - 8}" y="11" width="10" height="10" rx="2" fill="{colour}"/>')
        at -= 22
    return "\n".join([*parts, "</svg>"])


def _drawn(
    points: Sequence[tuple[float, float | None]],
) -> Sequence[tuple[float, float, bool]]:
    """The points that are known, and whether a gap comes before each."""
    found, gap = [], True
    for x, y in points:
        if y is not None:
            found.append((x, y, gap))
        gap = y is None
    return found


def _round_up(value: float) -> float:
    """The next of 1, 2, 4, 5 or 8 times a power of ten."""
    power = 10.0 ** floor(log10(value))
    return next((step * power for step in (1, 2, 4, 5, 8) if value <= step * power), 10 * power)


def _text(x: float, y: float, text: str, *, anchor: str = "start", weight: int = 400) -> str:
    return (
        f'<text class="ink" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"'
        f' font-weight="{weight}">{escape(text)}</text>'
    )


def shares(values: Sequence[float], steps: int = 100) -> list[tuple[float, float | None]]:
    """How large a share (0 to 100) of the values is at most so large: a distribution to draw."""
    ordered = sorted(values)
    if not ordered:
        return []
    last = len(ordered) - 1
    return [
        (ordered[ceil(last * step / steps)], 100.0 * (ceil(last * step / steps) + 1) / (last + 1))
        for step in range(steps + 1)
    ]
