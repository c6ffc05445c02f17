"""Writes `jax_acts/_coefficients.py`: the polynomials of `jax_acts._math`, fitted anew.

    python -m tools.coefficients

Each polynomial interpolates its function at Chebyshev nodes in 60 digits; its degree is
the least whose error, relative to the result it serves, is below a given power of two.
"""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath
import numpy as np

mp: Any = mpmath.mp  # which has most of its functions from its context
mp.dps = 60
mpf = mp.mpf
TARGET = Path(__file__).parents[1] / "jax_acts" / "_coefficients.py"
BITS = {"float32": 28, "float64": 57}
"""Polynomials are right to this many bits: an eighth of the last place of the dtype."""

HEADER = '''"""Written by `python -m tools.coefficients`; do not edit."""

from typing import NamedTuple


class Root(NamedTuple):
    """A zero of a function, and the polynomial that (x - zero) multiplies near it."""

    zero: dict[str, tuple[float, float]]
    factor: dict[str, tuple[float, ...]]

'''

Function = Callable[[Any], Any]


def fit(f: Function, low: Any, high: Any, weight: Function, bits: int) -> list[Any]:
    """Returns the shortest p with |p - f| weight < 2^-bits, lowest power first."""
    grid = [low + (high - low) * mpf(i) / 200 for i in range(201)]
    exact = [(x, f(x), weight(x)) for x in grid]
    for terms in range(3, 40):
        p = mp.chebyfit(f, [low, high], terms)
        if all(abs(mp.polyval(p, x) - y) * w < mpf(2) ** -bits for x, y, w in exact):
            return p[::-1]
    raise ValueError("no polynomial of degree below 40 is close enough")


def relative(f: Function) -> Function:
    """Returns the weight that makes the error of a fit to f relative to f."""
    return lambda x: 1 / abs(f(x))


def series(f: Function, at_zero: Any) -> Function:
    """Returns f with its limit where it cancels."""
    return lambda x: mpf(at_zero) if abs(x) < mpf(10) ** -25 else f(x)


def mills(a: Any) -> Any:
    """Returns the Mills ratio of the normal distribution, Φ(-a) / φ(a)."""
    return mp.sqrt(mp.pi / 2) * mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2))


def folded(f: Function, centre: int) -> Function:
    """Returns f(a) as a function of t = (a - centre) / (a + centre), in [-1, 1)."""
    return lambda t: f(centre * (1 + t) / (1 - t))


def polynomials() -> Iterator[tuple[str, str, dict[str, list[Any]]]]:
    """Yields name, meaning and coefficients of each polynomial."""

    def both(f: Function, low: Any, high: Any, weight: Function) -> Any:
        return {d: fit(f, mpf(low), mpf(high), weight, b) for d, b in BITS.items()}

    f = series(lambda r: (mp.expm1(r) - r) / r**2, 0.5)
    yield (
        "EXP",
        "(e^r - 1 - r) / r² on [-0.35, 0.35], which is ln(2) / 2 and some",
        both(f, -0.35, 0.35, lambda r: r**2),
    )
    f = series(lambda y: (2 * mp.atanh(y**0.5) - 2 * y**0.5) / y**1.5, mpf(2) / 3)
    yield (
        "LOG1P",
        "(2 atanh(s) - 2 s) / s³ in s² on [0, 1/9]",
        both(f, 0, mpf(1) / 9, lambda y: y / 2),
    )
    f = series(
        lambda y: mp.erf(mp.sqrt(y / 2)) / (2 * mp.sqrt(y)), 1 / mp.sqrt(2 * mp.pi)
    )
    yield (
        "PHI",
        "(Φ(x) - 1/2) / x in x² on [0, 1]",
        both(f, 0, 1, relative(f)),
    )


def roots() -> Iterator[tuple[str, str, Any, dict[str, list[Any]]]]:
    """Yields name, meaning, place and factor of each zero of a derivative."""
    for name, f, order, guess in (
        ("SILU_1", lambda x: x / (1 + mp.exp(-x)), 1, -1.278),
        ("SILU_2", lambda x: x / (1 + mp.exp(-x)), 2, 2.399),
    ):
        g = lambda x, f=f, order=order: mp.diff(f, x, order)
        zero = mp.findroot(g, guess)
        slope = mp.diff(f, zero, order + 1)
        factor = series(lambda d, g=g, zero=zero: g(zero + d) / d, slope)
        table = {
            d: fit(factor, mpf(-0.26), mpf(0.26), relative(factor), b)
            for d, b in BITS.items()
        }
        yield name, f"derivative {order} of {name.split('_')[0].lower()}", zero, table


def two_parts(x: Any, dtype: str) -> tuple[float, float]:
    """Returns x as the nearest number of the dtype and the rest."""
    high = float(np.dtype(dtype).type(float(x)))
    return high, float(x - high)


def main() -> None:
    """Writes the file."""
    blocks = [HEADER]
    for name, meaning, table in polynomials():
        blocks.append(f'{name} = {shown(table)}\n"""{meaning}."""\n')
        print(name, {d: len(c) for d, c in table.items()}, flush=True)
    for name, meaning, zero, table in roots():
        places = {d: two_parts(zero, d) for d in table}
        blocks.append(
            f'{name} = Root({places}, {shown(table)})\n"""The zero of {meaning}."""\n'
        )
        print(name, {d: len(c) for d, c in table.items()}, flush=True)
    TARGET.write_text("\n".join(blocks))
    subprocess.run(["ruff", "format", "--quiet", TARGET], check=True)


def shown(table: dict[str, list[Any]]) -> str:
    """Returns a table of coefficients as Python."""
    return str({d: tuple(float(c) for c in cs) for d, cs in table.items()})


if __name__ == "__main__":
    main()
