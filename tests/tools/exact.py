"""Exact arithmetic in fractions, rounded to a floating-point format."""

import math
from fractions import Fraction

import ml_dtypes
import numpy as np

from tools.ptx.opcode import TYPES


def format_of(name: str) -> tuple[int, int, Fraction]:
    """Return the precision, the exponent of the least normal number and the maximum."""
    info = ml_dtypes.finfo(TYPES[name])
    return info.nmant + 1, int(info.minexp), Fraction(float(info.max))


def round_fraction(value: Fraction, name: str, mode: str = "rn") -> float:
    """Round an exact value to a format; a result of 0 has no sign."""
    precision, least, top = format_of(name)
    if value == 0:
        return 0.0
    size = abs(value)
    exponent = math.frexp(size.numerator / size.denominator)[1] - 1 if size else 0
    exponent += (size >= Fraction(2) ** (exponent + 1)) - (
        size < Fraction(2) ** exponent
    )
    quantum = Fraction(2) ** (max(exponent, least) - precision + 1)
    down = math.floor(value / quantum)
    rest = value / quantum - down
    up = {
        "rn": rest > Fraction(1, 2) or (rest == Fraction(1, 2) and down % 2 == 1),
        "rz": value < 0 and rest > 0,
        "rm": False,
        "rp": rest > 0,
    }[mode]
    result = (down + up) * quantum
    if abs(result) > top:
        inward = mode == "rz" or mode == ("rm" if value > 0 else "rp")
        return math.copysign(float(top) if inward else math.inf, value)
    return float(result)


def samples(name: str, count: int, seed: int = 0) -> np.ndarray:
    """Return numbers of a format: of random bits, near 1 and 0, and the extremes."""
    rng = np.random.default_rng(seed)
    dtype = TYPES[name]
    bits = rng.integers(0, 2 ** (8 * dtype.itemsize), count, np.uint64)
    info = ml_dtypes.finfo(dtype)
    special = [0.0, 1.0, -1.0, 1.5, float(info.tiny), float(info.max)]
    special += [float(info.smallest_subnormal), -float(info.smallest_subnormal)]
    wide = np.concatenate(
        [special, rng.normal(size=count), 1 + 2e-7 * rng.normal(size=9)]
    )
    xs = np.concatenate(
        [bits.astype(f"u{dtype.itemsize}").view(dtype), wide.astype(dtype)]
    )
    with np.errstate(invalid="ignore"):  # signaling NaNs
        return rng.permutation(xs[np.isfinite(xs.astype(np.float64))])


def random_integers(kind, count=500, seed=0):
    """Return integers of a type in random order, with the extremes."""
    info = np.iinfo(TYPES[kind])
    rng = np.random.default_rng(seed)
    xs = rng.integers(info.min, info.max, count, TYPES[kind], endpoint=True)
    xs[:4] = info.min, info.max, 0, 1
    return rng.permutation(xs)


def wrap(value, kind):
    """Return an integer modulo 2^width, in the range of the type."""
    width = int(kind[1:])
    value %= 2**width
    return value - 2**width if kind[0] == "s" and value >= 2 ** (width - 1) else value
