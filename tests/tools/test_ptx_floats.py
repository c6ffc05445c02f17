"""Every floating-point instruction and conversion against exact arithmetic."""

import math
import operator
from fractions import Fraction

import numpy as np
import pytest

from tests.tools.exact import random_integers, round_fraction, samples, wrap
from tools.ptx import UnknownInstruction, execute
from tools.ptx.opcode import TYPES

EXACT_RESULT = {
    "add": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "fma": lambda a, b, c: a * b + c,
}
ROUNDED = [
    f"{name}.{mode}.{kind}"
    for name in EXACT_RESULT
    for kind, modes in {
        "f32": ("rn", "rz", "rm", "rp"),
        "bf16": ("rn",),
        "f16": ("rn",),
    }.items()
    for mode in modes
]


def fractions(values):
    return [Fraction(float(v)) for v in values]


@pytest.mark.parametrize("opcode", ROUNDED)
def test_arithmetic_rounds_the_exact_result_once(opcode):
    name, mode, kind = opcode.split(".")
    operands = [samples(kind, 1000, seed) for seed in range(3 if name == "fma" else 2)]
    count = min(map(len, operands))
    operands = [xs[:count] for xs in operands]
    if name == "fma":  # half of the sums cancel up to the error of the product
        product = operands[0].astype(np.float64) * operands[1].astype(np.float64)
        with np.errstate(over="ignore"):
            nearest = -product.astype(TYPES[kind])
        cancels = (np.arange(count) % 2 == 0) & np.isfinite(nearest.astype(np.float64))
        operands[2] = np.where(cancels, nearest, operands[2])
    got = execute(opcode, *operands).astype(np.float64)
    exact = map(EXACT_RESULT[name], *map(fractions, operands))
    want = [round_fraction(v, kind, mode) for v in exact]
    np.testing.assert_array_equal(got, want)


def test_a_sum_that_cancels_is_minus_zero_only_when_it_is_rounded_down():
    one = np.float32([1.0])
    for mode, sign in {"rn": False, "rz": False, "rp": False, "rm": True}.items():
        assert np.signbit(execute(f"add.{mode}.f32", one, -one)) == sign
        assert np.signbit(execute(f"fma.{mode}.f32", one, one, -one)) == sign


def test_arithmetic_keeps_infinities_and_nan():
    inf, nan, one = (np.float32([v]) for v in (np.inf, np.nan, 1.0))
    for mode in ("rn", "rz", "rm", "rp"):
        assert execute(f"add.{mode}.f32", inf, one) == np.inf
        assert np.isnan(execute(f"add.{mode}.f32", inf, -inf))
        assert execute(f"fma.{mode}.f32", inf, one, one) == np.inf
        assert np.isnan(execute(f"fma.{mode}.f32", nan, one, one))


@pytest.mark.parametrize("kind", ["bf16", "f16"])
def test_conversion_to_16_bits_rounds_to_nearest_even(kind):
    xs = samples("f32", 2000)
    halfway = samples(kind, 500).astype(np.float32)
    xs = np.concatenate([xs, halfway * np.float32(1 + 2**-12), halfway])
    want = [round_fraction(v, kind) for v in fractions(xs)]
    np.testing.assert_array_equal(execute(f"cvt.rn.{kind}.f32", xs).astype(float), want)


@pytest.mark.parametrize("kind", ["bf16", "f16"])
def test_conversion_from_16_bits_is_exact(kind):
    xs = np.arange(2**16, dtype=np.uint16).view(TYPES[kind])
    with np.errstate(invalid="ignore"):  # signaling NaNs
        want = xs.astype(np.float64)
        np.testing.assert_array_equal(execute(f"cvt.f32.{kind}", xs), want)


TO_INTEGER = {"rni": round, "rzi": math.trunc, "rmi": math.floor, "rpi": math.ceil}


@pytest.mark.parametrize("mode", TO_INTEGER)
def test_rounding_to_integers(mode):
    xs = np.concatenate([samples("f32", 500), np.arange(-9, 9, dtype=np.float32) / 2])
    whole = [TO_INTEGER[mode](v) for v in fractions(xs)]
    np.testing.assert_array_equal(execute(f"cvt.{mode}.f32.f32", xs), np.float64(whole))
    for kind, low, high in (("s32", -(2**31), 2**31 - 1), ("u32", 0, 2**32 - 1)):
        want = [min(max(v, low), high) for v in whole]
        np.testing.assert_array_equal(execute(f"cvt.{mode}.{kind}.f32", xs), want)
        assert execute(f"cvt.{mode}.{kind}.f32", np.float32([np.nan])) == 0


def test_saturation_clips_to_the_unit_interval():
    xs = np.float32([-1, 0, 0.25, 1, 2, np.inf, -np.inf, np.nan])
    np.testing.assert_array_equal(
        execute("cvt.sat.f32.f32", xs), np.float32([0, 0, 0.25, 1, 1, 1, 0, 0])
    )


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32"])
def test_conversion_of_integers(kind):
    xs = random_integers(kind)
    want = [round_fraction(Fraction(int(v)), "f32") for v in xs]
    np.testing.assert_array_equal(execute(f"cvt.rn.f32.{kind}", xs), want)
    for target in ("s16", "u16", "s32", "u32", "s64", "u64"):
        got = execute(f"cvt.{target}.{kind}", xs)
        assert [int(v) for v in got] == [wrap(int(v), target) for v in xs]


@pytest.mark.parametrize(
    "opcode",
    [
        *("add.rn.ftz.f32", "sin.approx.f32", "prmt.b32", "add.f64", "div.rz.f32"),
        *("ex2.approx.ftz.bf16x2", "cvt.rz.bf16.f32", "cvt.f32.u64", "fma.rz.bf16"),
        *("mad.hi.s64", "tanh.approx.bf16", "min.xorsign.f32", "ret"),
    ],
)
def test_an_instruction_that_is_not_implemented_is_named(opcode):
    counts = {"fma": 3, "mad": 3, "prmt": 3, "cvt": 1, "tanh": 1, "sin": 1}
    operands = [np.zeros(1, np.uint64)] * counts.get(opcode.partition(".")[0], 2)
    with pytest.raises(UnknownInstruction, match=f"PTX: {opcode} is not implemented"):
        execute(opcode, *operands)
