"""Gated units by the activations of their two halves, as T5X and MaxText write them.

("silu", "linear")  ->  swiglu, with the gate first
"""

from jax_acts import functional
from jax_acts._core.bound import Bound

_UNITS = {
    Bound(functional.silu): Bound(functional.swiglu),
    Bound(functional.gelu): Bound(functional.geglu),
    Bound(functional.gelu_tanh): Bound(functional.geglu),
    Bound(functional.gelu_exact): Bound(functional.geglu, approximate=False),
    Bound(functional.gelu_quick): Bound(functional.qgeglu),
    Bound(functional.relu): Bound(functional.reglu),
    Bound(functional.relu_squared): Bound(functional.sreglu),
    Bound(functional.selu): Bound(functional.seglu),
    Bound(functional.sigmoid): Bound(functional.glu),
    Bound(functional.identity): Bound(functional.bilinear),
}
"""The unit of each activation of the gate."""


def gated_unit(first: Bound, second: Bound) -> Bound:
    """Return the unit `first(a) * second(b)`, one of which is the identity.

    >>> gated_unit(Bound(functional.relu), Bound(functional.identity))
    Bound("reglu(order='gate_first')")

    Raises:
        ValueError: No unit has these activations.
    """
    identity = Bound(functional.identity)
    gate, order = (first, "gate_first") if second == identity else (second, None)
    if identity not in (first, second) or gate not in _UNITS:
        valid = ", ".join(map(str, _UNITS))
        raise ValueError(
            f"get: expected a pair of the identity and one of {valid}, got "
            f"({first}, {second})"
        )
    unit = _UNITS[gate]
    options = {"order": order} if order else {}
    return Bound(unit.function, **unit.arguments, **options)
