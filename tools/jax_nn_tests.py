"""Run JAX's own tests of `jax.nn` with the functions of jax_acts substituted.

    python -m tools.jax_nn_tests PATH

PATH is `tests/nn_test.py` of the JAX sources, preferably of the installed version. The
exit status is 0 if all tests pass except the deliberate differences listed below.
"""

import sys

import jax
import pytest

from jax_acts import functional
from jax_acts._core.function import Function

# Test name: function, and the reason of the difference.
DELIBERATE = {
    "testSoftmaxGradFlag": (
        "softmax",
        "it counts residuals with the custom rule of jax.nn disabled by a flag",
    ),
    "testLogMeanExp9": (
        "logmeanexp",
        "of an empty set, jax.nn returns NaN and jax_acts -inf",
    ),
}

# Tests of attention, scaled products and initializers call none of our functions.
OURS = "NNFunctionsTest and not DotProduct and not Scaled"


def replace() -> list[str]:
    """Substitute our functions in `jax.nn`; return their names."""
    ours = {n: getattr(functional, n, None) for n in vars(jax.nn)}
    names = [n for n, f in ours.items() if isinstance(f, Function)]
    for name in names:
        setattr(jax.nn, name, ours[name])
    return names


def main(path: str) -> int:
    """Return the exit status of the tests in the file."""
    names = replace()
    print(f"substituted in jax.nn of JAX {jax.__version__}: {', '.join(sorted(names))}")
    selection = OURS
    for test, (name, reason) in DELIBERATE.items():
        if name in names:
            selection += f" and not {test}"
            print(f"deselected: {test}: {reason}")
    return pytest.main(
        ["-q", "-c", "/dev/null", "-p", "no:cacheprovider", "-k", selection, path]
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
