"""Charts as inline SVG. Colours are classes of the page, so that they follow light and dark."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

CELL = 17
"""Width of a heat map's cell, in pixels."""


def bar(value: float | None, low: float | None, high: float | None, top: float, marks: Sequence[float] = ()) -> Markup:
    """One horizontal bar with its interval; it is stretched to whatever width it gets.

    Args:
        value: Length of the bar, from 0 to `top`; None draws none.
        low: Beginning of the interval, None for no interval.
        high: Its end.
        top: The value at the right end.
        marks: Values to mark with a dashed line.
    """
    at = lambda x: f"{100 * min(max(x / top, 0), 1):.2f}"
    parts = [Markup('<svg class="track" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">')]
    parts.append(Markup('<rect class="ground" width="100" height="12"/>'))
    if value is not None:
        parts.append(Markup('<rect class="bar" y="1.5" width="{}" height="9"/>').format(at(value)))
    parts += [Markup('<line class="mark" x1="{0}" x2="{0}" y1="0" y2="12"/>').format(at(mark)) for mark in marks]
    if low is not None and high is not None:
        whisker = '<path class="whisker" d="M{0} 6H{1}M{0} 3.5V8.5M{1} 3.5V8.5"/>'
        parts.append(Markup(whisker).format(at(low), at(high)))
    return Markup("").join([*parts, Markup("</svg>")])


def difference(value: float, low: float, high: float, reach: float) -> Markup:
    """A point with its interval on a scale from -reach to reach, zero in the middle."""
    at = lambda x: f"{50 + 50 * min(max(x / reach, -1), 1):.2f}"
    return Markup(
        '<svg class="track" viewBox="0 0 100 12" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="ground" width="100" height="12"/><line class="zero" x1="50" x2="50" y1="0" y2="12"/>'
        '<path class="whisker" d="M{low} 6H{high}M{low} 3V9M{high} 3V9"/>'
        '<path class="point" d="M{value} 2V10"/></svg>'
    ).format(low=at(low), high=at(high), value=at(value))


def heat_map(rows: Sequence[str], columns: Sequence[str], counts: Sequence[Sequence[int]], cell: int = CELL) -> Markup:
    """A confusion matrix: colour is the share of a row, the number is the count.

    Args:
        rows: Labels that should have come out.
        columns: Labels that came out.
        counts: One list a row.
        cell: Width of a cell, in pixels.
    """
    left, head = 12 + 6.2 * max(map(len, rows)), 14 + 4.8 * max(map(len, columns))
    width, height = left + cell * len(columns) + 3.2 * max(map(len, columns)), head + cell * len(rows) + 4
    parts = [
        Markup('<svg class="heat" width="{0:.0f}" height="{1:.0f}" viewBox="0 0 {0:.0f} {1:.0f}" role="img">').format(
            width, height
        )
    ]
    for x, name in enumerate(columns):
        place = f"translate({left + cell * (x + 0.55):.1f} {head - 6:.1f}) rotate(-50)"
        parts.append(Markup('<text transform="{}">{}</text>').format(place, name))
    for y, name in enumerate(rows):
        top = head + cell * y
        parts.append(
            Markup('<text class="end" x="{:.1f}" y="{:.1f}" dy="3.5">{}</text>').format(left - 6, top + cell / 2, name)
        )
        parts.append(_heat_row(name, columns, counts[y], left, top, cell))
    return Markup("").join([*parts, Markup("</svg>")])


@dataclass(frozen=True)
class Bin:
    """Predictions of about the same confidence."""

    confidence: float
    """Mean."""
    accuracy: float
    low: float
    high: float
    n: int


def calibration(bins: Sequence[Bin]) -> Markup:
    """How often predictions are right, by how sure they are: on the diagonal the two are the same."""
    side, left, top = 260, 44, 10
    x = lambda share: f"{left + side * share:.1f}"
    y = lambda share: f"{top + side * (1 - share):.1f}"
    most = max((b.n for b in bins), default=1)
    parts = [Markup('<svg class="calibration" viewBox="0 0 330 320" role="img">')]
    for tick in (0, 0.25, 0.5, 0.75, 1):
        parts.append(
            Markup('<line class="grid" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(x(0), x(1), y(tick), y(tick))
        )
        parts.append(
            Markup('<text class="end" x="{}" y="{}" dy="4">{:.0f}</text>').format(left - 6, y(tick), 100 * tick)
        )
        parts.append(
            Markup('<text class="mid" x="{}" y="{}">{:.0f}</text>').format(x(tick), top + side + 16, 100 * tick)
        )
    parts.append(Markup('<line class="mark" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(x(0), y(0), x(1), y(1)))
    for b in bins:
        parts.append(
            Markup(
                '<g><title>sure: {:.1%}, right: {:.1%}, n = {:,}</title><path class="whisker" d="M{} {}V{}"/>'
                '<circle class="dot" cx="{}" cy="{}" r="{:.1f}"/></g>'
            ).format(
                b.confidence, b.accuracy, b.n, x(b.confidence), y(b.low), y(b.high),
                x(b.confidence), y(b.accuracy), 3 + 7 * (b.n / most) ** 0.5,
            )
        )  # fmt: skip
    parts.append(Markup('<text class="mid" x="{}" y="{}">how sure (%)</text>').format(x(0.5), top + side + 36))
    parts.append(
        Markup('<text class="mid" transform="translate(12 {}) rotate(-90)">how often right (%)</text>').format(y(0.5))
    )
    return Markup("").join([*parts, Markup("</svg>")])


def _heat_row(name: str, columns: Sequence[str], counts: Sequence[int], left: float, top: float, cell: int) -> Markup:
    total = sum(counts)
    parts = []
    for i, (column, n) in enumerate(zip(columns, counts, strict=True)):
        x = left + cell * i
        place = Markup('x="{:.1f}" y="{:.1f}" width="{}" height="{}"').format(x, top, cell - 1, cell - 1)
        parts.append(Markup('<rect class="{}" {}/>').format("cell right" if column == name else "cell", place))
        if not n:
            continue
        strength = (n / total) ** 0.5
        # Which of the two ink colours is read better on this cell.
        ink = "count on" if strength > 0.6 else "count"
        parts.append(
            Markup(
                '<g><title>{}: {:,} times {} ({:.0%})</title><rect class="fill" fill-opacity="{:.2f}" {}/>'
                '<text class="{}" x="{:.1f}" y="{:.1f}" dy="3">{}</text></g>'
            ).format(name, n, column, n / total, strength, place, ink, x + (cell - 1) / 2, top + (cell - 1) / 2, n)
        )
    return Markup("").join(parts)
