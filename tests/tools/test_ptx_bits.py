"""Integers, bits, comparisons and selections against Python integers and floats."""

import math
import operator

import numpy as np
import pytest

from tests.tools.exact import random_integers, wrap
from tools.ptx import execute
from tools.ptx.opcode import TYPES

SHIFTS = {
    "shl": lambda a, n, width: a << n if n < width else 0,
    "shr": lambda a, n, width: a >> n,
}
INTEGER = {
    "add": operator.add,
    "sub": operator.sub,
    "min": min,
    "max": max,
    "neg": operator.neg,
    "mul.lo": operator.mul,
    "mad.lo": lambda a, b, c: a * b + c,
}


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32", "s64", "u64"])
@pytest.mark.parametrize("name", INTEGER)
def test_integer_arithmetic_is_modulo_the_width(name, kind):
    count = {"neg": 1, "mad.lo": 3}.get(name, 2)
    operands = [random_integers(kind, seed=seed) for seed in range(count)]
    got = execute(f"{name}.{kind}", *operands)
    exact = [INTEGER[name](*map(int, row)) for row in zip(*operands, strict=True)]
    assert [int(v) for v in got] == [wrap(v, kind) for v in exact]


@pytest.mark.parametrize("kind", ["s16", "u16", "s32", "u32"])
def test_wide_and_high_products(kind):
    a, b = random_integers(kind, seed=1), random_integers(kind, seed=2)
    wide = f"{kind[0]}{2 * int(kind[1:])}"
    c = random_integers(wide, seed=3)
    exact = [int(x) * int(y) for x, y in zip(a, b, strict=True)]
    assert [int(v) for v in execute(f"mul.wide.{kind}", a, b)] == exact
    high = [v >> int(kind[1:]) for v in exact]
    assert [int(v) for v in execute(f"mul.hi.{kind}", a, b)] == high
    sums = [wrap(v + int(z), wide) for v, z in zip(exact, c, strict=True)]
    assert [int(v) for v in execute(f"mad.wide.{kind}", a, b, c)] == sums


@pytest.mark.parametrize("kind", ["b16", "b32", "b64", "pred"])
def test_logic_acts_on_every_bit(kind):
    if kind == "pred":
        a, b = np.array([0, 0, 1, 1], bool), np.array([0, 1, 0, 1], bool)
    else:
        a, b = random_integers(kind, seed=1), random_integers(kind, seed=2)
    for name, f in {
        "and": operator.and_,
        "or": operator.or_,
        "xor": operator.xor,
    }.items():
        want = [f(int(x), int(y)) for x, y in zip(a, b, strict=True)]
        assert [int(v) for v in execute(f"{name}.{kind}", a, b)] == want
    ones = 1 if kind == "pred" else 2 ** int(kind[1:]) - 1
    assert [int(v) for v in execute(f"not.{kind}", a)] == [int(x) ^ ones for x in a]


@pytest.mark.parametrize(
    "opcode",
    [
        *("shl.b16", "shl.b32", "shl.b64", "shr.u16", "shr.s16"),
        *("shr.u32", "shr.s32", "shr.b32", "shr.s64"),
    ],
)
def test_shifts_by_any_count(opcode):
    name, kind = opcode.split(".")
    a, width = random_integers(kind), int(kind[1:])
    counts = np.arange(len(a), dtype=np.uint32) % 80
    exact = [
        wrap(SHIFTS[name](int(x), int(n), width), kind)
        for x, n in zip(a, counts, strict=True)
    ]
    assert [int(v) for v in execute(opcode, a, counts)] == exact


def test_funnel_shift_takes_a_window_of_64_bits():
    low, high = random_integers("b32", seed=1), random_integers("b32", seed=2)
    counts = np.arange(len(low), dtype=np.uint32) % 70
    for side in "lr":
        for mode, limit in {
            "wrap": lambda n: n % 32,
            "clamp": lambda n: min(n, 32),
        }.items():
            want = []
            for lo, hi, n in zip(low, high, counts, strict=True):
                wide, n = (int(hi) << 32) | int(lo), limit(int(n))
                shifted = (wide << n) >> 32 if side == "l" else wide >> n
                want.append(shifted % 2**32)
            got = execute(f"shf.{side}.{mode}.b32", low, high, counts)
            assert [int(v) for v in got] == want


def test_bit_fields():
    a = random_integers("u32")
    start = np.arange(len(a), dtype=np.uint32) % 40
    length = np.arange(len(a), dtype=np.uint32) // 7 % 40
    want = [
        (int(x) >> int(s)) & (2 ** int(n) - 1)
        for x, s, n in zip(a, start, length, strict=True)
    ]
    assert [int(v) for v in execute("bfe.u32", a, start, length)] == want


