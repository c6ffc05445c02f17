"""What holds for every elementwise function with trustworthy derivatives.

Each law is a function of a `Subject`; it raises an AssertionError that names the worst
input where it is broken.
"""

import functools
import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from jax import Array

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing.inputs import (
    F64,
    all_values,
    derivatives,
    evaluate,
    nth,
    off_kinks,
    same_limit,
    sample_inputs,
    smooth,
    to_float64,
    ulps,
    worst_input,
)

CONTRACT: Mapping[str, tuple[float, ...]] = {
    "bfloat16": (0.51, 0.51, 0.51),  # computed in float32 and rounded once
    "float16": (0.51, 0.51, 0.51),
    "float32": (3, 4, 8),
    "float64": (4, 6, 16),
}
"""The greatest error in ulp, by dtype, of the value and its first two derivatives."""

HALF = (ml_dtypes.bfloat16, np.float16)
DTYPES = (*HALF, np.float32, np.float64)
WAYS = (ml_dtypes.bfloat16, np.float32)
"""The dtypes in which every mode of differentiation is tried."""
FEW = np.array([0.1, 0.75, 1.25, 2.6, 5.5])


class Subject(NamedTuple):
    """A function, what is claimed of it, and how exact it must be."""

    f: Callable[..., Array]
    spec: ActivationSpec
    limits: Mapping[str, tuple[float, ...]] = CONTRACT
    input_ulps: Mapping[str, tuple[float, ...]] = {}
    """How many last places of the input are forgiven, by dtype and order."""


Property = Callable[[Subject], None]


def values_keep_to_their_range(s: Subject) -> None:
    low, high = s.spec.range
    xs = sample_inputs(np.float64, 20_000, s.spec)
    y = derivatives(s.f, xs, np.float64)[0]
    slack = 1e-7  # bounds are written with eight digits or more
    outside = (y < low - slack * abs(low)) | (y > high + slack * abs(high))
    require(not outside.any(), lambda: f"f({xs[outside][0]!r}) = {y[outside][0]!r}")


def every_16_bit_input_is_right_to_half_a_place(s: Subject) -> None:
    for dtype in HALF:
        xs = all_values(dtype)
        got, want = derivatives(s.f, xs, dtype), derivatives(s.f, xs, np.float64)
        # At 0 a second derivative may jump.
        told = smooth(xs, s.spec) & (to_float64(xs) != 0)
        for order in range(3):
            check_ulps(s, dtype, order, xs[told], got[order][told], want[order][told])


def float32_agrees_with_float64_at_every_magnitude(s: Subject) -> None:
    xs = sample_inputs(np.float32, 200_000, s.spec)
    xs = xs[xs != 0]
    got, want = derivatives(s.f, xs, np.float32), derivatives(s.f, xs, np.float64)
    for order in range(3):
        check_ulps(s, np.float32, order, xs, got[order], want[order])


def values_and_derivatives_agree_with_the_oracle(s: Subject) -> None:
    for dtype in DTYPES[2:]:
        xs = sample_inputs(dtype, 120, s.spec)
        got = derivatives(s.f, xs, dtype)
        for order in range(3):
            # Second differences take thousands of digits in float64, and time.
            at = slice(None, None, 4 if order == 2 else 1)
            want, rest = reference(s, xs[at], order, dtype)
            check_ulps(s, dtype, order, xs[at], got[order][at], want, rest)


def limits_at_infinity_are_right(s: Subject) -> None:
    from jax_acts.testing.reference import limit

    ends = np.array([-np.inf, np.inf])
    results = {dtype: derivatives(s.f, ends, dtype) for dtype in DTYPES}
    low, high = s.spec.domain
    for i, end in enumerate(ends):
        for order in range(3) if low <= end <= high else ():
            want = limit(required_reference(s, order), order, end)
            for dtype in DTYPES:
                got = float(results[dtype][order][i])
                require(
                    same_limit(got, want, dtype),
                    f"derivative {order} at {end} is {got!r} in "
                    f"{np.dtype(dtype).name}, not {want!r}",
                )


