"""Runs JAX's own tests of `jax.nn` with the functions of jax_acts in its place.

    python -m tools.jax_nn_tests PATH

PATH is `tests/nn_test.py` of JAX's sources, best of the version that is installed. The
exit status is 0 if all pass but those that differ on purpose, which are listed here.
"""

import sys

import jax
import pytest

from jax_acts import functional
from jax_acts._core.function import Function

# For a test by name: the function that it is of, and why its failure is meant.
DELIBERATE = {
    "testSoftmaxGradFlag": (
        "softmax",
        "it counts what backward keeps when a flag turns the rule of jax.nn off",
    ),
    "testLogMeanExp9": (
        "logmeanexp",
        "where nothing is counted in, jax.nn gives NaN and jax_acts -inf",
    ),
}

# Tests of attention, scaled products and initialisers call none of our functions.
OURS = "NNFunctionsTest and not DotProduct and not Scaled"


def replace() -> list[str]:
    """Puts our functions in the place of those of `jax.nn`; returns their names."""
    ours = {n: getattr(functional, n, None) for n in vars(jax.nn)}
    names = [n for n, f in ours.items() if isinstance(f, Function)]
    for name in names:
        setattr(jax.nn, name, ours[name])
    return names


def main(path: str) -> int:
    """Returns the exit status of the tests in the file."""
    names = replace()
    print(f"in place of jax.nn of JAX {jax.__version__}: {', '.join(sorted(names))}")
    chosen = OURS
    for test, (name, reason) in DELIBERATE.items():
        if name in names:
            chosen += f" and not {test}"
            print(f"left out: {test}: {reason}")
    return pytest.main(
        ["-q", "-c", "/dev/null", "-p", "no:cacheprovider", "-k", chosen, path]
    )


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1]))