def test_signed_bit_fields():
    a = random_integers("s32")
    start = np.arange(len(a), dtype=np.uint32) % 40
    length = np.arange(len(a), dtype=np.uint32) // 7 % 40
    want = []
    for x, s, n in zip(a.tolist(), start.tolist(), length.tolist(), strict=True):
        sign = x >> min(s + n - 1, 31) & 1 if n else 0
        bits = [x >> s + i & 1 if i < n and s + i < 32 else sign for i in range(32)]
        want.append(sum(bit << i for i, bit in enumerate(bits)) - (bits[31] << 32))
    assert [int(v) for v in execute("bfe.s32", a, start, length)] == want


NUMBERS = [-math.inf, -1.5, -0.0, 0.0, 1e-40, 2.0, math.inf, math.nan]
ORDER = {
    "eq": operator.eq,
    "ne": lambda a, b: a < b or a > b,
    "lt": operator.lt,
    "le": operator.le,
    "gt": operator.gt,
    "ge": operator.ge,
    "num": lambda a, b: not (math.isnan(a) or math.isnan(b)),
    "nan": lambda a, b: math.isnan(a) or math.isnan(b),
}


def pairs(kind):
    a, b = np.meshgrid(np.array(NUMBERS).astype(TYPES[kind]), NUMBERS)
    return a.ravel(), b.ravel().astype(TYPES[kind])


@pytest.mark.parametrize("kind", ["f32", "bf16", "f16"])
def test_comparisons_with_nan_are_false_or_with_u_true(kind):
    a, b = pairs(kind)
    rows = [(float(x), float(y)) for x, y in zip(a, b, strict=True)]
    for name, f in ORDER.items():
        want = [bool(f(*row)) for row in rows]
        assert execute(f"setp.{name}.{kind}", a, b).tolist() == want
        if name not in ("num", "nan"):
            unordered = [
                v or ORDER["nan"](*row) for v, row in zip(want, rows, strict=True)
            ]
            assert execute(f"setp.{name}u.{kind}", a, b).tolist() == unordered


@pytest.mark.parametrize("kind", ["s32", "u32", "b16", "s16"])
def test_integer_comparisons(kind):
    a, b = random_integers(kind, seed=1), random_integers(kind, seed=2)
    b[::3] = a[::3]
    names = {"lo": "lt", "ls": "le", "hi": "gt", "hs": "ge"} if kind == "u32" else {}
    for name in ("eq", "ne", "lt", "le", "gt", "ge", *names):
        order = getattr(operator, names.get(name, name))
        want = [order(int(x), int(y)) for x, y in zip(a, b, strict=True)]
        assert execute(f"setp.{name}.{kind}", a, b).tolist() == want


def test_a_comparison_is_combined_with_a_predicate():
    a, b, c = np.float32([1, 1, 2, 2]), np.float32(1), np.array([0, 1, 0, 1], bool)
    for name, want in {
        "and": [0, 1, 0, 0],
        "or": [1, 1, 0, 1],
        "xor": [1, 0, 0, 1],
    }.items():
        assert execute(f"setp.eq.{name}.f32", a, b, c).tolist() == want


@pytest.mark.parametrize("kind", ["f32", "bf16", "f16", "b16", "b32"])
def test_selection_moves_the_bits_also_of_nan(kind):
    bits = random_integers(f"u{8 * TYPES[kind].itemsize}")
    p = np.arange(len(bits)) % 2 == 0
    got = execute(f"selp.{kind}", bits, bits[::-1], p).view(bits.dtype)
    np.testing.assert_array_equal(got, np.where(p, bits, bits[::-1]))


@pytest.mark.parametrize("kind", ["f32", "bf16", "f16"])
def test_minimum_and_maximum_order_zeros_and_treat_nan(kind):
    a, b = pairs(kind)
    key = lambda v: (v, math.copysign(1, v))  # -0 < +0
    for name, f in {"min": min, "max": max}.items():
        for suffix in ("", ".NaN"):
            got = execute(f"{name}{suffix}.{kind}", a, b).astype(float)
            for x, y, result in zip(map(float, a), map(float, b), got, strict=True):
                numbers = [v for v in (x, y) if not math.isnan(v)]
                if not numbers or (suffix and len(numbers) < 2):
                    assert math.isnan(result)
                else:
                    assert key(result) == key(f(numbers, key=key))


@pytest.mark.parametrize("kind", ["f32", "bf16", "f16"])
def test_signs_are_changed_in_the_bits(kind):
    width = 8 * TYPES[kind].itemsize
    bits, sign = random_integers(f"u{width}"), 2 ** (width - 1)
    for name, f in {"neg": lambda v: v ^ sign, "abs": lambda v: v & (sign - 1)}.items():
        got = execute(f"{name}.{kind}", bits).view(bits.dtype)
        assert [int(v) for v in got] == [f(int(v)) for v in bits]
    if kind == "f32":
        got = execute("copysign.f32", bits, bits[::-1]).view(bits.dtype)
        rows = zip(bits, bits[::-1], strict=True)
        assert [int(v) for v in got] == [
            (int(x) & sign) | (int(y) & (sign - 1)) for x, y in rows
        ]
