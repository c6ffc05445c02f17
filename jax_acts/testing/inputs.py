"""Inputs that cover all magnitudes."""

import functools
from typing import Any

import ml_dtypes
import numpy as np
from numpy.typing import NDArray

from jax_acts._core.spec import ActivationSpec
from jax_acts.testing.ulp import F64, to_float64

_NO_SPEC = ActivationSpec()


def all_values(dtype: Any) -> NDArray[Any]:
    """Return every normal, zero, infinite or NaN value of a 16-bit dtype.

    Subnormal inputs are left out, as some backends flush them to zero.
    """
    xs = np.arange(2**16, dtype=np.uint16).view(dtype)
    tiny, wide = float(ml_dtypes.finfo(dtype).tiny), to_float64(xs)
    return xs[(wide == 0) | ~(np.abs(wide) < tiny)]


def sample_inputs(
    dtype: Any, count: int, spec: ActivationSpec = _NO_SPEC, seed: int = 0
) -> F64:
    """Return sorted inputs of every magnitude, denser where e^x is a normal number.

    They are values of the dtype inside the domain, without the kinks.
    """
    return off_kinks(_draw(np.dtype(dtype), count, seed), spec)


@functools.cache
def _draw(dtype: Any, count: int, seed: int) -> F64:
    rng = np.random.default_rng(seed)
    info = ml_dtypes.finfo(dtype)
    powers = 2.0 ** rng.uniform(info.minexp, info.maxexp, count // 4)
    near = 2.0 ** rng.uniform(-20, 4, count // 4)
    exp_range = 1.2 * np.log(float(info.max))
    wide = rng.uniform(-exp_range, exp_range, count // 4)
    xs = np.concatenate([powers, -powers, near, -near, wide, [0.0, 1.0, -1.0]])
    with np.errstate(over="ignore"):
        return np.unique(xs.astype(dtype).astype(np.float64))


def off_kinks(xs: NDArray[Any], spec: ActivationSpec) -> NDArray[Any]:
    """Return the inputs inside the domain that are not kinks."""
    return xs[is_smooth(xs, spec)]


def is_smooth(xs: NDArray[Any], spec: ActivationSpec) -> NDArray[np.bool_]:
    """Return the mask of inputs inside the domain that are not kinks."""
    low, high = spec.domain
    wide = to_float64(xs)
    return (wide > low) & (wide < high) & ~np.isin(wide, list(spec.kinks))
