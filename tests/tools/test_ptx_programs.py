"""Stored kernels give the results of the same operations on a CPU, bit for bit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts.testing import sample_inputs, to_float64
from tests.tools.kernels import DTYPES, FUNCTIONS, path_of
from tools.ptx import (
    BEST,
    NEAREST,
    UnknownInstruction,
    execute,
    machine,
    parse_program,
    worst,
)
from tools.ptx.compile import SIZE


def inputs(dtype):
    if dtype != "float32":
        return np.arange(SIZE, dtype=np.uint16).view(jnp.dtype(dtype))
    return np.resize(sample_inputs(np.float32, SIZE), SIZE).astype(np.float32)


def assert_same_numbers(got, want, *others):
    """Compare results where they and other arrays are not flushed to 0 by a CPU."""
    normal = np.ones(got.shape, bool)
    for values in map(to_float64, (want, *others)):
        tiny = float(jnp.finfo(got.dtype).tiny)
        normal &= ~(np.abs(values) < tiny) | (values == 0)
    assert got.dtype == want.dtype
    assert normal.sum() > normal.size / 2
    np.testing.assert_array_equal(to_float64(got)[normal], to_float64(want)[normal])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_results_are_those_of_one_operation_at_a_time_on_a_cpu(name, dtype):
    xs = inputs(dtype)
    got = parse_program(path_of(name, dtype).read_text())(xs, NEAREST)
    with jax.disable_jit():
        want = np.asarray(FUNCTIONS[name](jnp.asarray(xs)))
    assert_same_numbers(got, want, xs)


def test_models_differ_only_where_an_instruction_is_approximate():
    xs = inputs("float32")
    exponential, soft_sign = (
        [parse_program(path_of(name, "float32").read_text())(xs, m) for m in models]
        for name in ("exponential", "soft_sign")
        for models in [(NEAREST, BEST, worst(0))]
    )
    for y in exponential:
        np.testing.assert_array_equal(y, exponential[0])
    assert not np.array_equal(soft_sign[1], soft_sign[0])
    error = np.abs(soft_sign[2].astype(np.float64) - xs / (1 + np.abs(np.float64(xs))))
    assert 2 < np.nanmax(error / np.spacing(np.abs(soft_sign[0]))) < 4


def test_results_do_not_depend_on_the_number_of_threads_at_a_time(monkeypatch):
    xs = inputs("bfloat16")
    program = parse_program(path_of("soft_sign", "bfloat16").read_text())
    want = program(xs).view(np.uint16)
    monkeypatch.setattr(machine, "CHUNK", 300 * program.threads)
    np.testing.assert_array_equal(program(xs).view(np.uint16), want)


def test_a_copy_needs_no_kernel():
    xs = inputs("float32")
    np.testing.assert_array_equal(parse_program("// blocks: 0\n")(xs), xs)


PTX = """// blocks: 1
.visible .entry f(.param .u64 .ptr x, .param .u64 .ptr y)
.reqntid 2, 1, 1
{{
    .reg .b32 %r<9>;
    ld.param.b64 %rd1, [x];
    ld.param.b64 %rd2, [y];
    mov.u32 %r1, %tid.x;
    mul.wide.u32 %rd3, %r1, 8;
    add.s64 %rd4, %rd1, %rd3; // a comment
    ld.global.v2.b32 {{%r2, %r3}}, [%rd4];
    {instruction}
    add.s64 %rd5, %rd2, %rd3;
    st.global.b32 [%rd5], %r3;
    st.global.b32 [%rd5+4], %r2;
    ret;
}}
"""


def test_vectors_and_offsets_address_the_elements():
    program = parse_program(PTX.format(instruction=""))
    xs = np.arange(4, dtype=np.float32)
    assert program(xs).tolist() == [1, 0, 3, 2]


@pytest.mark.parametrize(
    ("instruction", "name"),
    {
        "@%p1 bra $L1;": "@%p1 bra",
        "$L1: ret;": "\\$L1",
        "sin.approx.f32 %r2, %r3;": "sin.approx.f32",
        "bar.sync 0;": "bar.sync",
        "mov.b32 {%rs1, %rs2}, %r2;": "{%rs1, %rs2}",
        "mov.u32 %r4, %laneid;": "%laneid",
    }.items(),
)
def test_an_instruction_that_is_not_implemented_is_named(instruction, name):
    with pytest.raises(UnknownInstruction, match=name):
        parse_program(PTX.format(instruction=instruction))(np.zeros(4, np.float32))


def test_execute_is_what_a_program_runs():
    xs = inputs("float32")
    one = np.float32(1)
    got = execute(
        "div.full.f32", xs, execute("add.rn.f32", np.abs(xs), one), model=BEST
    )
    program = parse_program(path_of("soft_sign", "float32").read_text())
    np.testing.assert_array_equal(program(xs, BEST), got)
