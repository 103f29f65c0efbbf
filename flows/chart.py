"""Charts as SVG text, for the docs: lines over a logarithmic axis of powers of two."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

__all__ = ["Line", "chart"]

WIDTH, HEIGHT = 480, 320
LEFT, RIGHT, TOP, BOTTOM = 70, 20, 50, 50
COLOURS = ("#2f6fb7", "#c0504d", "#4d8f50", "#7a5195")


@dataclass(frozen=True)
class Line:
    """Points of one figure.

    Attributes
    ----------
    name : str
        For the legend.
    points : sequence of (float, float)
        Both coordinates greater than 0.
    """

    name: str
    points: Sequence[tuple[float, float]]


def chart(title: str, axis: str, lines: Sequence[Line]) -> str:
    """Draw lines with both axes logarithmic.

    Parameters
    ----------
    title
        Above.
    axis
        What the horizontal axis shows.
    lines
        At least one with at least one point.

    Returns
    -------
    str
        SVG, the same for the same lines.

    Examples
    --------
    >>> text = chart("Speed", "engines", [Line("images/s", [(1, 10), (2, 20)])])
    >>> text.startswith("<svg"), text.count("<circle")
    (True, 2)
    """
    xs = [x for line in lines for x, _ in line.points]
    ys = [y for line in lines for _, y in line.points]
    decades = range(math.floor(math.log10(min(ys))), math.ceil(math.log10(max(ys))) + 1)
    low, high = decades[0], max(decades[-1], decades[0] + 1)
    first, span = math.log2(min(xs)), math.log2(max(xs)) - math.log2(min(xs)) or 1

    def place(x: float, y: float) -> tuple[float, float]:
        across = (math.log2(x) - first) / span
        up = (math.log10(y) - low) / (high - low)
        return (
            round(LEFT + across * (WIDTH - LEFT - RIGHT), 1),
            round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM), 1),
        )

    style = 'font-family="sans-serif" font-size="12"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" {style}>',
        f"<title>{escape(title)}</title>",
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#ffffff"/>',
        _text(WIDTH / 2, 18, title, "middle", 'font-weight="bold"'),
    ]
    for power in range(low, high + 1):
        x, y = place(min(xs), 10.0**power)
        parts.append(f'<line x1="{x}" y1="{y}" x2="{WIDTH - RIGHT}" y2="{y}" stroke="#ddd"/>')
        parts.append(_text(x - 6, y + 4, f"{10.0**power:,g}" if power < 6 else f"1e{power}", "end"))
    for x_value in sorted(set(xs)):
        x, y = place(x_value, 10.0**low)
        parts.append(_text(x, y + 18, f"{x_value:g}", "middle"))
    parts.append(_text(WIDTH / 2, HEIGHT - 12, axis, "middle"))
    for n, line in enumerate(lines):
        colour = COLOURS[n % len(COLOURS)]
        spots = [place(x, y) for x, y in line.points]
        path = " ".join(f"{x},{y}" for x, y in spots)
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts += [f'<circle cx="{x}" cy="{y}" r="3.5" fill="{colour}"/>' for x, y in spots]
        x = LEFT + n * (WIDTH - LEFT) / len(lines)
        parts.append(f'<rect x="{x:g}" y="28" width="10" height="10" fill="{colour}"/>')
        parts.append(_text(x + 15, 37, line.name))
    return "\n".join([*parts, "</svg>"]) + "\n"


def _text(x: float, y: float, text: str, anchor: str = "start", more: str = "") -> str:
    style = f' text-anchor="{anchor}"' + (f" {more}" if more else "")
    return f'<text x="{x:g}" y="{y:g}"{style}>{escape(text)}</text>'
