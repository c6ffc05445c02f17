"""A derivative in eight bits, for a backward pass that keeps a byte for each element.

derivative --coded--> int8, unit --rough_product--> int8 · unit · tangent
"""

from functools import partial
from typing import Any, NoReturn

import jax
import jax.numpy as jnp
from jax import Array

_MOST = 127  # of int8, on either side of 0: what is 0 stays 0


def int8_product(name: str, derivative: Array, tangent: Array) -> Array:
    """Returns derivative · tangent, of which a backward pass keeps eight bits.

    The derivative is rounded to a multiple of the 127th part of the greatest of the
    array: no error is more than the 254th part of that.
    """
    code, unit = _coded(name, derivative)
    wide = jnp.promote_types(derivative.dtype, jnp.float32)

    def rough(code: Array, unit: Array, tangent: Array) -> Array:
        return (code.astype(wide) * unit * tangent.astype(wide)).astype(tangent.dtype)

    return jax.checkpoint(rough)(code, unit, tangent)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def _coded(name: str, x: Array) -> tuple[Array, Array]:
    """Returns x as int8 and the unit that they count."""
    x = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    unit = jnp.max(jnp.abs(x), initial=0) / _MOST
    steps = jnp.where(unit > 0, x / jnp.where(unit > 0, unit, 1), 0)
    return jnp.round(steps).astype(jnp.int8), unit


@_coded.defjvp
def _coded_jvp(name: str, primals: Any, tangents: Any) -> NoReturn:
    raise TypeError(
        f"{name}.keeping('approximate') has a first derivative alone: steps of eight "
        f"bits have none; {name} itself has all"
    )
