"""Properties of an elementwise function with accurate derivatives.

Each property is a function of a `Subject`; it raises an AssertionError that names the
worst input.
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
from numpy.typing import NDArray

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.spec import ActivationSpec
from jax_acts.testing.evaluation import derivatives, eager, evaluate, modes, nth
from jax_acts.testing.inputs import all_values, is_smooth, off_kinks, sample_inputs
from jax_acts.testing.ulp import F64, same_limit, to_float64, ulps, worst_input
from jax_acts.testing.zeros import zero_tolerance

CONTRACT: Mapping[str, tuple[float, ...]] = {
    "bfloat16": (0.51, 0.51, 0.51),  # computed in float32 and rounded once
    "float16": (0.51, 0.51, 0.51),
    "float32": (3, 4, 8),
    "float64": (4, 6, 16),
}
"""The greatest error in ulp, by dtype, of the value and its first two derivatives.

Near a zero of a derivative the error may be larger by `zero_tolerance`, the rounding
error of the terms that cancel there.
"""

GPU_CONTRACT: Mapping[str, tuple[float, ...]] = {
    "bfloat16": (0.51, 0.51),
    "float16": (0.51, 0.51),
    "float32": (7, 7),
}
"""The same for the value and the first derivative on a GPU, in the worst case that the
PTX manual allows: XLA:GPU uses approximate divisions (2 ulp) and square roots (1 ulp).
Measured by `python -m benchmarks gpu_accuracy`."""

HALF = (ml_dtypes.bfloat16, np.float16)
WIDE = (np.float32, np.float64)
FEW = np.array([0.1, 0.75, 1.25, 2.6, 5.5])
AROUND_0 = (-1e-9, -0.0, 0.0, 1e-9)
NUM_POINTS = 32
"""The size of the inputs of `modes` and `eager`: one size, so that operations that run
eagerly are compiled once for all functions."""


class Subject(NamedTuple):
    """A function with its metadata and its error bounds."""

    f: Callable[..., Array]
    spec: ActivationSpec
    limits: Mapping[str, tuple[float, ...]] = CONTRACT
    input_ulps: Mapping[str, tuple[float, ...]] = {}
    """By dtype and order: the change of the input (ulp) whose effect is tolerated."""


Property = Callable[[Subject], None]


def values_are_within_the_range(s: Subject) -> None:
    """Values are within the declared range."""
    low, high = s.spec.range
    xs = sample_inputs(np.float64, 20_000, s.spec)
    y = derivatives(s.f, xs, np.float64)[0]
    slack = 1e-7  # bounds are declared with eight digits or more
    outside = (y < low - slack * abs(low)) | (y > high + slack * abs(high))
    require(not outside.any(), lambda: f"f({xs[outside][0]!r}) = {y[outside][0]!r}")


def all_16_bit_inputs_are_correctly_rounded(s: Subject) -> None:
    """All 16-bit inputs give the result that is rounded once from float64."""
    for dtype in HALF:
        xs, got, want = half_precision(s.f, dtype)
        # A second derivative may jump at 0.
        mask = is_smooth(xs, s.spec) & (to_float64(xs) != 0)
        for order in range(3):
            check_ulps(s, dtype, order, xs[mask], got[order][mask], want[order][mask])


def float32_agrees_with_float64(s: Subject) -> None:
    """float32 agrees with float64 at 200,000 inputs of every magnitude."""
    xs = sample_inputs(np.float32, 200_000, s.spec)
    xs = xs[xs != 0]
    got, want = derivatives(s.f, xs, np.float32), derivatives(s.f, xs, np.float64)
    for order in range(3):
        check_ulps(s, np.float32, order, xs, got[order], want[order])


def values_and_derivatives_agree_with_the_reference(s: Subject) -> None:
    """float32 and float64 agree with the mpmath reference."""
    from jax_acts.testing.reference import reference_values

    for dtype in WIDE:
        xs = sample_inputs(dtype, 120, s.spec)
        got = derivatives(s.f, xs, dtype)
        for order in range(3):
            at = slice(None, None, 4 if order == 2 else 1)  # more digits take longer
            formula = required_reference(s, order)
            want, lo = reference_values(formula, xs[at], order, dtype)
            check_ulps(s, dtype, order, xs[at], got[order][at], want, lo)


def limits_at_infinity_are_correct(s: Subject) -> None:
    """Values and derivatives at ±inf are the limits of the reference."""
    from jax_acts.testing.reference import limit

    ends = np.array([-np.inf, np.inf])
    results = {dtype: derivatives(s.f, ends, dtype) for dtype in (*HALF, *WIDE)}
    low, high = s.spec.domain
    for i, end in enumerate(ends):
        for order in range(3) if low <= end <= high else ():
            want = limit(required_reference(s, order), order, end)
            for dtype, result in results.items():
                got = float(result[order][i])
                require(
                    same_limit(got, want, dtype),
                    f"derivative {order} at {end} in {np.dtype(dtype).name}: "
                    f"expected {want!r}, got {got!r}",
                )


def nan_propagates_to_values_and_derivatives(s: Subject) -> None:
    """NaN gives NaN in every mode, but for the derivatives of an affine function."""
    results = modes(s.f, *mode_inputs(s.spec))
    slopes = results["float32"]["derivative"][: len(few(s.spec))]
    is_affine = not s.spec.kinks and bool((slopes == slopes[0]).all())
    for dtype in (*HALF, *WIDE):
        name = np.dtype(dtype).name
        orders = derivatives(s.f, np.array([np.nan]), dtype)
        at_nan = {f"derivative {order}": y[0] for order, y in enumerate(orders)}
        at_nan |= {mode: y[-1] for mode, y in results.get(name, {}).items()}
        constants = dict.fromkeys(at_nan, slopes[0]) | {"derivative 2": 0}
        for mode, y in at_nan.items():
            is_constant = is_affine and mode != "derivative 0" and y == constants[mode]
            require(
                bool(np.isnan(y)) or is_constant, f"{mode} at NaN in {name}: got {y!r}"
            )


def finite_inputs_give_finite_results(s: Subject) -> None:
    """Finite 16-bit inputs overflow only where the float64 result does."""
    for dtype in HALF:
        xs, results, references = half_precision(s.f, dtype)
        top, wide = float(ml_dtypes.finfo(dtype).max), to_float64(xs)
        low, high = s.spec.domain
        mask = np.isfinite(wide) & (wide > low) & (wide < high)
        for order, (got, want) in enumerate(zip(results, references, strict=True)):
            with np.errstate(invalid="ignore"):
                overflow = ~np.isfinite(to_float64(got)) & (np.abs(want) < top)
            bad = mask & (np.isnan(want) | overflow)
            if bad.any():
                x, y = float(xs[bad][0]), got[bad][0]
                require(False, f"derivative {order} at {x!r}: got {y!r}")


def third_derivative_is_finite(s: Subject) -> None:
    """The third derivative is finite, unless it overflows in float64."""
    points, xs = mode_inputs(s.spec)
    third = modes(s.f, points, xs)["third"]
    bad = ~np.isfinite(third)
    if bad.any():  # it may overflow in exact arithmetic
        bad &= ~(np.abs(evaluate(nth(s.f, 3), xs, np.float64)) >= 1e37)
    require(not bad.any(), lambda: f"at {xs[bad][0]!r}: got {third[bad][0]}")


def third_derivative_is_continuous_at_0(s: Subject) -> None:
    """The third derivative at 0 and -0 is that beside 0, unless the second jumps."""
    third = modes(s.f, *mode_inputs(s.spec))["third"]
    if 0 in s.spec.kinks or not s.spec.domain[0] < 0 < s.spec.domain[1]:
        return
    left, *zeros, right = third[: len(AROUND_0)]
    second = derivatives(s.f, np.array(AROUND_0), np.float64)[2]
    if np.ptp(second) > 1e-6 or abs(left - right) > 0.1:
        return
    # Autodiff of a rule has the accuracy of the derivative of its polynomials.
    require(
        np.allclose(zeros, left, 1e-3, 1e-3 + abs(left - right)),
        lambda: f"got {zeros} at -0 and 0, {left} and {right} beside",
    )


def derivatives_agree_with_differences(s: Subject) -> None:
    """Derivatives agree with central differences in float64."""
    x, h = few(s.spec), 1e-5
    results = derivatives(s.f, np.concatenate([x - h, x, x + h]), np.float64)
    left, got, right = zip(*(np.split(y, 3) for y in results), strict=True)
    for order in (1, 2) if s.spec.surrogate is None else (2,):
        # Central differences err by h² f''' / 6, and by the ulp of f divided by h.
        want, y = (right[order - 1] - left[order - 1]) / (2 * h), got[order]
        bad = ~np.isclose(y, want, rtol=1e-6, atol=1e-8, equal_nan=True)
        if bad.any():
            at, expected = x[bad][0], want[bad][0]
            message = f"at {at!r}: expected {expected!r}, got {y[bad][0]!r}"
            raise AssertionError(f"derivative {order} {message}")


def derivatives_at_kinks_are_as_declared(s: Subject) -> None:
    """Every mode gives the declared derivative at a kink."""
    if not finite_kinks(s.spec):
        return
    points, third = mode_inputs(s.spec)
    results = {
        **modes(s.f, points, third)["float32"],
        "eager jvp": eager(s.f, points)["derivative"],
    }
    at = few(s.spec).size
    for i, (kink, declared) in enumerate(finite_kinks(s.spec).items()):
        for mode, y in results.items():
            got = float(y[at + i])
            near = abs(got - declared) <= 1e-6 * abs(declared)
            require(near, f"{mode} at {kink}: expected {declared}, got {got}")


def all_kinks_are_declared(s: Subject) -> None:
    """The derivative does not jump where no kink is declared."""
    low, high = s.spec.domain
    common = (-6, -5, -3, -2, -1, -0.5, 0, 0.5, 1, 2, 3, 5, 6, 10)
    xs = np.array([x for x in common if low < x < high and x not in s.spec.kinks])
    h = 1e-9
    dx = derivatives(s.f, np.concatenate([xs - h, xs + h]), np.float64)[1]
    left, right = np.split(dx, 2)
    # At a smooth input the derivative changes by h times the second derivative.
    jumps = ~(abs(left - right) < 1e-6 * (1 + abs(left) + abs(right)))
    require(not jumps.any(), lambda: f"the derivative jumps at {xs[jumps][0]}")


def forward_and_reverse_mode_agree(s: Subject) -> None:
    """Every mode gives the derivative, bit for bit if it has a rule."""
    limit = 0 if isinstance(s.f, ActivationFunction) else 1
    results, x = modes(s.f, *mode_inputs(s.spec)), few(s.spec)
    for dtype in ("float32", "bfloat16"):
        check_modes(limit, x, results[dtype], "derivative")


def second_derivatives_agree_in_every_nesting(s: Subject) -> None:
    """Every nesting of modes gives the second derivative."""
    results = modes(s.f, *mode_inputs(s.spec))
    check_modes(1, few(s.spec), results["second"], "derivative")
    # A loop may contract another product and sum.
    check_modes(4, few(s.spec), results["second of a scan"], "derivative")


def eager_jit_vmap_scan_and_checkpoint_agree(s: Subject) -> None:
    """Values agree under every transformation."""
    x, (points, third) = few(s.spec), mode_inputs(s.spec)
    results = modes(s.f, points, third)["value"]
    check_modes(2, x, results, "jit")  # a loop may contract another product and sum
    optimized = derivatives(s.f, x, np.float32)[0]
    # Without optimizations nothing is contracted to fused multiply-adds.
    for mode in ({"eager": eager(s.f, points)["value"]}, {"jit": results["jit"]}):
        check_modes(4, x, {"optimized": optimized, **mode}, "optimized")


def shape_and_dtype_are_preserved(s: Subject) -> None:
    """Values and derivatives have the shape and dtype of x."""
    shapes = {jnp.float32: (), jnp.bfloat16: (2, 0, 3), jnp.float16: (2, 3, 4)}
    for dtype, shape in shapes.items():
        x = jax.ShapeDtypeStruct(shape, dtype)
        for order, y in enumerate(
            jax.eval_shape(lambda x: (s.f(x), nth(s.f, 1)(x)), x)
        ):
            same = (y.shape, y.dtype) == (shape, dtype)
            require(same, f"derivative {order} of {x}: got {y}")


def float64_is_preserved(s: Subject) -> None:
    """float64 inputs give float64 results."""
    for order, y in enumerate(derivatives(s.f, few(s.spec), np.float64)):
        require(y.dtype == np.float64, f"derivative {order} has dtype {y.dtype}")


def residuals_are_at_most_one_array(s: Subject) -> None:
    """The backward pass stores one array of the dtype of x at most."""

    def residuals(x: Array) -> list[Array]:
        leaves = jax.tree.leaves(jax.vjp(s.f, x)[1])
        return [r for r in leaves if jnp.shape(r) and r is not x]

    x = jax.ShapeDtypeStruct((8,), jnp.bfloat16)
    arrays = jax.eval_shape(residuals, x)
    wider = any(r.dtype.itemsize > x.dtype.itemsize for r in arrays)
    got = ", ".join(f"{r.dtype}{list(r.shape)}" for r in arrays)
    message = f"expected at most one array of the dtype of {x}, got {got}"
    require(len(arrays) <= 1 and not wider, message)


PROPERTIES: tuple[Property, ...] = (
    values_are_within_the_range,
    all_16_bit_inputs_are_correctly_rounded,
    float32_agrees_with_float64,
    values_and_derivatives_agree_with_the_reference,
    limits_at_infinity_are_correct,
    nan_propagates_to_values_and_derivatives,
    finite_inputs_give_finite_results,
    third_derivative_is_finite,
    third_derivative_is_continuous_at_0,
    derivatives_agree_with_differences,
    derivatives_at_kinks_are_as_declared,
    all_kinks_are_declared,
    forward_and_reverse_mode_agree,
    second_derivatives_agree_in_every_nesting,
    eager_jit_vmap_scan_and_checkpoint_agree,
    shape_and_dtype_are_preserved,
    float64_is_preserved,
    residuals_are_at_most_one_array,
)
"""All properties, in the order of a report."""

NEED_REFERENCE: tuple[Property, ...] = (
    values_and_derivatives_agree_with_the_reference,
    limits_at_infinity_are_correct,
)
"""The properties that compare with the mpmath reference."""


def require(condition: bool, message: str | Callable[[], str]) -> None:
    """Raise an AssertionError with the message unless the condition holds."""
    if not condition:
        raise AssertionError(message if isinstance(message, str) else message())


def few(spec: ActivationSpec) -> F64:
    """Return a few inputs in the domain, off the kinks."""
    return off_kinks(np.concatenate([FEW, -FEW]), spec)


def finite_kinks(spec: ActivationSpec) -> dict[float, float]:
    """Return the kinks with a declared derivative."""
    return {x: y for x, y in spec.kinks.items() if math.isfinite(y)}


def mode_inputs(spec: ActivationSpec) -> tuple[F64, NDArray[np.float32]]:
    """Return the inputs of `modes`: a few, the kinks, then NaN; and many for f'''."""
    points = np.full(NUM_POINTS, np.nan)
    inputs = np.append(few(spec), list(finite_kinks(spec)))
    points[: inputs.size] = inputs
    third = sample_inputs(np.float32, 2000, spec)
    third = np.resize(third[np.abs(third) < 1e4], 2048).astype(np.float32)
    if spec.domain[0] < 0 < spec.domain[1]:
        third[: len(AROUND_0)] = AROUND_0
    return points, third


@functools.lru_cache(maxsize=len(HALF))
def half_precision(f: Callable[..., Array], dtype: Any) -> tuple[Any, Any, Any]:
    """Return all inputs of a 16-bit dtype, the results, and those in float64."""
    xs = all_values(dtype)
    return xs, derivatives(f, xs, dtype), derivatives(f, xs, np.float64)


def required_reference(s: Subject, order: int) -> Callable[..., Any]:
    """Return the reference of the derivative of that order."""
    formula = s.spec.reference_of(order)
    if formula is None:
        raise ValueError("expected a reference, got none")
    return formula


def check_ulps(
    s: Subject,
    dtype: Any,
    order: int,
    xs: Any,
    got: Any,
    want: F64,
    lo: F64 | float = 0.0,
) -> None:
    """Require that the error is within the limit for the dtype and order."""
    name = np.dtype(dtype).name
    tolerance: F64 | float = 0.0
    if xs.size and (count := s.input_ulps.get(name, (0, 0, 0))[order]):
        slope = np.abs(evaluate(nth(s.f, order + 1), xs, np.float64))
        with np.errstate(over="ignore"):
            tolerance = count * slope * to_float64(np.spacing(np.abs(xs).astype(dtype)))
    tolerance = tolerance + zero_tolerance(s.f, s.spec, order, xs, dtype)
    error = ulps(got, want, lo, tolerance)
    limit = s.limits[name][order]
    require(
        not xs.size or error.max() <= limit,
        lambda: (
            f"derivative {order} in {name}: {worst_input(xs, got, want, error)}; "
            f"the limit is {limit} ulp"
        ),
    )


def check_modes(limit: float, x: F64, results: dict[str, Any], expected: str) -> None:
    """Require that all modes agree with one of them at the inputs, within ulp."""
    want = to_float64(results[expected])[: x.size]
    for mode, result in results.items():
        got = result[: x.size]
        error = ulps(got, want)
        message = lambda m=mode, g=got, e=error: f"{m}: {worst_input(x, g, want, e)}"
        require(bool((error <= limit).all()), message)
