"""User activations: pickles by value in another process, and freed when dropped."""

import copy
import gc
import pickle
import subprocess
import sys
import textwrap
import weakref

import cloudpickle
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jax_acts.linen
import jax_acts.nnx
from jax_acts import Bound, activation, with_kinks


def define(scale):
    """Return an activation that is defined inside of a function."""

    @activation(kinks={0.0: 0.0}, bounds={"slope": (0.0, 2.0)})
    def own(x, slope=0.5):
        return scale * jnp.where(x > 0, x, slope * x)

    @own.defderivative
    def own_dx(x, slope=0.5):
        return scale * jnp.where(x > 0, 1.0, slope) + 0 * x

    @own.defoutput(exact=True)
    def own_dy(y, slope=0.5):
        return scale * jnp.where(y > 0, 1.0, slope) + 0 * y

    return own


FORMS = {
    "function": lambda f: f,
    "derivative": lambda f: f.derivative,
    "second derivative": lambda f: f.derivative.derivative,
    "partial": lambda f: f.partial("slope"),
    "residuals": lambda f: f.with_residuals("input"),
    "output": lambda f: f.with_residuals("output"),
    "kinks": lambda f: with_kinks(f, {0.0: 0.25}),
    "both": lambda f: with_kinks(f, {0.0: 0.25}).with_residuals("int8"),
    "bound": lambda f: Bound(f, slope=0.25),
    "nnx": lambda f: jax_acts.nnx.Activation(f, slope=0.25),
}

LOAD = """
    import pickle, sys, jax, jax.numpy as jnp
    f = pickle.load(open(sys.argv[1], "rb"))
    x = jnp.array([-2.0, 0.0, 3.0])
    print(f(x).tolist(), jax.vmap(jax.grad(f))(x).tolist())
"""
SAVE = """
    import sys, cloudpickle, pickle, jax, jax.numpy as jnp
    import jax_acts

    @jax_acts.activation
    def silu(x):  # also the name of a function of the catalog
        return 3 * x

    @silu.defderivative
    def silu_dx(x):
        return 3 + 0 * x

    assert pickle.loads(pickle.dumps(silu)) is silu
    open(sys.argv[1], "wb").write(cloudpickle.dumps(silu))
"""


def run(script, *arguments):
    """Run a script in another process; return what it prints."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("form", FORMS)
def test_an_activation_of_a_function_is_copied_by_cloudpickle(form):
    f = FORMS[form](define(2.0))
    f(jnp.ones(1))  # compiled calls are not pickled
    again = cloudpickle.loads(cloudpickle.dumps(f))
    x = jnp.array([-2.0, 0.0, 3.0])
    np.testing.assert_array_equal(again(x), f(x))
    gradient = lambda g: jax.vmap(jax.grad(g))(x)
    np.testing.assert_array_equal(gradient(again), gradient(f))
    with pytest.raises((AttributeError, pickle.PicklingError), match="local"):
        pickle.dumps(f)


@pytest.mark.slow
def test_another_process_loads_what_cloudpickle_saved(tmp_path):
    f = define(2.0)
    path = tmp_path / "own"
    path.write_bytes(cloudpickle.dumps(f))
    assert run(LOAD, path) == "[-2.0, 0.0, 6.0] [1.0, 1.0, 2.0]\n"
    run(SAVE, path)
    assert run(LOAD, path) == "[-6.0, 0.0, 9.0] [3.0, 3.0, 3.0]\n"


def test_a_function_of_the_catalog_is_pickled_by_name(f):
    for dumps in (pickle.dumps, cloudpickle.dumps):
        for variant in (f, f.with_residuals("input"), f.derivative.derivative):
            text = dumps(variant)
            assert pickle.loads(text) is variant
            assert len(text) < 300
    assert copy.deepcopy(f) is copy.copy(f) is f


def test_a_copy_of_a_user_activation_is_the_same_object():
    f = define(2.0)
    assert copy.deepcopy([f])[0] is copy.copy(f) is f
    assert copy.deepcopy(Bound(f)) == Bound(f)


USES = {
    "call": lambda f: f(1.0),
    "array parameter": lambda f: f(jnp.ones(2), jnp.ones(2)),
    "scalar parameter": lambda f: f(1.0, 0.25),
    "grad": lambda f: jax.grad(f)(1.0),
    "second derivative": lambda f: jax.grad(jax.grad(f))(1.0),
    "vmap of grad": lambda f: jax.vmap(jax.grad(f))(jnp.ones(3)),
    "jit of grad": lambda f: jax.jit(jax.grad(f, (0, 1)))(1.0, 2.0),
    "derivative": lambda f: jax.grad(f.derivative)(1.0),
    "partial": lambda f: f.partial("slope")(1.0),
    "input": lambda f: jax.grad(f.with_residuals("input"))(1.0),
    "output": lambda f: jax.grad(f.with_residuals("output"))(1.0),
    "int8": lambda f: jax.grad(f.with_residuals("int8"))(1.0),
    "kinks": lambda f: jax.grad(with_kinks(f, {0.0: 0.25}))(1.0),
    "bound": lambda f: jax.grad(Bound(f, slope=0.25))(1.0),
    "linen": lambda f: jax_acts.linen.Activation(f).apply({}, jnp.ones(2)),
    "nnx": lambda f: jax_acts.nnx.Activation(f)(jnp.ones(2)),
}


@pytest.mark.parametrize("use", USES)
def test_a_user_activation_that_is_dropped_is_freed(use):
    references = []
    for i in range(3):
        f = define(float(i))
        USES[use](f)
        references.append(weakref.ref(f))
        del f
    gc.collect()
    assert [r() for r in references] == [None] * 3
