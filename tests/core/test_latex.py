"""Formulas: extracted from docstrings, converted to Unicode."""

from jax_acts import ActivationFunction
from jax_acts._core.latex import formula, to_unicode
from jax_acts._registry.lookup import FUNCTIONS
from tests.conftest import ACTIVATIONS, check_each


def test_every_formula_is_readable():
    check_each(is_readable, ACTIVATIONS.values())


def is_readable(f):
    text = to_unicode(formula(f))
    assert isinstance(f, ActivationFunction)
    assert "\\" not in text
    assert "$" not in text
    assert text.count("(") == text.count(")")


def test_formulas_are_those_of_the_docstring():
    assert to_unicode(formula(FUNCTIONS["sigmoid"])) == "σ(x) = 1 / (1 + e⁻ˣ)"
    assert to_unicode(formula(FUNCTIONS["relu"])) == "max(x, 0)"
    assert to_unicode(formula(FUNCTIONS["step"])) == "1 if x ≥ θ, else 0"
    assert to_unicode(r"$\sum_j e^{x_j - \max_k x_k}$") == "∑ⱼ e^(xⱼ − maxₖ xₖ)"
