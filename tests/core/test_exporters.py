"""`without_custom_jvp` of every function in jax2onnx and folx.

    pip install jax2onnx onnxruntime folx     in an environment of their own

jax2onnx 0.17 requires mpmath < 1.4, so the tests are skipped where it is missing.
"""

import logging

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jax_acts._registry.lookup import FUNCTIONS
from tests.conftest import check_each

BY_NAME = {f.__name__: f for f in FUNCTIONS.values()}
X = np.linspace(-3.95, 4, 42, dtype=np.float32).reshape(3, 14)
NO_ONNX = {
    # Loops whose carries jax2onnx gives other dtypes than their types.
    *("entmax", "entmax15", "sparsemax"),
    # jax2onnx converts the key to NumPy.
    "gumbel_softmax",
}
NO_FOLX: set[str] = set()

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]  # of the packages


def value(f):
    """Return the value rule as a function of one array, without noise."""
    arguments = {"key": jax.random.key(0)} if "key" in f.parameters else {}
    if "training" in f.parameters:
        arguments["training"] = False
    return lambda x: f.without_custom_jvp(x, **arguments)


def test_onnx_runtime_computes_the_values():
    why = "needs pip install jax2onnx onnxruntime"
    jax2onnx = pytest.importorskip("jax2onnx", reason=why)
    runtime = pytest.importorskip("onnxruntime", reason=why)
    logging.disable(logging.WARNING)

    def check(name):
        f = value(BY_NAME[name])
        model = jax2onnx.to_onnx(f, [jax.ShapeDtypeStruct(X.shape, X.dtype)])
        session = runtime.InferenceSession(
            model.SerializeToString(), providers=["CPUExecutionProvider"]
        )
        (got,) = session.run(None, {session.get_inputs()[0].name: X})
        # ONNX Runtime computes its own e^x, erf and tanh.
        np.testing.assert_allclose(got, jax.jit(f)(X), rtol=2e-5, atol=2e-5)

    check_each(check, [n for n in BY_NAME if n not in NO_ONNX])


def test_folx_computes_the_laplacian():
    folx = pytest.importorskip("folx", reason="needs pip install folx")
    x = X.ravel()[::3]  # an even number, for gated units

    def check(name):
        loss = lambda x: jnp.sum(jnp.sin(value(BY_NAME[name])(x)))
        # Of a constant, there is none.
        got = lambda x: getattr(folx.forward_laplacian(loss)(x), "laplacian", 0.0)
        both = lambda x: (got(x), jnp.trace(jax.hessian(loss)(x)))
        laplacian, want = jax.jit(both)(x)
        np.testing.assert_allclose(laplacian, want, rtol=1e-3, atol=1e-3)

    check_each(check, [n for n in BY_NAME if n not in NO_FOLX])