def nan_in_is_nan_out_forward_and_backward(s: Subject) -> None:
    for dtype in DTYPES:
        y = derivatives(s.f, np.array([np.nan]), dtype)
        found = {f"derivative {order} ": y[order][0] for order in range(3)}
        if dtype in WAYS:
            found |= {how: y[-1] for how, y in every_way(s, dtype).items()}
        for name, y in found.items():
            message = f"{name}(NaN) is {y!r} in {np.dtype(dtype).name}"
            require(bool(np.isnan(y)), message)


def nothing_finite_becomes_nan_or_infinite(s: Subject) -> None:
    for dtype, order in ((d, o) for d in HALF for o in range(3)):
        xs = all_values(dtype)
        got = to_float64(derivatives(s.f, xs, dtype)[order])
        want = derivatives(s.f, xs, np.float64)[order]
        top, wide = float(ml_dtypes.finfo(dtype).max), to_float64(xs)
        low, high = s.spec.domain
        told = np.isfinite(wide) & (wide > low) & (wide < high)
        with np.errstate(invalid="ignore"):
            bad = np.isnan(want) | (~np.isfinite(got) & (np.abs(want) < top))
        bad &= told
        require(
            not bad.any(),
            lambda xs=xs, bad=bad, got=got, order=order: (
                f"derivative {order} at {float(xs[bad][0])!r} is {got[bad][0]!r}"
            ),
        )


def third_derivative_is_finite(s: Subject) -> None:
    xs = sample_inputs(np.float32, 2000, s.spec)
    xs = xs[np.abs(xs) < 1e4]
    third = evaluate(nth(s.f, 3), xs, np.float32)
    bad = ~np.isfinite(third)
    if bad.any():  # it may truly overflow
        bad &= ~(np.abs(evaluate(nth(s.f, 3), xs, np.float64)) >= 1e37)
    require(not bad.any(), lambda: f"it is {third[bad][0]} at {xs[bad][0]!r}")


def derivative_agrees_with_differences(s: Subject) -> None:
    x, h = few(s.spec), 1e-5
    left, got, right = (derivatives(s.f, x + step, F) for step in (-h, 0, h))
    for order in (1, 2) if s.spec.surrogate is None else (2,):
        # Central differences err by h² f''' / 6, and by the last place of f over h.
        slope = (right[order - 1] - left[order - 1]) / (2 * h)
        check_close(got[order], slope, f"derivative {order}", x, 1e-6, 1e-8)


def derivative_at_a_kink_is_the_one_declared(s: Subject) -> None:
    for kink, declared in s.spec.kinks.items():
        if math.isfinite(declared):
            x = jnp.float32(kink)
            for how, got in {
                "derivative": nth(s.f, 1)(x),
                "grad": jax.grad(s.f)(x),
                "jvp": jax.jvp(s.f, (x,), (jnp.ones_like(x),))[1],
                "jit(grad)": jax.jit(jax.grad(s.f))(x),
            }.items():
                near = abs(float(got) - declared) <= 1e-6 * abs(declared)
                require(near, f"{how}({kink}) is {got}, not {declared}")


def every_kink_is_declared(s: Subject) -> None:
    low, high = s.spec.domain
    for x in (-6, -5, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 5, 6, 10):
        if low < x < high and x not in s.spec.kinks:
            h = 1e-9
            left, right = derivatives(s.f, np.array([x - h, x + h]), F)[1]
            # Off a kink the derivative moves by h times the second derivative.
            slack = 1e-6 * (1 + abs(left) + abs(right))
            require(abs(left - right) < slack, f"the derivative jumps at {x}")


def forward_and_reverse_are_the_derivative(s: Subject) -> None:
    limit = 0 if isinstance(s.f, ActivationFunction) else 1
    for dtype in WAYS:
        x = with_nan(s.spec, dtype)
        ways = every_way(s, dtype)
        want = to_float64(ways.pop("derivative"))[:-1]
        for how, got in ways.items():
            same_to(limit, how, x[:-1], got[:-1], want)


