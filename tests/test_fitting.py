"""Fits of learnable functions to another activation."""

import numpy as np
import pytest

from jax_acts import Bound, Learn, fit, get

GRID = np.linspace(-4, 4, 201)


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"unit": "rational"}, 5e-3),
        ({"unit": "rational", "form": "B"}, 5e-3),
        ({"unit": "rational", "form": "C"}, 5e-3),
        ({"unit": "b_spline", "outside": "zero"}, 1e-2),
        ({"unit": "chebyshev", "coefficients": 16}, 1e-3),
    ],
    ids=str,
)
def test_a_fit_approximates_and_round_trips_through_specs(arguments, error):
    result = fit("gelu", **arguments)
    assert isinstance(result, Bound)
    assert set(result.learned) == set(result.function.coefficients)
    np.testing.assert_allclose(result(GRID), get("gelu")(GRID), atol=error)
    assert get(str(result)) == result == get(result.to_dict())
    assert hash(get(str(result))) == hash(result)


def test_a_fit_recovers_exact_coefficients():
    coefficients = (0.5, -1.0, 0.25, 2.0, -0.5)
    result = fit(
        get("chebyshev", coefficients=coefficients), "chebyshev", coefficients=5
    )
    assert result.learned == {"coefficients": Learn(coefficients)}
    target = get("rational((0, 1, 2), (0.5, 0.25))")
    result = fit(target, degrees=(2, 2), per_feature=True)
    np.testing.assert_allclose(result(GRID), target(GRID), atol=1e-4)
    assert result.learned["numerator"].per_feature


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("gelu", "spline"), "did you mean 'b_spline'"),
        (("softmax",), "expected an elementwise function"),
        (("log1mexp",), "expected finite values of log1mexp"),
        (("gelu", "rational", (1, -1)), "interval: expected low < high"),
    ],
)
def test_invalid_arguments_of_fit_raise(arguments, message):
    activation, *unit = arguments
    interval = {"interval": unit.pop()} if len(unit) > 1 else {}
    with pytest.raises(ValueError, match=message):
        fit(activation, *unit, **interval)
