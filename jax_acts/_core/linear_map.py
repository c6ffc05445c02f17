"""Linear maps with a transpose of their own, differentiable and batchable.

`jax.custom_jvp` transposes its tangent map by autodiff. A tangent map that loops over
chunks of a large array then accumulates cotangents of the size of the array once per
chunk. `linear_map` replaces the transpose, and unlike `jax.custom_vjp` keeps forward
mode.
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jax_acts._core.compat import vary_as

Tree = Any


def linear_map(
    fun: Callable[[Tree, Tree], Tree],
    transpose: Callable[[Tree, Tree], Tree],
    residuals: Tree,
    linear: Tree,
) -> Tree:
    """Return fun(residuals, linear), transposed by transpose(residuals, cotangent).

    Args:
        fun: A function that is linear in its second argument.
        transpose: Its transpose: the cotangent of the result to that of `linear`.
        residuals: A pytree of arrays, the coefficients of the map.
        linear: A pytree of arrays.
    """
    leaves = jax.tree.leaves((residuals, linear))
    linear = jax.tree.map(lambda v: vary_as(v, *leaves), linear)
    residual_leaves, residual_tree = jax.tree.flatten(residuals)
    linear_leaves, linear_tree = jax.tree.flatten(linear)
    count = len(residual_leaves)
    out_tree = jax.tree.structure(jax.eval_shape(fun, residuals, linear))

    def flat_fun(*leaves: Any) -> list[Any]:
        arguments = leaves[:count], leaves[count:]
        trees = map(jax.tree.unflatten, (residual_tree, linear_tree), arguments)
        return jax.tree.leaves(fun(*trees))

    def flat_transpose(*leaves: Any) -> list[Any]:
        arguments = leaves[:count], leaves[count:]
        trees = map(jax.tree.unflatten, (residual_tree, out_tree), arguments)
        return jax.tree.leaves(transpose(*trees))

    result = _linear_map_p.bind(
        *residual_leaves,
        *linear_leaves,
        fun=flat_fun,
        transpose=flat_transpose,
        count=count,
    )
    return jax.tree.unflatten(out_tree, result)


_linear_map_p = Primitive("linear_map")
_linear_map_p.multiple_results = True


def _evaluate(*leaves: Any, fun: Any, transpose: Any, count: int) -> list[Any]:
    return fun(*leaves)


@_linear_map_p.def_abstract_eval
def _abstract_eval(*avals: Any, fun: Any, transpose: Any, count: int) -> Any:
    return jax.make_jaxpr(fun)(*avals).out_avals


def _jvp(primals: Any, tangents: Any, **parameters: Any) -> Any:
    """Differentiate in the linear operands by the map, in the residuals by `fun`."""
    count = parameters["count"]
    result = _linear_map_p.bind(*primals, **parameters)
    zeros = [type(t) is ad.Zero for t in tangents]
    if all(zeros[:count]):
        linear = map(ad.instantiate_zeros, tangents[count:])
        return result, _linear_map_p.bind(*primals[:count], *linear, **parameters)
    tangents = list(map(ad.instantiate_zeros, tangents))
    return jax.jvp(parameters["fun"], list(primals), tangents)


def _transpose(cotangents: Any, *leaves: Any, **parameters: Any) -> list[Any]:
    count = parameters["count"]
    cotangents = map(ad.instantiate_zeros, cotangents)
    result = _linear_map_p.bind(
        *leaves[:count],
        *cotangents,
        fun=parameters["transpose"],
        transpose=parameters["fun"],
        count=count,
    )
    return [None] * count + result


def _batch(leaves: Any, axes: Any, **parameters: Any) -> tuple[Any, Any]:
    count = parameters["count"]
    size = next(
        leaf.shape[axis]
        for leaf, axis in zip(leaves, axes, strict=True)
        if axis is not None
    )

    def batched(fun: Callable[..., Any], in_axes: tuple[Any, ...]) -> Any:
        return jax.vmap(fun, in_axes, axis_size=size)

    # The transpose gets cotangents that are batched along their first axis.
    outputs = len(jax.eval_shape(parameters["fun"], *map(_unbatched, leaves, axes)))
    linear_axes = tuple(axes[count:])
    transpose = batched(parameters["transpose"], (*axes[:count], *[0] * outputs))

    def transpose_with_axes(*operands: Any) -> list[Any]:
        results = transpose(*operands)
        return [
            result.sum(0) if axis is None else jnp.moveaxis(result, 0, axis)
            for result, axis in zip(results, linear_axes, strict=True)
        ]

    result = _linear_map_p.bind(
        *leaves,
        fun=batched(parameters["fun"], tuple(axes)),
        transpose=transpose_with_axes,
        count=count,
    )
    return result, [0] * len(result)


def _unbatched(leaf: Any, axis: int | None) -> jax.ShapeDtypeStruct:
    shape = list(jnp.shape(leaf))
    if axis is not None:
        del shape[axis]
    return jax.ShapeDtypeStruct(shape, jnp.result_type(leaf))


_linear_map_p.def_impl(_evaluate)
ad.primitive_jvps[_linear_map_p] = _jvp
ad.primitive_transposes[_linear_map_p] = _transpose
batching.primitive_batchers[_linear_map_p] = _batch
mlir.register_lowering(_linear_map_p, mlir.lower_fun(_evaluate, multiple_results=True))
