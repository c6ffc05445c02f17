"""The compiled diagnosis: one forward and one backward pass."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer

from jax_acts.diagnosis import interpreter
from jax_acts.diagnosis.models import Pure, pure
from jax_acts.diagnosis.sites import Position, Site, find_sites, output_site

Loss = Callable[[Any, Any], Any]


class Row(NamedTuple):
    """The statistics of a site, in one iteration of the scans that contain it."""

    site: str
    """The path of the site, and the iteration: "Block_0/relu/3"."""
    function: str
    source: str
    units: int
    """The number of features."""
    rows: int
    """The number of vectors along the features: the batch, times other axes."""
    is_output: bool
    """Whether the site computes the output of the model."""
    values: dict[str, Any]
    """The statistics: scalars and histograms."""


class Program(NamedTuple):
    """A model with taps, compiled for the shapes of a batch."""

    closed: Any
    """The jaxpr of the model."""
    sites: dict[Position, Site]
    unmeasured: list[str]
    has_gradients: bool
    run: Callable[..., Any]
    """Return loss, outputs, and forward and backward statistics."""


def split_batch(model: Any, batch: Any, loss: Any, options: Any) -> tuple[Pure, Any]:
    """Return the model as a pure function, and the targets.

    Raises:
        TypeError: The model or the loss is not callable, or an argument is missing.
    """
    if loss is None:
        return pure(model, batch, options), None
    if not callable(loss):
        raise TypeError(
            "diagnose: loss: expected a function of outputs and targets, got "
            f"{type(loss).__name__}"
        )
    if len(batch) < 2:
        raise TypeError(
            "diagnose: expected inputs and targets, because `loss` compares the output "
            f"with the last argument; got {len(batch)} argument(s) after the model"
        )
    return pure(model, batch[:-1], options), batch[-1]


_MAX_PROGRAMS = 16
_programs: dict[Any, Program] = {}
"""The last programs of modules, for repeated calls."""


def find_program(
    pure: Pure, targets: Any, loss: Loss | None, eps: float, bins: int
) -> Program:
    """Return the program of an equal module and equal shapes, or compile it."""
    arrays, structure = jax.tree.flatten((pure.args, targets))
    shapes = tuple((jnp.shape(a), jnp.result_type(a)) for a in arrays)
    key = (pure.key, structure, shapes, loss, eps, bins)
    if pure.key is None or not _is_hashable(key):
        return compile_program(pure, targets, loss, eps, bins)
    program = _programs.pop(key, None)
    program = program or compile_program(pure, targets, loss, eps, bins)
    _programs[key] = program
    while len(_programs) > _MAX_PROGRAMS:
        del _programs[next(iter(_programs))]
    return program


def _is_hashable(key: Any) -> bool:
    try:
        hash(key)
    except TypeError:  # a module or an option
        return False
    return True


def compile_program(
    pure: Pure, targets: Any, loss: Loss | None, eps: float, bins: int
) -> Program:
    """Trace a model, find its sites, and compile the pass.

    Raises:
        TypeError: The call is traced by `jax.jit`.
        ValueError: The model or the loss fails for the shapes, or there is no site.
    """
    leaves, structure = jax.tree.flatten(pure.args)
    if any(isinstance(leaf, Tracer) for leaf in leaves):
        raise TypeError(
            "diagnose: expected arrays, got tracers: call it outside of jax.jit and "
            "jax.grad; it compiles its own pass"
        )
    function = lambda *leaves: pure.function(*jax.tree.unflatten(structure, leaves))
    closed, shapes = _trace(function, leaves, pure.args)
    plan = find_sites(closed.jaxpr, pure.root)
    if not plan.sites:
        raise ValueError(_no_sites(closed, plan.unmeasured))
    for site in plan.sites.values():
        if 0 in site.shape:
            raise ValueError(
                f"diagnose: {site.path}: expected an input with elements, got shape "
                f"{site.shape}"
            )
    out_structure = jax.tree.structure(shapes)
    objective = _objective(loss, shapes, targets)
    options = interpreter.Options(eps, bins)

    def forward(zeros: Any, leaves: Any, targets: Any) -> Any:
        flat, statistics = interpreter.evaluate(
            closed.jaxpr, closed.consts, leaves, zeros, options
        )
        outputs = jax.tree.unflatten(out_structure, flat)
        value = objective(outputs, targets) if objective else jnp.nan
        return value, (outputs, statistics)

    @jax.jit
    def run(leaves: Any, targets: Any) -> Any:
        zeros = interpreter.tap_zeros(plan.sites, options)
        if objective is None:
            value, (outputs, statistics) = forward(zeros, leaves, targets)
            return value, outputs, statistics, {}
        differentiate = jax.value_and_grad(forward, has_aux=True)
        (value, (outputs, statistics)), gradients = differentiate(
            zeros, leaves, targets
        )
        return value, outputs, statistics, gradients

    return Program(closed, plan.sites, plan.unmeasured, objective is not None, run)


def _trace(function: Any, leaves: list[Any], args: Any) -> tuple[Any, Any]:
    try:
        return jax.make_jaxpr(function, return_shape=True)(*leaves)
    except (TypeError, ValueError) as error:
        if "positional argument" in str(error):
            raise TypeError(
                f"diagnose: the model failed for arguments of shape {describe(args)} "
                f"(the targets of a loss follow them): {error}"
            ) from error
        if _is_about_shapes(error):
            raise ValueError(
                f"diagnose: the model failed for arguments of shape "
                f"{describe(args)}: {error}"
            ) from error
        raise


def _is_about_shapes(error: Exception) -> bool:
    text = f"{type(error).__name__} {error}".lower()
    return "shape" in text or "dimension" in text


def describe(tree: Any) -> str:
    """Return the shapes of the arrays of a pytree, a nested one shortened."""
    parts = tree if isinstance(tree, tuple) else (tree,)
    return ", ".join(
        str(jnp.shape(p)) if jax.tree.leaves(p) == [p] else f"{type(p).__name__}(…)"
        for p in parts
    )


def _no_sites(closed: Any, unmeasured: list[str]) -> str:
    where = f"; found {', '.join(unmeasured)}, not measured" if unmeasured else ""
    return (
        "diagnose: expected a model with at least one activation, found none in "
        f"{len(closed.jaxpr.eqns)} equations{where}. Functions of jax_acts and jax.nn, "
        "tanh, sigmoid, and elementwise functions with a custom derivative are "
        "recognized; jnp.maximum(x, 0) and other formulas are not"
    )


def _objective(loss: Loss | None, outputs: Any, targets: Any) -> Loss | None:
    """Return the mean loss, the output itself if it is a scalar, or None."""
    if loss is None:
        leaves = jax.tree.leaves(outputs)
        is_loss = len(leaves) == 1 and leaves[0].shape == ()
        is_loss = is_loss and jnp.issubdtype(leaves[0].dtype, jnp.floating)
        return (lambda outputs, _: jax.tree.leaves(outputs)[0]) if is_loss else None
    mean = lambda outputs, targets: jnp.mean(loss(outputs, targets))
    try:
        jax.eval_shape(mean, outputs, targets)
    except Exception as error:
        raise ValueError(
            f"diagnose: the loss failed for outputs of shape {describe(outputs)} and "
            f"targets of shape {describe(targets)}: {error}"
        ) from error
    return mean


def to_rows(program: Program, statistics: Any, gradients: Any) -> list[Row]:
    """Return one row per site and iteration, in the order of execution."""
    rows = []
    last = output_site(program.closed.jaxpr)
    for position, site in program.sites.items():
        values = {n: v for n, v in statistics[position].items() if n != "activity"}
        size = math.prod(site.shape)
        if gradients:
            for name, stats in zip(("pre", "post"), gradients[position], strict=True):
                values |= _gradient_values(f"{name}_grad", stats, size)
            values["unused"] = gradients[position][1]["unused"].mean(-1)
        arrays = {n: np.asarray(v) for n, v in values.items()}
        for index in np.ndindex(site.lead):
            own = {n: a[index] for n, a in arrays.items() if a.size}
            own = {n: float(a) if a.ndim == 0 else a for n, a in own.items()}
            path = "/".join([site.path, *map(str, index)])
            units = site.shape[-1] if site.shape else 1
            row = Row(
                site=path,
                function=site.function,
                source=site.source,
                units=units,
                rows=size // max(units, 1),
                is_output=position == last,
                values=own,
            )
            rows.append((_execution_order(position, site, index), row))
    return [row for _, row in sorted(rows, key=lambda item: item[0])]


def _execution_order(
    position: Position, site: Site, index: tuple[int, ...]
) -> Position:
    """Return a sort key: each iteration of a scan follows the previous one."""
    key = list(position)
    for (depth, reverse), i in reversed([*zip(site.scans, index, strict=True)]):
        key.insert(depth, -i if reverse else i)
    return tuple(key)


def _gradient_values(name: str, stats: Any, size: int) -> dict[str, Any]:
    largest = np.asarray(stats["max"], np.float64)
    norm = largest * np.sqrt(np.asarray(stats["sum_squares"], np.float64))
    return {
        f"{name}_rms": norm / math.sqrt(max(size, 1)),
        f"{name}_norm": norm,
        f"{name}_max": largest,
        f"{name}_nonfinite": stats["nonfinite"],
        f"{name}_hist": stats["hist"],
    }
