"""Pictures show what the functions do, and are the same each time."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from jax_acts import ActivationFunction, leaky_relu
from jax_acts._core.curves import curve, find_jumps
from jax_acts._core.latex import formula, to_unicode
from jax_acts._registry.lookup import FUNCTIONS, get
from jax_acts.plotting import plot

TITLES = ["$f(x)$", "$f'(x)$", "$f''(x)$"]


def lines(axes):
    """Returns the curves of a panel by label."""
    return {
        line.get_label(): line.get_xydata()
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


@pytest.mark.slow
def test_every_activation_has_a_picture(f, tmp_path):
    figure = plot(f, tmp_path / "f.png")  # and warns of nothing
    assert [axes.get_title("left") for axes in figure.axes] == TITLES
    assert figure.get_suptitle().startswith(f.__name__)
    assert (tmp_path / "f.png").stat().st_size > 5000


def test_a_curve_goes_through_the_values_of_the_function():
    figure = plot(["silu", "leaky_relu(0.2)"], range=(-3, 3))
    for order, axes in enumerate(figure.axes):
        drawn = lines(axes)
        assert list(drawn) == ["silu", "leaky_relu(negative_slope=0.2)"]
        x, y = drawn["silu"].T
        np.testing.assert_allclose(y, curve(get("silu"), order)(x), atol=1e-12)
        assert axes.get_xlim() == (-3, 3)


def test_a_curve_is_broken_where_it_jumps_and_shows_the_value_taken():
    slope = plot("leaky_relu(0.25)").axes[1]
    x, y = lines(slope)["leaky_relu(negative_slope=0.25)"].T
    (gap,) = np.flatnonzero(np.isnan(y))
    assert x[gap] == 0
    np.testing.assert_allclose(y[[gap - 1, gap + 1]], [0.25, 1])
    circles, dot = (line.get_xydata().tolist() for line in slope.lines[1:3])
    np.testing.assert_allclose(circles, [[0, 0.25], [0, 1]])
    assert dot == [[0, 1]]


def test_kinks_are_marked_where_the_arguments_put_them():
    f = plot("hard_sigmoid(slope=0.25)").axes[0]
    dots = [line.get_xydata()[0] for line in f.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, [[-2, 0], [2, 1]], atol=1e-9)


def test_jumps_are_found_wherever_they_are():
    for place in (0.0, 1 / 3, -2.0, 1.9, np.pi):
        for at in (0.0, 0.5, 1.0):
            f = lambda x, c=place, v=at: np.heaviside(np.asarray(x) - c, v)
            (jump,) = find_jumps(f, np.linspace(-6, 6, 2000))
            assert jump.x == pytest.approx(place, abs=1e-8)
            assert (jump.left, jump.right) == (0, 1)
    steep = lambda x: np.tanh(1e4 * np.asarray(x))
    assert find_jumps(steep, np.linspace(-6, 6, 2000)) == []


def test_steep_curves_are_cut_off_and_constants_have_room():
    f, slope, _ = plot("relu_cubed").axes
    assert f.get_ylim()[1] < 7
    assert slope.get_ylim()[1] < 4
    low, high = plot("relu").axes[2].get_ylim()
    assert low < -0.4
    assert high > 0.4


def test_functions_from_elsewhere_are_drawn_too():
    figure = plot([jax.nn.silu, jnp.sin, lambda x: x**3])
    assert list(lines(figure.axes[2])) == ["silu", "sin", "<lambda>"]
    x, y = lines(figure.axes[2])["<lambda>"].T
    np.testing.assert_allclose(y, 6 * x, atol=1e-9)


def test_the_same_plot_is_the_same_file(tmp_path):
    for ending in ("svg", "pdf", "png"):
        paths = [tmp_path / f"{i}.{ending}" for i in (1, 2)]
        for path in paths:
            plot(["relu", "tanh"], path)
        assert paths[0].read_bytes() == paths[1].read_bytes(), ending


def test_a_picture_may_leave_out_derivatives_or_go_on_given_axes():
    assert len(plot("tanh", derivatives=False).axes) == 1
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert plot(["relu", "tanh"], axes=list(axes)) is figure
    assert [a.get_title("left") for a in axes] == TITLES[:2]
    assert axes[0].get_legend() is not None


def test_eighteen_curves_all_look_different():
    slopes = [get(leaky_relu, negative_slope=i / 20) for i in range(18)]
    drawn = plot(slopes, derivatives=False).axes[0].lines
    looks = {
        (line.get_color(), line.get_linestyle())
        for line in drawn
        if line.get_label()[0] != "_"
    }
    assert len(looks) == 18


@pytest.mark.parametrize(
    ("activations", "options", "complaint"),
    [
        ([], {}, "nothing to draw"),
        ("relu", {"range": (1, 1)}, "nothing to draw"),
        ("relu", {"range": (0, np.inf)}, "nothing to draw"),
        (jax.nn.softmax, {}, "not elementwise"),
        (jax.nn.logsumexp, {}, "not elementwise"),
        (lambda x, y: x + y, {}, "not a function of x alone"),
        ("sliu", {}, "did you mean 'silu'"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_nothing_is_written(
    activations, options, complaint, tmp_path
):
    with pytest.raises(ValueError, match=complaint):
        plot(activations, tmp_path / "f.png", **options)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax_acts.plotting")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'jax-acts\[plots\]'"):
        __import__("jax_acts.plotting")


def test_every_formula_is_readable(f):
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
