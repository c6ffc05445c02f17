"""Inputs that tell, and errors in units in the last place."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from jax_acts._core.activation import ActivationFunction
from jax_acts._core.compat import enable_x64
from jax_acts._core.spec import ActivationSpec

F64 = NDArray[np.float64]
BLOCK = 2**16  # which holds every number of 16 bits
_NO_SPEC = ActivationSpec()


def all_values(dtype: Any) -> NDArray[Any]:
    """Returns every number of a 16-bit dtype that is normal, zero, infinite or NaN.

    Backends flush subnormal inputs to zero, or not.
    """
    xs = np.arange(2**16, dtype=np.uint16).view(dtype)
    tiny, wide = float(ml_dtypes.finfo(dtype).tiny), to_float64(xs)
    return xs[(wide == 0) | ~(np.abs(wide) < tiny)]


def to_float64(xs: NDArray[Any]) -> F64:
    """Returns numbers of any dtype in float64, where each kind of NaN is NaN."""
    with np.errstate(invalid="ignore"):  # NumPy warns of signalling NaNs
        return xs.astype(np.float64)


def sample_inputs(
    dtype: Any, count: int, spec: ActivationSpec = _NO_SPEC, seed: int = 0
) -> F64:
    """Returns inputs of every order of magnitude, denser where exponentials live.

    They are numbers of the dtype, inside the domain, without the kinks.
    """
    rng = np.random.default_rng(seed)
    info = ml_dtypes.finfo(dtype)
    powers = 2.0 ** rng.uniform(info.minexp, info.maxexp, count // 4)
    near = 2.0 ** rng.uniform(-20, 4, count // 4)
    reach = 1.2 * np.log(float(info.max))
    wide = rng.uniform(-reach, reach, count // 4)
    xs = np.concatenate([powers, -powers, near, -near, wide, [0.0, 1.0, -1.0]])
    with np.errstate(over="ignore"):
        xs = np.unique(xs.astype(dtype).astype(np.float64))
    return off_kinks(xs, spec)


def off_kinks(xs: NDArray[Any], spec: ActivationSpec) -> NDArray[Any]:
    """Returns the inputs that are inside the domain and are no kinks."""
    return xs[smooth(xs, spec)]


def smooth(xs: NDArray[Any], spec: ActivationSpec) -> NDArray[np.bool_]:
    """Returns which inputs are inside the domain and are no kinks."""
    low, high = spec.domain
    wide = to_float64(xs)
    return (wide > low) & (wide < high) & ~np.isin(wide, list(spec.kinks))


def nth(f: Callable[..., Any], order: int) -> Callable[..., Any]:
    """Returns f, or its derivative of that order: its own, or that by autodiff."""
    if order == 0:
        return f
    if isinstance(f, ActivationFunction):
        return nth(f.derivative, order - 1)
    return nth(lambda x: jax.jvp(f, (x,), (jnp.ones_like(x),))[1], order - 1)


def evaluate(f: Callable[..., Any], xs: NDArray[Any], dtype: Any) -> Any:
    """Returns f at the inputs, computed in the dtype, float64 included."""
    with enable_x64(True), np.errstate(invalid="ignore", over="ignore"):
        return jax.tree.map(np.asarray, f(jnp.asarray(xs.astype(dtype))))


def derivatives(f: Callable[..., Any], xs: NDArray[Any], dtype: Any) -> list[Any]:
    """Returns f and its first two derivatives at the inputs.

    All come from one program for each dtype, which takes blocks of one size.
    """
    blocks = np.resize(xs, (max(1, -(-xs.size // BLOCK)), BLOCK))
    found = [evaluate(_program(f), block, dtype) for block in blocks]
    return [np.concatenate(order)[: xs.size] for order in zip(*found, strict=True)]


@functools.cache
def _program(f: Callable[..., Any]) -> Callable[..., Any]:
    return jax.jit(lambda x: [nth(f, order)(x) for order in range(3)])


def ulps(
    got: NDArray[Any],
    want: F64,
    rest: F64 | float = 0.0,
    forgiven: F64 | float = 0.0,
) -> F64:
    """Returns |got - (want + rest)| in units in the last place of the dtype of `got`.

    So much of it as `forgiven` says does not count.

    Results that are flushed to zero, or to the least normal number, are forgiven; so is
    infinity beyond the greatest number. NaN is infinitely far from a number; where
    `want` is NaN nothing is wanted.
    """
    info = ml_dtypes.finfo(got.dtype)
    tiny, top = float(info.tiny), float(info.max)
    half_ulp = float(np.ldexp(1.0, info.maxexp - 2 - info.nmant))
    got = to_float64(got)
    size = np.abs(want)
    _, exponent = np.frexp(np.clip(size, tiny, top))
    with np.errstate(invalid="ignore", over="ignore"):
        error = np.maximum(np.abs((got - want) - rest) - forgiven, 0)
        error = error / np.ldexp(1.0, exponent - 1 - info.nmant)
        error[(size < tiny) & (np.abs(got) <= tiny)] = 0
        error[(size >= top + half_ulp) & (np.abs(got) >= top) & (got * want > 0)] = 0
    error[got == want] = 0
    error[np.isnan(got) & ~np.isnan(want)] = np.inf
    error[np.isnan(want)] = 0
    return error


def same_limit(got: float, want: float, dtype: Any) -> bool:
    """Returns whether a result is the limit; NaN is where there is none.

    `limit` is good to 1e-6, the dtype to its last place.
    """
    rtol = max(1e-6, 2 * float(ml_dtypes.finfo(dtype).eps))
    return bool(np.allclose(got, want, rtol=rtol, atol=0, equal_nan=True))


def worst_input(xs: NDArray[Any], got: NDArray[Any], want: F64, error: F64) -> str:
    """Returns the greatest error as a clause that names the input."""
    i = int(np.argmax(error))
    x, y, z = (float(a[i]) for a in (xs, got, want))
    return f"{error[i]:.3g} ulp off at x = {x!r}: {y!r}, not {z!r}"
