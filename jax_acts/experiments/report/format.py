"""Numbers, intervals, p-values and lists as text."""

from collections.abc import Sequence


def join(words: Sequence[str]) -> str:
    """Return the words as a list in a sentence.

    >>> join(["relu", "gelu", "silu"])
    'relu, gelu and silu'
    """
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def number(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Return a fixed-point number with a minus sign; "–" of None and NaN.

    >>> number(-1.25, 1), number(0.5, 2, sign=True), number(float("nan"))
    ('−1.2', '+0.50', '–')
    """
    if value is None or value != value:
        return "–"
    text = f"{value:{'+' if sign else ''},.{digits}f}"
    if not any(digit in text for digit in "123456789"):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def interval(low: float, high: float, digits: int = 2, *, sign: bool = False) -> str:
    """Return an interval, or nothing where it is not known.

    >>> interval(92.52, 97.48), interval(float("nan"), float("nan"))
    ('[92.52, 97.48]', '')
    """
    ends = [number(end, digits, sign=sign) for end in (low, high)]
    return "" if "–" in ends else f"[{', '.join(ends)}]"


def p_value(p: float) -> str:
    """Return a p-value with two significant digits.

    >>> p_value(0.0123), p_value(0.00001), p_value(1.0)
    ('0.012', '< 0.001', '1')
    """
    if p != p:
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.2g}"


def effect_size(d: float) -> str:
    """Return Cohen's d; beyond 99 the differences are merely almost equal.

    >>> effect_size(1.234), effect_size(float("-inf"))
    ('1.23', '< −99')
    """
    if abs(d) > 99:
        return "> 99" if d > 0 else "< −99"
    return number(d)
