"""Values of every function that is not elementwise, against its NumPy formula."""

import numpy as np
import pytest

from jax_acts._core.compat import enable_x64
from tests.functional.cases import NON_ELEMENTWISE, cases, differentiable
from tests.functional.formulas import FORMULAS


def test_every_function_has_a_formula():
    assert FORMULAS.keys() == NON_ELEMENTWISE.keys()


# Error limits in eps of the largest value. Measured: chebyshev 10 (float32) and 16
# (float64), where terms cancel; entmax(alpha=1.01) 41 (float64), where a rounding error
# is raised to the power 100; all others 2. The tests of the families are stricter.
MAX_ERROR = {np.float32: 20, np.float64: 80}


@pytest.mark.parametrize("dtype", MAX_ERROR)
@pytest.mark.parametrize("name", NON_ELEMENTWISE)
def test_values_match_the_formula(name, dtype):
    for case in cases(name):
        arrays = [
            n for n in differentiable(name) if isinstance(case.get(n), np.ndarray)
        ]
        arguments = {**case, **{n: case[n].astype(dtype) for n in arrays}}
        wide = {n: arguments[n].astype(np.float64) for n in arrays}
        if name == "gumbel_softmax":  # The noise depends on the dtype.
            wide = arguments
        with enable_x64(dtype == np.float64):
            want = FORMULAS[name](**{**case, **wide})
            got = NON_ELEMENTWISE[name](**arguments)
        assert got.dtype == dtype
        limit = MAX_ERROR[dtype] * np.finfo(dtype).eps * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=limit, err_msg=str(case))
