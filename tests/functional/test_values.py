"""Values of every function of several numbers, by its formula in float64."""

import numpy as np
import pytest

from jax_acts._core.compat import enable_x64
from tests.functional.cases import NON_ELEMENTWISE, cases, differentiable
from tests.functional.formulas import FORMULAS


def test_every_function_has_a_formula():
    assert FORMULAS.keys() == NON_ELEMENTWISE.keys()


# Last places of the greatest value. In chebyshev, whose terms cancel, 10 and 16 are
# lost, in entmax(alpha=1.01), where a rounding is raised to the power of 100, 41 of
# float64, and in the others two. The tests of the families ask for more.
PLACES = {np.float32: 20, np.float64: 80}


@pytest.mark.parametrize("dtype", PLACES)
@pytest.mark.parametrize("name", NON_ELEMENTWISE)
def test_values_are_those_of_the_formula(name, dtype):
    for case in cases(name):
        arrays = [
            n for n in differentiable(name) if isinstance(case.get(n), np.ndarray)
        ]
        given = {**case, **{n: case[n].astype(dtype) for n in arrays}}
        wide = {n: given[n].astype(np.float64) for n in arrays}
        if name == "gumbel_softmax":  # its noise is that of the dtype
            wide = given
        with enable_x64(dtype == np.float64):
            want = FORMULAS[name](**{**case, **wide})
            got = NON_ELEMENTWISE[name](**given)
        assert got.dtype == dtype
        error = PLACES[dtype] * np.finfo(dtype).eps * np.abs(want).max()
        np.testing.assert_allclose(got, want, rtol=0, atol=error, err_msg=str(case))