def second_derivatives_agree_in_every_nesting(s: Subject) -> None:
    x = jnp.asarray(few(s.spec), jnp.float32)
    nestings = {
        f"{outer.__name__}({inner.__name__})": outer(inner(s.f))
        for outer in (forward, reverse)
        for inner in (forward, reverse)
    }
    hessian = jax.hessian(lambda x: s.f(x).sum())
    nestings["hessian"] = lambda x: jnp.diag(hessian(x))
    want = to_float64(derivatives(s.f, few(s.spec), np.float32)[2])
    found = jax.jit(lambda x: {how: g(x) for how, g in nestings.items()})(x)
    for how, got in found.items():
        same_to(1, how, x, np.asarray(got), want)


def eager_jit_vmap_scan_and_checkpoint_agree(s: Subject) -> None:
    x = jnp.asarray(few(s.spec), jnp.float32)
    want = to_float64(derivatives(s.f, few(s.spec), np.float32)[0])
    with jax.disable_jit():
        # Op by op nothing is contracted to fused multiply-adds.
        same_to(4, "eager", x, np.asarray(s.f(x)), want)
    alike = lambda x: {
        "jit": s.f(x),
        "vmap": jax.vmap(s.f)(x),
        "scan": jax.lax.scan(lambda c, x: (c, s.f(x)), 0, x)[1],
        "checkpoint": jax.checkpoint(s.f)(x),
    }
    for how, got in jax.jit(alike)(x).items():
        same_to(1, how, x, np.asarray(got), want)


def shape_and_dtype_are_kept(s: Subject) -> None:
    shapes = {jnp.float32: (), jnp.bfloat16: (2, 0, 3), jnp.float16: (2, 3, 4)}
    for dtype, shape in shapes.items():
        for order in (0, 1):
            x = jax.ShapeDtypeStruct(shape, dtype)
            y = jax.eval_shape(nth(s.f, order), x)
            kept = (y.shape, y.dtype) == (shape, dtype)
            require(kept, f"{x} becomes {y} in derivative {order}")


def float64_stays_float64(s: Subject) -> None:
    for order, y in enumerate(derivatives(s.f, few(s.spec), F)):
        require(y.dtype == np.float64, f"derivative {order} has dtype {y.dtype}")


def backward_keeps_at_most_one_array_of_the_dtype_of_x(s: Subject) -> None:
    def arrays(x: Array) -> list[Array]:
        residuals = jax.tree.leaves(jax.vjp(s.f, x)[1])
        return [r for r in residuals if jnp.shape(r) and r is not x]

    x = jax.ShapeDtypeStruct((8,), jnp.bfloat16)
    kept = jax.eval_shape(arrays, x)
    found = [f"{r.dtype}{list(r.shape)}" for r in kept]
    ok = len(kept) <= 1 and all(r.dtype.itemsize <= x.dtype.itemsize for r in kept)
    require(ok, f"for {x.dtype}{list(x.shape)} it keeps {', '.join(found)}")


PROPERTIES: tuple[Property, ...] = (
    values_keep_to_their_range,
    every_16_bit_input_is_right_to_half_a_place,
    float32_agrees_with_float64_at_every_magnitude,
    values_and_derivatives_agree_with_the_oracle,
    limits_at_infinity_are_right,
    nan_in_is_nan_out_forward_and_backward,
    nothing_finite_becomes_nan_or_infinite,
    third_derivative_is_finite,
    derivative_agrees_with_differences,
    derivative_at_a_kink_is_the_one_declared,
    every_kink_is_declared,
    forward_and_reverse_are_the_derivative,
    second_derivatives_agree_in_every_nesting,
    eager_jit_vmap_scan_and_checkpoint_agree,
    shape_and_dtype_are_kept,
    float64_stays_float64,
    backward_keeps_at_most_one_array_of_the_dtype_of_x,
)
"""All laws, in the order of a report."""

