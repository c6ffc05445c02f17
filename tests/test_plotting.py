"""Plots show the curves, jumps and kinks, and are deterministic files."""

import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from matplotlib.figure import Figure

from jax_acts import leaky_relu
from jax_acts._core.curves import curve
from jax_acts._registry.lookup import get
from jax_acts.plotting import plot

TITLES = ["$f(x)$", "$f'(x)$", "$f''(x)$"]


def lines(axes):
    """Return the curves of a panel by label."""
    return {
        line.get_label(): line.get_xydata()
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


@pytest.mark.slow
def test_every_activation_has_a_plot(f):
    figure = plot(f)
    figure.draw_without_rendering()  # without a warning
    assert [axes.get_title("left") for axes in figure.axes] == TITLES
    assert figure.get_suptitle().startswith(f.__name__)


def test_a_curve_has_the_values_of_the_function():
    figure = plot(["silu", "leaky_relu(0.2)"], range=(-3, 3))
    for order, axes in enumerate(figure.axes):
        curves = lines(axes)
        assert list(curves) == ["silu", "leaky_relu(negative_slope=0.2)"]
        x, y = curves["silu"].T
        np.testing.assert_allclose(y, curve(get("silu"), order)(x), atol=1e-12)
        assert axes.get_xlim() == (-3, 3)


def test_a_curve_has_a_gap_at_a_jump_and_marks_limits_and_value():
    derivative = plot("leaky_relu(0.25)").axes[1]
    x, y = lines(derivative)["leaky_relu(negative_slope=0.25)"].T
    (gap,) = np.flatnonzero(np.isnan(y))
    assert x[gap] == 0
    np.testing.assert_allclose(y[[gap - 1, gap + 1]], [0.25, 1])
    circles, dot = (line.get_xydata().tolist() for line in derivative.lines[1:3])
    np.testing.assert_allclose(circles, [[0, 0.25], [0, 1]])
    assert dot == [[0, 1]]


def test_kinks_are_marked_where_the_arguments_place_them():
    f = plot("hard_sigmoid(slope=0.25)").axes[0]
    dots = [line.get_xydata()[0] for line in f.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots, [[-2, 0], [2, 1]], atol=1e-9)


def test_steep_curves_are_clipped_and_constants_have_a_margin():
    f, derivative, _ = plot("relu_cubed").axes
    assert f.get_ylim()[1] < 7
    assert derivative.get_ylim()[1] < 4
    low, high = plot("relu").axes[2].get_ylim()
    assert low < -0.4
    assert high > 0.4


def test_functions_of_other_libraries_are_plotted():
    figure = plot([jax.nn.silu, jnp.sin, lambda x: x**3])
    assert list(lines(figure.axes[2])) == ["silu", "sin", "<lambda>"]
    x, y = lines(figure.axes[2])["<lambda>"].T
    np.testing.assert_allclose(y, 6 * x, atol=1e-9)


def test_equal_plots_are_equal_files(tmp_path):
    for ending in ("svg", "pdf", "png"):
        paths = [tmp_path / f"{i}.{ending}" for i in (1, 2)]
        for path in paths:
            plot(["relu", "tanh"], path)
        assert paths[0].read_bytes() == paths[1].read_bytes(), ending


def test_a_plot_may_omit_derivatives_or_use_given_axes():
    assert len(plot("tanh", derivatives=False).axes) == 1
    figure = Figure()
    axes = figure.subplots(1, 2)
    assert plot(["relu", "tanh"], axes=list(axes)) is figure
    assert [a.get_title("left") for a in axes] == TITLES[:2]
    assert axes[0].get_legend() is not None


def test_eighteen_curves_have_different_styles():
    slopes = [get(leaky_relu, negative_slope=i / 20) for i in range(18)]
    curves = plot(slopes, derivatives=False).axes[0].lines
    styles = {
        (line.get_color(), line.get_linestyle())
        for line in curves
        if line.get_label()[0] != "_"
    }
    assert len(styles) == 18


@pytest.mark.parametrize(
    ("activations", "options", "message"),
    [
        ([], {}, "expected at least one activation"),
        ("relu", {"range": (1, 1)}, "range: expected low < high"),
        ("relu", {"range": (0, np.inf)}, "range: expected low < high"),
        (jax.nn.softmax, {}, "expected an elementwise function"),
        (jax.nn.logsumexp, {}, "expected an elementwise function"),
        (lambda x, y: x + y, {}, "expected a function of x only"),
        ("sliu", {}, "did you mean 'silu'"),
    ],
)
def test_an_invalid_plot_is_an_error_and_writes_no_file(
    activations, options, message, tmp_path
):
    with pytest.raises(ValueError, match=message):
        plot(activations, tmp_path / "f.png", **options)
    assert list(tmp_path.iterdir()) == []


def test_the_error_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.delitem(sys.modules, "jax_acts.plotting")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install 'jax-acts\[plots\]'"):
        __import__("jax_acts.plotting")
