"""`redo`: reset the dormant units of a network during training (ReDo)."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax import Array

from jax_acts._core.errors import did_you_mean
from jax_acts.diagnosis import interpreter
from jax_acts.diagnosis.sites import find_sites
from jax_acts.diagnosis.taps import DORMANT

Layers = Mapping[str, tuple[str, str]]


class RedoState(NamedTuple):
    """State of `redo`."""

    inner: Any
    step: Array
    key: Array
    resets: Array
    """The number of units that were reset so far."""


def redo(
    inner: optax.GradientTransformation,
    network: Callable[..., Any],
    layers: Layers,
    *,
    every: int = 1000,
    threshold: float = DORMANT,
    kernel_init: Callable[..., Array] | None = None,
    seed: int = 0,
) -> optax.GradientTransformationExtraArgs:
    """Wrap an optimizer: every `every` steps, reset the units that are dormant.

    A unit is dormant if its mean |f(x)| over the batch is at most `threshold` times the
    mean over the units of the layer. Its incoming weights are drawn again, its bias and
    its outgoing weights are 0, so that the output of the network changes by the little
    that the unit contributed; its entries of the optimizer state are 0.

    >>> import jax_acts
    >>> def network(params, x):
    ...     return jax_acts.relu(x @ params["a"]["kernel"]) @ params["b"]["kernel"]
    >>> params = {"a": {"kernel": -jnp.eye(3)}, "b": {"kernel": jnp.ones((3, 1))}}
    >>> optimizer = redo(optax.adam(1e-3), network, {"relu": ("a", "b")}, every=1)
    >>> state, zeros = optimizer.init(params), jax.tree.map(jnp.zeros_like, params)
    >>> _, state = optimizer.update(zeros, state, params, batch=(jnp.ones((8, 3)),))
    >>> state.resets
    Array(3, dtype=int32)

    Args:
        inner: The optimizer.
        network: `network(params, *batch)`; `lambda params, x: model.apply(params, x)`.
        layers: For each site, as in `diagnose`, the paths of the layer before and after
            it: `{"relu": ("Dense_0", "Dense_1")}`. The layers have a `kernel`, whose
            last two axes are inputs and outputs, and optionally a `bias`.
        every: The number of steps between resets.
        threshold: The share of the mean activity; 0.025 and 0.1 in the paper.
        kernel_init: The initializer of incoming weights; LeCun normal by default.
        seed: The seed of the incoming weights.

    Returns:
        A transformation whose `update` takes the arguments of the network as `batch`.

    Raises:
        ValueError: A site or a layer does not exist, or `every` is not positive.

    References:
        Sokar et al. 2023, The Dormant Neuron Phenomenon in Deep Reinforcement Learning,
        arXiv:2302.12902.
    """
    if every < 1:
        raise ValueError(f"redo: every: expected at least 1, got {every}")
    extended = optax.with_extra_args_support(inner)
    initialize = kernel_init or jax.nn.initializers.lecun_normal()

    def init(params: Any) -> RedoState:
        zero = jnp.zeros((), jnp.int32)
        return RedoState(extended.init(params), zero, jax.random.key(seed), zero)

    def update(
        updates: Any, state: Any, params: Any = None, **extra: Any
    ) -> tuple[Any, RedoState]:
        if params is None or "batch" not in extra:
            raise TypeError("redo: update: expected `params` and `batch=(x, …)`")
        batch = extra.pop("batch")
        updates, inner_state = extended.update(updates, state.inner, params, **extra)
        step, key = state.step + 1, jax.random.fold_in(state.key, state.step)

        def reset(operands: Any) -> Any:
            updates, inner_state = operands
            dormant = _dormant(network, params, batch, layers, threshold)
            masks, fresh = _masks(params, layers, dormant, initialize, key)
            updates = jax.tree.map(
                lambda m, new, p, u: jnp.where(m, new - p, u).astype(u.dtype),
                *(masks, fresh, params, updates),
            )
            clear = lambda s, m: jnp.where(m, 0, s).astype(s.dtype)
            inner_state = optax.tree_map_params(inner, clear, inner_state, masks)
            resets = sum(mask.sum(dtype=jnp.int32) for mask in dormant.values())
            return updates, inner_state, jnp.asarray(resets, jnp.int32)

        keep = lambda operands: (*operands, jnp.zeros((), jnp.int32))
        updates, inner_state, resets = jax.lax.cond(
            step % every == 0, reset, keep, (updates, inner_state)
        )
        return updates, RedoState(inner_state, step, state.key, state.resets + resets)

    return optax.GradientTransformationExtraArgs(init, update)


def _dormant(
    network: Callable[..., Any], params: Any, batch: Any, layers: Layers, tau: float
) -> dict[str, Array]:
    """Return which units of each site are dormant."""
    leaves, structure = jax.tree.flatten((params, *batch))
    function = lambda *leaves: network(*jax.tree.unflatten(structure, leaves))
    closed = jax.make_jaxpr(function)(*leaves)
    plan = find_sites(closed.jaxpr, "")
    options = interpreter.Options(eps=0.0, bins=0)
    zeros = interpreter.tap_zeros(plan.sites, options)
    result = interpreter.evaluate(closed.jaxpr, closed.consts, leaves, zeros, options)
    activity = {
        site.path: result.statistics[position]["activity"]
        for position, site in plan.sites.items()
    }
    dormant = {}
    for path in layers:
        # The outermost scope, the class of a linen module, may be left out.
        names = [p for p in activity if f"/{p}".endswith(f"/{path}")]
        _check_path("site", names[0] if names else path, activity)
        active = activity[names[0]]
        if active.ndim > 1:
            raise ValueError(
                f"redo: layers: expected a site outside scans, got {path!r}"
            )
        dormant[path] = active <= tau * active.mean()
    return dormant


def _masks(
    params: Any,
    layers: Layers,
    dormant: Mapping[str, Array],
    initialize: Callable[..., Array],
    key: Array,
) -> tuple[Any, Any]:
    """Return which parameters are reset, and their new values."""
    paths, structure = jax.tree_util.tree_flatten_with_path(params)
    names = [jax.tree_util.keystr(p, simple=True, separator="/") for p, _ in paths]
    masks = [jnp.zeros(leaf.shape, bool) for _, leaf in paths]
    fresh = [jnp.zeros_like(leaf) for _, leaf in paths]
    for path, (before, _) in layers.items():
        kernel, bias = (_find(names, before, p) for p in ("kernel", "bias"))
        for index in (kernel, bias):
            if index is not None:
                masks[index] |= dormant[path]
        if kernel is not None:
            new = initialize(jax.random.fold_in(key, kernel), masks[kernel].shape)
            fresh[kernel] = new.astype(fresh[kernel].dtype)
    for path, (_, after) in layers.items():
        kernel = _find(names, after, "kernel")
        if kernel is not None:
            # A flattened feature map repeats the units, its last axis.
            repeats = masks[kernel].shape[-2] // dormant[path].size
            rows = jnp.tile(dormant[path], repeats)[:, None]
            masks[kernel] |= rows
            fresh[kernel] = jnp.where(rows, 0, fresh[kernel])
    return structure.unflatten(masks), structure.unflatten(fresh)


def _find(names: list[str], layer: str, parameter: str) -> int | None:
    """Return the index of a parameter of a layer; None for a missing bias."""
    wanted = f"/{layer}/{parameter}/"
    for index, name in enumerate(names):
        if wanted in f"/{name}/":
            return index
    if parameter == "kernel":
        layers = [n.rpartition("/kernel")[0] for n in names if "kernel" in n]
        _check_path("layer with a kernel", layer, layers)
    return None


def _check_path(what: str, path: str, valid: Any) -> None:
    if path not in valid:
        raise ValueError(
            f"redo: layers: expected a {what}, one of {', '.join(valid)}, got {path!r}"
            f"{did_you_mean(path, [*valid])}"
        )
