"""Fit learnable units to an activation.

    fit("gelu", "rational")  ->  rational(numerator=Learn((…)), denominator=Learn((…)))

Splines and Chebyshev series are linear in their coefficients: one least-squares solve.
Rational functions start from the linearized problem, whose error is multiplied by the
denominator, and continue by nonlinear least squares.
"""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from jax_acts._core.arguments import Learn
from jax_acts._core.bound import Bound
from jax_acts._core.compat import enable_x64
from jax_acts._core.curves import F64, curve
from jax_acts._core.errors import check_choice
from jax_acts._registry.lookup import Describable, get
from jax_acts.functional import b_spline, chebyshev

POINTS = 401
_DIGITS = 6  # decimal digits of the coefficients: keeps specs short


def fit(
    activation: Describable,
    unit: str = "rational",
    *,
    interval: tuple[float, float] = (-4.0, 4.0),
    degrees: tuple[int, int] = (5, 4),
    coefficients: int = 11,
    per_feature: bool = False,
    **static: Any,
) -> Bound:
    """Return a unit with learned coefficients that approximates an activation.

    >>> fit("tanh", "chebyshev", coefficients=4)
    Bound('chebyshev(coefficients=Learn((0.0, 1.2386, 0.0, -0.336047)))')
    >>> unit = fit("gelu")
    >>> round(float(abs(unit(2.0) - get("gelu")(2.0))), 2)
    0.0

    Args:
        activation: An elementwise function, or anything that `get` accepts.
        unit: "rational", "b_spline" or "chebyshev".
        interval: The interval of the fit; outside the two may differ. It is also the
            grid of a spline and the interval of a Chebyshev series.
        degrees: The degrees of numerator and denominator of a rational function.
        coefficients: The number of coefficients of a spline or a Chebyshev series.
        per_feature: Whether each feature has its own coefficients.
        **static: Further static arguments of the unit: `form`, `degree`, `outside`.

    Raises:
        ValueError: The unit is unknown, the activation is not elementwise or not finite
            on the interval, or the interval is empty.
        TypeError: The unit does not have a static argument.
    """
    check_choice("fit", "unit", unit, tuple(_FITS))
    low, high = interval
    if not low < high:
        raise ValueError(f"fit: interval: expected low < high, got {interval!r}")
    # Chebyshev nodes are denser at the ends, where polynomial errors are largest.
    x = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, np.pi, POINTS))
    y = curve(get(activation))(x)
    if not np.isfinite(y).all():
        raise ValueError(
            f"fit: expected finite values of {get(activation)} on {interval}, got "
            f"{y[~np.isfinite(y)][0]}"
        )
    size = degrees if unit == "rational" else coefficients
    values, static = _FITS[unit](x, y, size, static)
    learned = {n: Learn(_round(c), per_feature) for n, c in values.items()}
    return get(unit, **learned, **static)


def _linear_fit(unit: Callable[..., Any], interval_name: str) -> Callable[..., Any]:
    """Return a linear least-squares fit; `interval_name` is the unit's argument."""

    def fit(
        x: F64, y: F64, count: int, static: dict[str, Any]
    ) -> tuple[dict[str, F64], dict[str, Any]]:
        static = {interval_name: (float(x[0]), float(x[-1])), **static}
        with enable_x64(True):
            columns = jnp.tile(jnp.asarray(x)[:, None], count)
            basis = unit(columns, jnp.eye(count), **static)
        c = np.linalg.lstsq(np.asarray(basis), y)[0].astype(np.float64)
        return {"coefficients": c}, static

    return fit


def _rational_fit(
    x: F64, y: F64, degrees: tuple[int, int], static: dict[str, Any]
) -> tuple[dict[str, F64], dict[str, Any]]:
    """Fit P(x) / Q(x) by nonlinear least squares."""
    from scipy.optimize import least_squares  # not needed by `import jax_acts`

    form = {"form": "A", **static}["form"]
    m, n = degrees
    above = np.vander(x, m + 1, increasing=True)
    below = np.vander(np.abs(x) if form == "A" else x, n + 1, increasing=True)
    start = _linearized_fit(above, below[:, 1:], y, 0.0 if form == "A" else -np.inf)
    constant = 1.0
    if form == "C":  # 1 = 0.1 + 0.9
        constant, start = 0.1, np.insert(start, m + 1, 0.9)
    else:
        below = below[:, 1:]
    signs = lambda v: np.where(v < 0, -1.0, 1.0)

    def evaluate(c: F64) -> tuple[F64, F64, F64]:
        """Return P, Q and dQ/db for the denominator coefficients b."""
        p, b = c[: m + 1], c[m + 1 :]
        dq = below * (signs(b) if form == "A" else signs(below @ b)[:, None])
        return above @ p, constant + dq @ b, dq

    def residual(c: F64) -> F64:
        p, q, _ = evaluate(c)
        return p / q - y

    def jacobian(c: F64) -> F64:
        p, q, dq = evaluate(c)
        return np.concatenate([above, -dq * (p / q)[:, None]], 1) / q[:, None]

    options: dict[str, Any] = {"jac": jacobian, "x_scale": "jac", "max_nfev": 300}
    solution = least_squares(residual, start, **options).x
    p, b = solution[: m + 1], solution[m + 1 :]
    return {"numerator": p, "denominator": np.abs(b) if form == "A" else b}, static


def _linearized_fit(above: F64, below: F64, y: F64, lower_bound: float) -> F64:
    """Minimize (P - Q y) / Q with the Q of the previous iteration as divisor.

    The coefficients of the denominator are at least `lower_bound`.
    """
    from scipy.optimize import lsq_linear

    q, m = np.ones_like(y), above.shape[1]
    lower = np.concatenate([np.full(m, -np.inf), np.full(below.shape[1], lower_bound)])
    c = np.zeros(len(lower))
    for _ in range(8):
        matrix = np.concatenate([above, -below * y[:, None]], 1) / q[:, None]
        c = lsq_linear(matrix, y / q, (lower, np.inf)).x
        q = np.maximum(np.abs(1 + below @ c[m:]), 0.1)
    return c


def _round(c: NDArray[Any]) -> tuple[float, ...]:
    """Round coefficients to `_DIGITS`; below 1e-9 of the largest they become 0."""
    c = np.where(np.abs(c) < 1e-9 * np.abs(c).max(), 0, c)
    return tuple(float(f"{v:.{_DIGITS}g}") + 0.0 for v in c)


_FITS: dict[str, Callable[..., Any]] = {
    "rational": _rational_fit,
    "b_spline": _linear_fit(b_spline, "grid"),
    "chebyshev": _linear_fit(chebyshev, "interval"),
}
