"""`activation_function` of DeePMD-kit 3."""

import math

from jax_acts import functional
from jax_acts._core.bound import Bound
from jax_acts._registry.dialects.table import Meaning, Table, names, to


def silut(threshold: float = 3.0) -> Meaning:
    """Return silu(x) below a threshold, a shifted tanh with equal derivative above."""
    s = 1 / (1 + math.exp(-threshold))
    slope = s + threshold * s * (1 - s)
    tail = Bound(
        functional.affine,
        rate=slope,
        shift=-slope * threshold,
        offset=threshold * s,
        of=functional.tanh,
    )
    return to("piecewise", breakpoints=(threshold,), functions=(functional.silu, tail))


DEEPMD: Table = {
    **names(
        "tanh relu relu6 softplus sigmoid silu gelu,gelu_tf=gelu_tanh "
        "linear,none=identity"
    ),
    "silut custom_silu": silut,
}
