"""Values of every function of several elements, against its formula in float64."""

import numpy as np
import pytest

from jax_acts._core.compat import enable_x64
from tests.functional.cases import SEVERAL, cases, differentiable
from tests.functional.formulas import FORMULAS


def test_every_function_has_a_formula():
    assert FORMULAS.keys() == SEVERAL.keys()


MAX_ULP = {np.float32: 20, np.float64: 80}
"""In ulp of the greatest value. chebyshev reaches 10 and 16, as its terms cancel;
entmax(alpha=1.01) 41 in float64, as a rounding error is raised to the power of 100; the
others 2. The tests of each family have tighter bounds."""


@pytest.mark.parametrize("dtype", MAX_ULP)
@pytest.mark.parametrize("name", SEVERAL)
def test_values_agree_with_the_formula(name, dtype):
    for case in cases(name):
        arrays = [
            n for n in differentiable(name) if isinstance(case.get(n), np.ndarray)
        ]
        given = {**case, **{n: case[n].astype(dtype) for n in arrays}}
        wide = {n: given[n].astype(np.float64) for n in arrays}
        if name == "gumbel_softmax":  # the noise depends on the dtype
            wide = given
        with enable_x64(dtype == np.float64):
            want = FORMULAS[name](**{**case, **wide})
            got = SEVERAL[name](**given)
        assert got.dtype == dtype
        error = MAX_ULP[dtype] * np.finfo(dtype).eps * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=error, err_msg=str(case))
