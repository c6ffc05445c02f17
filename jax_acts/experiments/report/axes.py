"""How the axes of a chart are scaled, and what stands at their marks."""

import math
from collections.abc import Sequence
from statistics import median

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, NullFormatter, NullLocator

PERCENT = (0, 20, 40, 50, 60, 70, 80, 85, 90, 92, 94, 96, 97, 98, 99, 99.5, 99.8)
"""Where marks may stand on an axis that is logarithmic in what is missing to 100."""

APART = 0.1
"""The part of an axis that two marks are apart at least: a number takes some 0.07."""

FEW = 7
"""So many values may all be marked."""


def plain(value: float, _: object = None) -> str:
    """Returns a number as marks have it.

    >>> plain(0.25), plain(2000.0)
    ('0.25', '2000')
    """
    return f"{value:g}"


def missing_to_100(axes: Axes) -> None:
    """Makes the x-axis logarithmic in what is missing to 100, from 100 on at 99.9."""
    scaled = lambda x: -np.log10(np.maximum(100 - np.asarray(x), 0.1))
    axes.set_xscale("function", functions=(scaled, lambda y: 100 - 10**-y))
    low, high = axes.get_xlim()
    within = [mark for mark in PERCENT if low <= mark <= high] or [low, high]
    _mark_some(axes, within, (low, high))
    axes.xaxis.set_major_formatter(plain)


def spaced(places: Sequence[float], apart: float) -> list[int]:
    """Returns which of the places, in their order, have room, from the last one on.

    >>> spaced([10, 11, 15, 20], apart=2)
    [1, 2, 3]
    """
    kept: list[int] = []
    for n in reversed(range(len(places))):
        if not kept or places[kept[-1]] - places[n] >= apart:
            kept.append(n)
    return kept[::-1]


def logarithmic(axes: Axes) -> None:
    """Makes the y-axis logarithmic, with plain numbers at its marks."""
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_formatter(plain)

    def minor(value: float, _: object) -> str:
        digit = round(value / 10 ** math.floor(math.log10(value)), 6)
        return plain(value) if high < 2 * low or digit in (2, 3, 5) else ""

    # In a range of less than two powers of ten there may be one large mark alone.
    axes.yaxis.set_minor_formatter(minor if high < 20 * low else NullFormatter())


def crowded(values: Sequence[float]) -> bool:
    """Returns whether most of the values, from 0 on, are in a tenth of their range.

    >>> crowded([0.0, 0.5, 1.0, 2.0, 20.0]), crowded([0.0, 1.0, 5.0])
    (True, False)
    """
    return min(values, default=-1) >= 0 and max(values) > 10 * median(values)


def along(axes: Axes, values: Sequence[float]) -> None:
    """Scales the x-axis for lines that have points there alone.

    It is logarithmic from 1 on where the small values would be too near each other.
    Its marks are some of the values where they are few, and else whole numbers where
    all of them are.
    """
    if crowded(values):
        axes.set_xscale("symlog", linthresh=1, linscale=1)
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(plain)
        _mark_some(axes, values, axes.get_xlim())
    elif values and all(float(value).is_integer() for value in values):
        if len(values) <= FEW:
            _mark_some(axes, values, axes.get_xlim())
        else:
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def _mark_some(axes: Axes, values: Sequence[float], ends: tuple[float, float]) -> None:
    """Puts marks at those of the values that have room between the ends."""
    place = lambda value: float(axes.transData.transform((value, 0))[0])
    apart = APART * (place(ends[1]) - place(ends[0]))
    kept = spaced([place(value) for value in values], apart)
    axes.set_xticks([values[n] for n in kept])


def room(axes: Axes, values: Sequence[float]) -> None:
    """Widens the x-axis where all values are equal, which has no scale of its own."""
    if values and max(values) - min(values) < 1e-9 * max(1, abs(max(values))):
        axes.set_xlim(values[0] - 0.05, values[0] + 1)
