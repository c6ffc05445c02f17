"""`without_custom_jvp` agrees with the call for all arguments."""

import jax
import jax.numpy as jnp
import numpy as np

from jax_acts.testing import off_kinks

X = np.linspace(-4, 4, 42, dtype=np.float32)  # without 0


def scalar_arguments(f):
    """Yield each differentiable argument with a value that is not the default."""
    for name in f.parameters[1:]:
        default = f.signature.parameters[name].default
        if isinstance(default, float) and name not in f.static:
            low, high = f.spec.bounds.get(name, (-np.inf, np.inf))
            yield {name: float(np.clip(1.5 * default + 0.25, low, high))}


def test_python_scalars_give_the_results_of_the_call(f):
    @jax.jit
    def results(x):
        return [
            (g(x, **arguments), g.without_custom_jvp(x, **arguments))
            for arguments in scalar_arguments(f)
            for g in (f, f.derivative, f.derivative.derivative)
        ]

    for called, without in results(jnp.asarray(off_kinks(X, f.spec))):
        # XLA may contract other products and sums to FMAs.
        np.testing.assert_allclose(without, called, rtol=1e-5, atol=1e-6)
