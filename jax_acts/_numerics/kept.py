"""Calls of functions with custom JVP rules that no partial evaluation replaces.

The first derivative of a `lax.scan` evaluates the JVP of its body partially, to find
what does not change from step to step, and replaces `jax.custom_jvp` functions by their
values. A second derivative then is that of the values: that of gelu' is NaN for
|x| > 10.3. JAX keeps the equation of another primitive, as the one here, whole.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

import jax
from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, Primitive, jaxpr_as_fun
from jax.interpreters import ad, batching, mlir

T = TypeVar("T")


def keep_rule(f: Callable[..., T], *static: Any) -> Callable[..., T]:
    """Return f(*static, …), a function of pytrees of arrays, as one equation.

    The JVP of the equation is that of f, by its rule; kernels of Pallas lack it.
    """

    def call(*args: Any) -> T:
        leaves, structure = jax.tree.flatten(args)
        flat = lambda *leaves: f(*static, *jax.tree.unflatten(structure, leaves))
        closed, shape = jax.make_jaxpr(flat, return_shape=True)(*leaves)
        outputs = _kept.bind(
            *closed.consts, *leaves, jaxpr=closed.jaxpr, num_consts=len(closed.consts)
        )
        return jax.tree.unflatten(jax.tree.structure(shape), outputs)

    return call


_kept = Primitive("keep_rule")
_kept.multiple_results = True


@_kept.def_impl
def _evaluate(*operands: Array, jaxpr: Jaxpr, num_consts: int) -> list[Array]:
    consts, args = operands[:num_consts], operands[num_consts:]
    return jaxpr_as_fun(ClosedJaxpr(jaxpr, consts))(*args)


@_kept.def_abstract_eval
def _types(*operands: Any, jaxpr: Jaxpr, num_consts: int) -> list[Any]:
    return [variable.aval for variable in jaxpr.outvars]


def _jvp(primals: Sequence[Any], tangents: Sequence[Any], **params: Any) -> Any:
    active = [i for i, t in enumerate(tangents) if type(t) is not ad.Zero]

    def of_active(*values: Array) -> list[Array]:
        operands = [*primals]
        for i, value in zip(active, values, strict=True):
            operands[i] = value
        return _evaluate(*operands, **params)

    select = lambda values: [values[i] for i in active]
    return jax.jvp(of_active, select(primals), select(tangents))


def _batch(args: Sequence[Any], axes: Sequence[Any], **params: Any) -> Any:
    outputs = keep_rule(jax.vmap(partial(_evaluate, **params), tuple(axes)))(*args)
    return outputs, [0] * len(outputs)


ad.primitive_jvps[_kept] = _jvp
batching.primitive_batchers[_kept] = _batch
mlir.register_lowering(_kept, mlir.lower_fun(_evaluate, multiple_results=True))
