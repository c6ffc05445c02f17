"""Coefficients of units that learn their shape, started from another activation.

    fit("gelu", "rational")  ->  rational(numerator=Learn((…)), denominator=Learn((…)))

Splines and Chebyshev series are linear in their coefficients, and so are fitted by
least squares at once. Rational functions start from the quotient whose error, times its
denominator, is least; then the error itself is made small.
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
from jax_acts._core.errors import did_you_mean
from jax_acts._registry.lookup import Describable, get
from jax_acts.functional import b_spline, chebyshev

POINTS = 401
_DIGITS = 6  # of the coefficients: a spec stays short, and learning moves them anyway


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
    """Returns a unit whose coefficients are learned, and start near an activation.

    >>> fit("tanh", "chebyshev", coefficients=4)
    Bound('chebyshev(coefficients=Learn((0.0, 1.2386, 0.0, -0.336047)))')
    >>> unit = fit("gelu")
    >>> round(float(abs(unit(2.0) - get("gelu")(2.0))), 2)
    0.0

    Args:
        activation: An elementwise function, or anything that `get` takes.
        unit: "rational", "b_spline" or "chebyshev".
        interval: Where the two are to agree; beyond it they may differ widely. It is
            the grid of a spline too, and the interval of a Chebyshev series.
        degrees: Those of the numerator and the denominator of a rational function.
        coefficients: How many a spline or a Chebyshev series has.
        per_feature: Whether each feature learns its own coefficients.
        **static: The other static arguments of the unit: `form`, `degree`, `outside`.

    Raises:
        ValueError: There is no such unit, the activation is not elementwise or not
            finite on the interval, or the interval is empty.
        TypeError: The unit has no such argument.
    """
    if unit not in _UNITS:
        raise ValueError(
            f"fit makes {', '.join(_UNITS)}, not {unit!r}{did_you_mean(unit, list(_UNITS))}"
        )
    low, high = interval
    if not low < high:
        raise ValueError(f"interval is two numbers, the lower first, not {interval!r}")
    # Denser near the ends, where polynomials err most.
    x = (low + high) / 2 - (high - low) / 2 * np.cos(np.linspace(0, np.pi, POINTS))
    y = curve(get(activation))(x)
    if not np.isfinite(y).all():
        raise ValueError(f"{get(activation)} is not finite from {low} to {high}")
    size = degrees if unit == "rational" else coefficients
    rows, fixed = _UNITS[unit](x, y, size, static)
    learned = {n: Learn(_rounded(row), per_feature) for n, row in rows.items()}
    return get(unit, **learned, **fixed)


def _linear(unit: Callable[..., Any], place: str) -> Callable[..., Any]:
    """Returns a fit by linear least squares; `place` is where x lies, of the unit."""

    def fitted(
        x: F64, y: F64, count: int, static: dict[str, Any]
    ) -> tuple[dict[str, F64], dict[str, Any]]:
        fixed = {place: (float(x[0]), float(x[-1])), **static}
        with enable_x64(True):
            columns = jnp.tile(jnp.asarray(x)[:, None], count)
            basis = unit(columns, jnp.eye(count), **fixed)  # in each, one of them is 1
        c = np.linalg.lstsq(np.asarray(basis), y)[0].astype(np.float64)
        return {"coefficients": c}, fixed

    return fitted


def _rational(
    x: F64, y: F64, degrees: tuple[int, int], static: dict[str, Any]
) -> tuple[dict[str, F64], dict[str, Any]]:
    """Returns the fit by a rational function."""
    from scipy.optimize import least_squares  # not needed to import jax_acts

    form = {"form": "A", **static}["form"]
    m, n = degrees
    above = np.vander(x, m + 1, increasing=True)
    below = np.vander(np.abs(x) if form == "A" else x, n + 1, increasing=True)
    start = _linearised(above, below[:, 1:], y, 0.0 if form == "A" else -np.inf)
    least = 1.0
    if form == "C":  # 1 is 0.1 + 0.9
        least, start = 0.1, np.insert(start, m + 1, 0.9)
    else:
        below = below[:, 1:]
    signs = lambda v: np.where(v < 0, -1.0, 1.0)

    def parts(c: F64) -> tuple[F64, F64, F64]:
        """Returns P, Q and the derivatives of Q in its coefficients."""
        p, b = c[: m + 1], c[m + 1 :]
        slopes = below * (signs(b) if form == "A" else signs(below @ b)[:, None])
        return above @ p, least + slopes @ b, slopes

    def error(c: F64) -> F64:
        p, q, _ = parts(c)
        return p / q - y

    def jacobian(c: F64) -> F64:
        p, q, slopes = parts(c)
        return np.concatenate([above, -slopes * (p / q)[:, None]], 1) / q[:, None]

    options: dict[str, Any] = {"jac": jacobian, "x_scale": "jac", "max_nfev": 300}
    found = least_squares(error, start, **options).x
    p, b = found[: m + 1], found[m + 1 :]
    return {"numerator": p, "denominator": np.abs(b) if form == "A" else b}, static


def _linearised(above: F64, below: F64, y: F64, low: float) -> F64:
    """Returns the coefficients for which (P - Q y) / Q is least, Q that of before.

    Those of the denominator are not below `low`.
    """
    from scipy.optimize import lsq_linear

    q, m = np.ones_like(y), above.shape[1]
    bounds = np.concatenate([np.full(m, -np.inf), np.full(below.shape[1], low)])
    c = np.zeros(len(bounds))
    for _ in range(8):
        matrix = np.concatenate([above, -below * y[:, None]], 1) / q[:, None]
        c = lsq_linear(matrix, y / q, (bounds, np.inf)).x
        q = np.maximum(np.abs(1 + below @ c[m:]), 0.1)
    return c


def _rounded(row: NDArray[Any]) -> tuple[float, ...]:
    """Returns coefficients of a few digits; what is nothing beside the others is 0."""
    size = np.abs(row).max()
    row = np.where(np.abs(row) < 1e-9 * size, 0, row)
    return tuple(float(f"{c:.{_DIGITS}g}") + 0.0 for c in row)


_UNITS: dict[str, Callable[..., Any]] = {
    "rational": _rational,
    "b_spline": _linear(b_spline, "grid"),
    "chebyshev": _linear(chebyshev, "interval"),
}