NEED_REFERENCE: tuple[Property, ...] = (
    values_and_derivatives_agree_with_the_oracle,
    limits_at_infinity_are_right,
)
"""The laws that compare with the formula in arithmetic of hundreds of digits."""

F = np.float64


def require(kept: bool, message: str | Callable[[], str]) -> None:
    """Raises an AssertionError with the message unless the law is kept."""
    if not kept:
        raise AssertionError(message if isinstance(message, str) else message())


def few(spec: ActivationSpec) -> F64:
    """Returns a few inputs in the domain, off the kinks."""
    return off_kinks(np.concatenate([FEW, -FEW]), spec)


def with_nan(spec: ActivationSpec, dtype: Any) -> Array:
    """Returns the same and NaN, in the dtype."""
    return jnp.asarray(np.append(few(spec), np.nan), dtype)


def forward(f: Callable[..., Array]) -> Callable[[Array], Array]:
    """Returns the derivative of an elementwise function in forward mode."""
    return lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1]


def reverse(f: Callable[..., Array]) -> Callable[[Array], Array]:
    """Returns the derivative of an elementwise function in reverse mode."""
    return lambda x: jax.vjp(f, x)[1](jnp.ones_like(x))[0]


def every_way(s: Subject, dtype: Any) -> dict[str, Any]:
    """Returns the derivative at a few inputs and NaN, its own and by every mode."""
    x = with_nan(s.spec, dtype)
    return jax.tree.map(np.asarray, derived(s.f)(x))


@functools.cache
def derived(f: Callable[..., Array]) -> Callable[[Array], dict[str, Array]]:
    """Returns a program for the derivative, its own and by every mode."""
    ways = {"derivative": nth(f, 1), "jvp": forward(f), "vjp": reverse(f)}
    ways["vmap(grad)"] = jax.vmap(jax.grad(f))
    return jax.jit(lambda x: {how: g(x) for how, g in ways.items()})


def reference(s: Subject, xs: F64, order: int, dtype: Any) -> tuple[F64, F64]:
    """Returns the truth in two parts; mpmath is imported only where it is needed."""
    from jax_acts.testing.reference import reference_values

    return reference_values(required_reference(s, order), xs, order, dtype)


def required_reference(s: Subject, order: int) -> Callable[..., Any]:
    """Returns the oracle of the derivative of that order."""
    formula = s.spec.reference_of(order)
    if formula is None:
        raise ValueError("this law compares with an oracle, and there is none")
    return formula


def check_ulps(
    s: Subject,
    dtype: Any,
    order: int,
    xs: Any,
    got: Any,
    want: F64,
    rest: F64 | float = 0.0,
) -> None:
    """Requires that the error keeps to the limit for the dtype and order."""
    name = np.dtype(dtype).name
    forgiven = 0.0
    if xs.size and (count := s.input_ulps.get(name, (0, 0, 0))[order]):
        slope = np.abs(evaluate(nth(s.f, order + 1), xs, F))
        with np.errstate(over="ignore"):
            forgiven = count * slope * np.spacing(np.abs(xs).astype(dtype)).astype(F)
    error = ulps(got, want, rest, forgiven)
    limit = s.limits[name][order]
    require(
        not xs.size or error.max() <= limit,
        lambda: (
            f"derivative {order} in {name} is {worst_input(xs, got, want, error)}; "
            f"the limit is {limit} ulp"
        ),
    )


def same_to(limit: float, how: str, x: Any, got: Any, want: F64) -> None:
    """Requires results that differ by so many units in the last place."""
    error = ulps(got, want)
    kept = bool((error <= limit).all())
    require(kept, lambda: f"{how} is {worst_input(np.asarray(x, F), got, want, error)}")


def check_close(
    got: F64, want: F64, what: str, x: F64, rtol: float, atol: float
) -> None:
    """Requires results that are close."""
    bad = ~np.isclose(got, want, rtol=rtol, atol=atol, equal_nan=True)
    require(
        not bad.any(),
        lambda: f"{what} at {x[bad][0]!r} is {got[bad][0]!r}, not {want[bad][0]!r}",
    )
