"""Write `jax_acts/_numerics/coefficients.py`: polynomial approximations.

    python -m tools.coefficients

Each polynomial interpolates its function at Chebyshev nodes in 60 digits; its degree is
the least whose error, relative to the result it serves, is below a given power of two.
"""

import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import mpmath

mp: Any = mpmath.mp  # which has most of its functions from its context
mp.dps = 60
mpf = mp.mpf
TARGET = Path(__file__).parents[1] / "jax_acts" / "_numerics" / "coefficients.py"
BITS = {"float32": 28, "float64": 57}
"""Polynomials are right to this many bits: an eighth of the last place of the dtype."""

HEADER = '''"""Written by `python -m tools.coefficients`; do not edit."""

from typing import NamedTuple

Coefficients = dict[str, tuple[float, ...]]
"""Of a polynomial, by dtype, lowest power first."""
Constant = dict[str, tuple[float, float]]
"""A constant by dtype, as a number of the dtype and the rest."""


class Root(NamedTuple):
    """A zero of a function that is (x - zero) factor(x), and the factor there."""

    zero: Constant
    factor: Coefficients
    slope: float
    radius: float = 0.25
    """How far from the zero the factor is good, a polynomial in x - zero."""

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


def shifted(f: Function) -> Function:
    """Returns f(d + 1/2) as a function of d."""
    return lambda d: f(d + mpf("0.5"))


def mills(a: Any) -> Any:
    """Returns the Mills ratio of the normal distribution, Φ(-a) / φ(a)."""
    return mp.sqrt(mp.pi / 2) * mp.exp(a * a / 2) * mp.erfc(a / mp.sqrt(2))


def folded(f: Function, centre: float) -> Function:
    """Returns f(a) as a function of t = (a - centre) / (a + centre), in [-1, 1)."""
    return lambda t: f(centre * (1 + t) / (1 - t))


FOLD = 2.5
"""The centre of `folded` for functions of the normal distribution."""
REACH = {"float32": 14.5, "float64": 40}
"""Beyond it exp(-a² / 2) vanishes."""


def polynomials() -> Iterator[tuple[str, str, dict[str, list[Any]]]]:
    """Yields name, meaning and coefficients of each polynomial."""

    def both(f: Function, low: Any, high: Any, weight: Function | None = None) -> Any:
        weight = weight or relative(f)
        return {d: fit(f, mpf(low), mpf(high), weight, b) for d, b in BITS.items()}

    f = series(lambda r: (mp.expm1(r) - r) / r**2, 0.5)
    meaning = "(e^r - 1 - r) / r² on [-0.35, 0.35], which is ln(2) / 2 and some"
    # To an eighth of a place of e^r, of which 1 + r is known.
    yield "EXP", meaning, both(f, -0.35, 0.35, lambda r: r**2 * mp.exp(-r) / 4)
    yield "EXPM1_MINUS", "(e^r - 1 - r) / r² on [-2, 0]", both(f, -2, 0)
    f = series(lambda r: (mp.expm1(r) - r - r**2 / 2) / r**3, mpf(1) / 6)
    finer = both(f, -0.35, 0.35, lambda r: 64 * abs(r) ** 3)
    meaning = "(e^r - 1 - r - r²/2) / r³ on [-0.35, 0.35], to 8 bits more"
    yield "EXP_FINE", meaning, finer

    f = series(lambda y: (2 * mp.atanh(y**0.5) - 2 * y**0.5) / y**1.5, mpf(2) / 3)
    meaning = "(2 atanh(s) - 2 s) / s³ in s² on [0, 1/9]"
    yield "LOG1P", meaning, both(f, 0, mpf(1) / 9, lambda y: y / 2)

    f = series(lambda y: (1 - y**0.5 / mp.atanh(y**0.5)) / y, mpf(1) / 3)
    meaning = "(1 - s / atanh(s)) / s² in s² on [0, 1/9]"
    yield "ATANH_INVERSE", meaning, both(f, 0, mpf(1) / 9, lambda y: y)

    f = series(lambda y: (y**0.5 - mp.tanh(y**0.5)) / y**1.5, mpf(1) / 3)
    yield "TANH_SHRINK", "(x - tanh(x)) / x³ in x² on [0, 1]", both(f, 0, 1)

    f = series(lambda y: mp.log(mp.cosh(y**0.5)) / y, 0.5)
    yield "LOGCOSH", "log(cosh(x)) / x² in x² on [0, 1]", both(f, 0, 1)

    f = series(lambda y: (mp.atan(y**0.5) - y**0.5) / y**1.5, -mpf(1) / 3)
    meaning = "(atan(t) - t) / t³ in t² on [0, tan(π/8)²]"
    yield "ATAN", meaning, both(f, 0, mp.tan(mp.pi / 8) ** 2, lambda y: y)

    f = series(lambda y: (mp.sin(y**0.5) - y**0.5) / y**1.5, -mpf(1) / 6)
    yield "SIN", "(sin(r) - r) / r³ in r² on [0, π/4]", both(f, 0, 0.617, lambda y: y)
    f = lambda y: (mp.sin(y**0.5) - y**0.5 + y**1.5 / 6) / y**2.5
    meaning = "(sin(r) - r + r³/6) / r⁵ in r² on [0, π/4]"
    finer = both(series(f, mpf(1) / 120), 0, 0.617, lambda y: y**2 / 4)
    yield "SIN_FINE", meaning, finer
    f = series(lambda y: (mp.cos(y**0.5) - 1 + y / 2) / y**2, mpf(1) / 24)
    weight = lambda y: y**2 / mp.cos(y**0.5)
    yield "COS", "(cos(r) - 1 + r²/2) / r⁴ in r² on [0, π/4]", both(f, 0, 0.617, weight)

    f = series(lambda y: mp.erf(mp.sqrt(y)) / mp.sqrt(y), 2 / mp.sqrt(mp.pi))
    yield "ERF", "erf(x) / x in x² on [0, 1]", both(f, 0, 1)

    scale = 2 / mp.sqrt(mp.pi)
    gate = series(lambda e: mp.erf(mp.log1p(e)) / e, scale)
    meaning = "erf(log(1 + e)) / e in e - 1/2 on [0, 1]"
    yield "SERF_GATE_LEFT", meaning, both(shifted(gate), -0.5, 0.5)
    meaning = "erf(log(1 + e^x)) in x - 0.8 on [0, 1.6]"
    f = lambda d: mp.erf(mp.log1p(mp.exp(d + mpf("0.8"))))
    yield "SERF_GATE_RIGHT", meaning, both(f, -0.8, 0.8)
    f = series(lambda e: (mp.erf(mp.log1p(e)) / (scale * e) - 1) / e, -0.5)
    meaning = "(sqrt(π)/2 erf(log(1 + e)) / e - 1) / e on [0, 1]"
    yield "SERF_GATE_1", meaning, both(f, 0, 1)
    f = series(lambda e: (mp.exp(-(mp.log1p(e) ** 2)) / (1 + e) - 1) / e, -1)
    meaning = "(exp(-log(1 + e)²) / (1 + e) - 1) / e on [0, 1]"
    yield "SERF_SLOPE", meaning, both(f, 0, 1)

    gate = shifted(series(lambda u: mp.log1p(-mp.expm1(-u)) / u, 1))
    yield "GISH_GATE", "log(2 - e^-u) / u in u - 1/2 on [0, 1]", both(gate, -0.5, 0.5)

    root = mp.sqrt(2 * mp.pi)
    f = series(lambda y: mp.erf(mp.sqrt(y / 2)) / (2 * mp.sqrt(y)), 1 / root)
    yield "PHI", "(Φ(x) - 1/2) / x in x² on [0, 1]", both(f, 0, 1)
    meaning = "a Φ(-a) / exp(-a²/2) in (a - 2.5) / (a + 2.5) for a >= 0.7"
    yield "PHI_TAIL", meaning, tail(lambda a: a * mills(a) / root, 0.7)


def tail(f: Function, low: float) -> dict[str, list[Any]]:
    """Returns fits of f(a) in t = (a - 2.5) / (a + 2.5) for a >= low."""
    g = folded(f, FOLD)
    start = mpf(low - FOLD) / (low + FOLD)
    ends = {d: mpf(r - FOLD) / (r + FOLD) for d, r in REACH.items()}
    return {d: fit(g, start, ends[d], relative(g), b) for d, b in BITS.items()}


def shifted_series(f: Function, point: Any) -> Function:
    """Returns f with its limit at a point where it cancels."""
    h = mpf(10) ** -18
    limit = (f(point - h) + f(point + h)) / 2
    return lambda x: limit if abs(x - point) < h else f(x)


DIGITS = {"float32": 24, "float64": 53}


def constants() -> Iterator[tuple[str, str, Any, dict[str, int]]]:
    """Yields name, meaning, value and digits of each constant of two parts."""
    alpha = 2 * mp.sqrt(2 / mp.pi)
    short = {"float32": 16, "float64": 40}
    yield "GELU_TANH_LINEAR", "2 sqrt(2/π), in short", alpha, short
    cubic, short = alpha * mpf("0.044715"), {"float32": 7, "float64": 18}
    yield "GELU_TANH_CUBIC", "0.044715 times 2 sqrt(2/π), in short", cubic, short
    yield "GELU_QUICK", "1.702", mpf("1.702"), DIGITS
    yield "SIXTH", "1/6", mpf(1) / 6, DIGITS
    yield "SQRT2", "sqrt(2)", mp.sqrt(2), DIGITS
    yield "SQRT_HALF", "sqrt(1/2)", mp.sqrt(0.5), DIGITS


def gelu_tanh(x: Any) -> Any:
    """Returns x σ(2 sqrt(2/π) (x + 0.044715 x³))."""
    v = 2 * mp.sqrt(2 / mp.pi) * (x + mpf("0.044715") * x**3)
    return x / (1 + mp.exp(-v))


def roots() -> Iterator[tuple[str, str, Any, dict[str, list[Any]], Any, float]]:
    """Yields name, meaning, place, factor and slope of each zero of a derivative."""
    zero = mp.findroot(lambda a: mills(a) - a, 0.75)
    factor = lambda a: (mills(a) - a) / (a - zero) / mp.sqrt(2 * mp.pi)
    factor = shifted_series(factor, zero)
    meaning = "gelu'(-a) / exp(-a²/2), with its factor in (a - 2.5) / (a + 2.5)"
    yield "GELU_1", meaning, zero, tail(factor, 0), factor(zero), 0

    silu = lambda x: x / (1 + mp.exp(-x))
    mish = lambda x: x * mp.tanh(mp.log1p(mp.exp(x)))
    telu = lambda x: x * mp.tanh(mp.exp(x))
    gelu_quick = lambda x: x / (1 + mp.exp(-mpf("1.702") * x))
    serf = lambda x: x * mp.erf(mp.log1p(mp.exp(x)))
    sqrt_softplus = lambda x: mp.sqrt(mp.log1p(mp.exp(x)))
    sigmoid = lambda x: 1 / (1 + mp.exp(-x))
    golu = lambda x: x * mp.exp(-mp.exp(-x))
    bsilu = lambda x: (x + mpf(1.67)) * sigmoid(x)
    elish = lambda x: mp.expm1(x) * sigmoid(x)
    hard_elish = lambda x: mp.expm1(x) * (x + 1) / 2
    logish = lambda x: x * mp.log1p(sigmoid(x))
    smish = lambda x: x * mp.tanh(mp.log1p(sigmoid(x)))
    gish = lambda x: x * mp.log(2 - mp.exp(-mp.exp(x)))
    gcu = lambda x: x * mp.cos(x)
    # Of gabor it is what e^-x² multiplies, which changes less.
    gabor_1 = lambda x: -mp.sin(x) - 2 * x * mp.cos(x)
    gabor_2 = lambda x: (4 * x * x - 3) * mp.cos(x) + 4 * x * mp.sin(x)
    finer = lambda x: mp.sin(x * x + x)
    for name, f, order, guess, radius in (
        ("SILU_1", silu, 1, -1.278, 0.25),
        ("SILU_2", silu, 2, 2.399, 0.25),
        ("MISH_1", mish, 1, -1.192, 0.25),
        ("MISH_2_LEFT", mish, 2, -2.257, 0.5),
        ("MISH_2_RIGHT", mish, 2, 1.491, 0.75),
        ("TELU_1", telu, 1, -1.07, 0.25),
        ("TELU_2_LEFT", telu, 2, -2.1, 0.5),
        ("TELU_2_RIGHT", telu, 2, 0.7, 0.25),
        ("SERF_1", serf, 1, -1.1, 0.5),
        ("SERF_2_LEFT", serf, 2, -2.1, 1.0),
        ("SERF_2_RIGHT", serf, 2, 1.3, 0.25),
        ("SQRT_SOFTPLUS_2", sqrt_softplus, 2, 0.92, 0.875),
        ("GELU_QUICK_1", gelu_quick, 1, -0.751, 0.15),
        ("GELU_QUICK_2", gelu_quick, 2, 1.41, 0.15),
        ("GELU_TANH_1", gelu_tanh, 1, -0.752, 0.25),
        ("GELU_TANH_2", gelu_tanh, 2, 1.41, 0.75),
        ("LISHT_2", lambda x: x * mp.tanh(x), 2, 1.2, 0.25),
        ("GOLU_1", golu, 1, -0.567, 0.25),
        ("GOLU_2_LEFT", golu, 2, -1.06, 0.25),
        ("GOLU_2_RIGHT", golu, 2, 2.239, 0.25),
        ("BSILU_1", bsilu, 1, -2.735, 1.0),
        ("BSILU_2_LEFT", bsilu, 2, -3.765, 0.75),
        ("BSILU_2_RIGHT", bsilu, 2, 1.492, 0.75),
        ("ELISH_1", elish, 1, -0.881, 0.75),
        ("ELISH_2", elish, 2, -1.718, 0.25),
        ("HARD_ELISH_1", hard_elish, 1, -0.443, 0.25),
        ("LOGISH_1", logish, 1, -1.372, 0.75),
        ("LOGISH_2_LEFT", logish, 2, -2.533, 0.75),
        ("LOGISH_2_RIGHT", logish, 2, 2.317, 0.75),
        ("SMISH_1", smish, 1, -1.395, 1.0),
        ("SMISH_2_LEFT", smish, 2, -2.551, 0.75),
        ("SMISH_2_RIGHT", smish, 2, 2.215, 1.0),
        ("GISH_1", gish, 1, -1.282, 0.5),
        ("GISH_2_LEFT", gish, 2, -2.401, 0.5),
        ("GISH_2_RIGHT", gish, 2, 1.042, 0.25),
        ("GCU_1_FIRST", gcu, 1, 0.86, 0.25),
        ("GCU_1_SECOND", gcu, 1, 3.426, 0.25),
        ("GCU_2_FIRST", gcu, 2, 2.289, 0.25),
        ("GCU_2_SECOND", gcu, 2, 5.087, 0.25),
        ("GABOR_1", gabor_1, 0, 1.837, 0.25),
        ("GABOR_2_FIRST", gabor_2, 0, 0.593, 0.25),
        ("GABOR_2_SECOND", gabor_2, 0, 2.094, 0.25),
        ("GABOR_2_THIRD", gabor_2, 0, 4.919, 0.125),
        ("GABOR_2_FOURTH", gabor_2, 0, 7.98, 0.125),
        ("FINER_2", finer, 2, 0.4, 0.125),
    ):
        g = lambda x, f=f, order=order: mp.diff(f, x, order)
        zero = mp.findroot(g, guess)
        slope = mp.diff(f, zero, order + 1)
        factor = series(lambda d, g=g, zero=zero: g(zero + d) / d, slope)
        table = {
            d: fit(factor, -mpf(radius), mpf(radius), relative(factor), b)
            for d, b in BITS.items()
        }
        function, number = re.findall(r"(.+)_(\d)", name)[0]
        meaning = f"derivative {number} of {function.lower()}"
        yield name, meaning, zero, table, slope, radius


def main() -> None:
    """Writes the file."""
    blocks = [HEADER]
    for name, meaning, table in polynomials():
        blocks.append(f'{name}: Coefficients = {shown(table)}\n"""{meaning}."""\n')
        print(name, {d: len(c) for d, c in table.items()}, flush=True)
    for name, meaning, value, digits in constants():
        blocks.append(f'{name}: Constant = {parts(value, digits)}\n"""{meaning}."""\n')
    with mp.workdps(100):
        digits = int(mp.floor(2 / mp.pi * mpf(2) ** 224))  # and 32 zeros before them
    words = tuple(digits >> 32 * i & 0xFFFFFFFF for i in reversed(range(8)))
    blocks.append(
        f'TWO_OVER_PI = {words}\n"""2/π, as 2^-224 of a number of 256 bits."""\n'
    )
    for name, meaning, zero, table, slope, radius in roots():
        root = f"Root({parts(zero)}, {shown(table)}, {float(slope)}, {radius})"
        blocks.append(f'{name} = {root}\n"""A zero of {meaning}."""\n')
        print(name, {d: len(c) for d, c in table.items()}, flush=True)
    TARGET.write_text("\n".join(blocks))
    subprocess.run(["ruff", "format", "--quiet", TARGET], check=True)


def parts(x: Any, digits: dict[str, int] = DIGITS) -> dict[str, tuple[float, float]]:
    """Returns x by dtype, as a number of so many binary digits and the rest."""
    units = {d: mpf(2) ** (mp.mag(x) - n) for d, n in digits.items()}
    highs = {d: mp.nint(x / unit) * unit for d, unit in units.items()}
    return {d: (float(high), float(x - high)) for d, high in highs.items()}


def shown(table: dict[str, list[Any]]) -> str:
    """Returns a table of coefficients as Python."""
    return str({d: tuple(float(c) for c in cs) for d, cs in table.items()})


if __name__ == "__main__":
    main()
