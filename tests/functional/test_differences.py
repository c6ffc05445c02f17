"""Derivatives of every function that is not elementwise, in all arguments."""

import pytest

from tests.differences import agree_with_differences
from tests.functional.cases import NON_ELEMENTWISE, cases, differentiable

every_function = pytest.mark.parametrize("name", NON_ELEMENTWISE)


@every_function
def test_the_cases_cover_every_differentiable_argument(name):
    covered = {n for case in cases(name) for n in case}
    assert set(differentiable(name)) <= covered


@pytest.mark.slow
@every_function
def test_first_and_second_derivatives_match_finite_differences(name):
    names = differentiable(name)
    for case in cases(name):
        varied = [n for n in names if n in case]
        constant = {n: v for n, v in case.items() if n not in varied}

        def of_varied(*arrays, varied=varied, constant=constant):
            return NON_ELEMENTWISE[name](
                **dict(zip(varied, arrays, strict=True)), **constant
            )

        agree_with_differences(of_varied, *(case[n] for n in varied))
