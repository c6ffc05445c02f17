"""Instructions whose result the PTX ISA manual bounds but does not specify.

Bounds of the PTX ISA manual, version 9.1, sections 9.7.3.8 (div), 9.7.3.13 (rcp),
9.7.3.15 (sqrt), 9.7.3.16 (rsqrt), 9.7.3.20 (lg2), 9.7.3.21 (ex2), 9.7.3.22 (tanh):

    div.full, div.approx   2 ulp          sqrt.approx    relative 2^-23
    rcp.approx             1 ulp          rsqrt.approx   relative 2^-22.9
    ex2.approx             2 ulp          tanh.approx    relative 2^-11
    lg2.approx             relative 2^-22; absolute 2^-22 for inputs in (0.5, 2)

A model chooses a float32 within the bound:

    NEAREST       the correctly rounded result, as a CPU has it
    BEST          that; a division is a times the rounded reciprocal of b, as on a GPU
    worst(seed)   the farthest float32 within the bound, above or below at random
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from tools.ptx.opcode import Opcode, UnknownInstruction, Values

TINY = float(np.finfo(np.float32).tiny)


class Model(NamedTuple):
    """How the results of approximate instructions are chosen."""

    name: str
    choose: Callable[[Values, Values], Values]
    """Map the exact result, in float64, and the bound of its error to a float32."""
    by_reciprocal: bool = False
    """Whether a division is a product with the rounded reciprocal."""


def nearest(exact: Values, bound: Values) -> Values:
    """Return the correctly rounded result."""
    return exact.astype(np.float32)


NEAREST = Model("nearest", nearest)
BEST = Model("best", nearest, by_reciprocal=True)


def worst(seed: int = 0, by_reciprocal: bool = False) -> Model:
    """Return the model of the largest errors.

    Args:
        seed: The signs of the errors are drawn from it.
        by_reciprocal: Whether to divide by a product with `rcp.approx`, as a program
            does that has a * (1 / b) in place of a / b.
    """
    rng = np.random.default_rng(seed)

    def farthest(exact: Values, bound: Values) -> Values:
        sign = rng.integers(0, 2, exact.shape) * 2.0 - 1
        result = (exact + sign * bound).astype(np.float32)
        outside = np.abs(result.astype(np.float64) - exact) > bound
        inward = np.where(sign > 0, -np.inf, np.inf).astype(np.float32)
        result = np.where(outside, np.nextafter(result, inward), result)
        return np.where(
            np.isfinite(exact) & (exact != 0), result, nearest(exact, bound)
        )

    return Model("reciprocal" if by_reciprocal else "worst", farthest, by_reciprocal)


def approximate(op: Opcode, model: Model, *operands: Values) -> Values:
    """Return the result of an approximate instruction."""
    op.require(frozenset({"f32"}), frozenset({"approx", "full", "ftz"}))
    if op.name not in EXACT:
        raise UnknownInstruction(f"PTX: {op.text} is not implemented")
    if "ftz" in op.modifiers:
        operands = tuple(map(flush, operands))
    wide = [v.astype(np.float64) for v in operands]
    if op.name == "div":
        result = _divide(op, model, *wide)
    else:
        exact = EXACT[op.name](*wide)
        bound = np.where(np.isinf(wide[0]), 0, _bound(op.name, exact, wide[0]))
        if op.name == "ex2":  # the bound is on the distance to the rounded result
            exact = exact.astype(np.float32).astype(np.float64)
            bound = np.where(wide[0] == 0, 0, bound)  # 2^0 is 1, by the manual
        result = model.choose(exact, bound)
    return flush(result) if "ftz" in op.modifiers else result


EXACT: dict[str, Callable[..., Values]] = {
    "div": np.divide,
    "rcp": lambda a: 1 / a,
    "sqrt": np.sqrt,
    "rsqrt": lambda a: 1 / np.sqrt(a),
    "ex2": np.exp2,
    "lg2": np.log2,
    "tanh": np.tanh,
}
"""The functions, in float64: an error of 2^-53 does not change a float32 result."""


def _bound(name: str, exact: Values, a: Values) -> Values:
    """Return the bound of the absolute error in the PTX ISA manual."""
    size = np.abs(exact)
    match name:
        case "div" | "ex2":
            return 2 * ulp(exact)
        case "rcp":
            return ulp(exact)
        case "sqrt":
            return size * 2.0**-23
        case "rsqrt":
            return size * 2.0**-22.9
        case "lg2":
            return np.where((a > 0.5) & (a < 2), 1.0, size) * 2.0**-22
        case _:  # tanh
            return size * 2.0**-11


def _divide(op: Opcode, model: Model, a: Values, b: Values) -> Values:
    """Return a / b; `div.approx` underflows for 2^126 < |b| < 2^128."""
    exact = a / b
    if "approx" in op.modifiers:
        vanishes = (np.abs(b) > 2.0**126) & np.isfinite(b)
        exact = np.where(vanishes, 0.0 * a * np.sign(b), exact)
    if not model.by_reciprocal:
        return model.choose(exact, _bound("div", exact, a))
    mantissa, exponent = np.frexp(b)
    inverse = 1 / mantissa
    reciprocal = model.choose(inverse, ulp(inverse))
    product = np.ldexp(a * reciprocal, -exponent)  # exact: 48 bits
    usual = np.isfinite(a) & np.isfinite(b) & (b != 0) & (exact != 0)
    return np.where(usual, product, exact).astype(np.float32)


def ulp(exact: Values) -> Values:
    """Return the distance of float32 numbers at a value."""
    _, exponent = np.frexp(np.maximum(np.abs(exact), TINY))
    return np.ldexp(1.0, exponent - 24)


def flush(x: Values) -> Values:
    """Replace subnormal numbers by zeros of the same sign."""
    return np.where(np.abs(x) < TINY, np.copysign(np.float32(0), x), x)
