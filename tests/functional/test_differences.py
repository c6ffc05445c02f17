"""Derivatives of every function of several numbers, in all its arguments."""

import pytest

from tests.differences import agree_with_differences
from tests.functional.cases import NON_ELEMENTWISE, cases, differentiable

every_function = pytest.mark.parametrize("name", NON_ELEMENTWISE)


@every_function
def test_every_argument_with_a_derivative_is_tried(name):
    tried = {n for case in cases(name) for n in case}
    assert set(differentiable(name)) <= tried


@pytest.mark.slow
@every_function
def test_first_and_second_derivatives_agree_with_differences(name):
    names = differentiable(name)
    for case in cases(name):
        moved = [n for n in names if n in case]
        fixed = {n: v for n, v in case.items() if n not in moved}

        def of_moved(*arrays, moved=moved, fixed=fixed):
            return NON_ELEMENTWISE[name](
                **dict(zip(moved, arrays, strict=True)), **fixed
            )

        agree_with_differences(of_moved, *(case[n] for n in moved))
