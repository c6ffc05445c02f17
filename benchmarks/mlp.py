"""How much memory does a transformer's MLP block take with each choice of residuals?

    python -m benchmarks mlp

Scanned pre-norm SwiGLU blocks x + MLP(norm(x)) in float32. Temporary memory and matrix
products of the compiled gradient at the full size; step time and gradients at a
smaller one, where the programs take turns.
"""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from rich.console import Console
from rich.table import Table

from benchmarks.harness import interleave
from benchmarks.results import MLPRow, MLPSize, store
from jax_acts.linen import MLP

SIZE = MLPSize(layers=12, features=512, hidden=1408, tokens=8192)
TIMED = MLPSize(layers=4, features=256, hidden=704, tokens=512)
ROUNDS = 15
VARIANTS = {
    "jax.nn": None,
    "all": ("all", True),
    "named, norm outside": ("named", False),
    "named": ("named", True),
    "int8": ("int8", True),
    "recompute": ("recompute", True),
}
"""Residuals, and whether the norm is inside of the block; None is `jax.nn`."""


class Block(nn.Module):
    """A pre-norm SwiGLU block."""

    hidden: int
    variant: tuple[str, bool] | None

    @nn.compact
    def __call__(self, x: Array, _: None) -> tuple[Array, None]:
        """Return x + MLP(norm(x)), as the carry of a scan."""
        norm = nn.RMSNorm(name="norm", parent=None)
        if self.variant is None:
            h = norm.clone(parent=self)(x)
            dense = lambda features, name: nn.Dense(features, use_bias=False, name=name)
            gate, up = dense(self.hidden, "gate")(h), dense(self.hidden, "up")(h)
            return x + dense(x.shape[-1], "down")(jax.nn.silu(gate) * up), None
        residuals, inside = self.variant
        mlp: Any = MLP(
            self.hidden,
            "silu",
            gated=True,
            use_bias=False,
            residuals=residuals,
            norm=norm if inside else None,
            name="mlp",
        )
        return x + mlp(x if inside else norm.clone(parent=self)(x)), None


def compile_step(variant: tuple[str, bool] | None, size: MLPSize) -> Any:
    """Return the compiled loss with gradient, given the parameters in `arrays`."""
    scan = nn.scan(
        Block,
        variable_axes={"params": 0},
        split_rngs={"params": True},
        length=size.layers,
    )
    model = scan(size.hidden, variant)
    x = jax.ShapeDtypeStruct((size.tokens, size.features), jnp.float32)
    shapes = jax.eval_shape(model.init, jax.random.key(0), x, None)

    def loss(parameters: Any, x: Array) -> Array:
        return jnp.square(model.apply(parameters, x, None)[0]).mean()

    return jax.jit(jax.value_and_grad(loss)).lower(shapes, x).compile(), shapes


def arrays(shapes: Any, size: MLPSize) -> tuple[Any, Array]:
    """Return random parameters and an input, the same for every variant."""

    def draw(path: Any, leaf: Any) -> Array:
        name = path[-2].key
        if name == "norm":
            return jnp.ones(leaf.shape)
        key = jax.random.key(("gate", "up", "down").index(name))
        return jax.random.normal(key, leaf.shape) / leaf.shape[-2] ** 0.5

    x = jax.random.normal(jax.random.key(3), (size.tokens, size.features))
    return jax.tree_util.tree_map_with_path(draw, shapes), x


def flatten(gradient: Any) -> Any:
    """Return the gradients of the kernels as one vector, ordered by name."""
    leaves = jax.tree_util.tree_leaves_with_path(gradient)
    kernels = {p[-2].key: np.ravel(v) for p, v in leaves if p[-2].key != "norm"}
    vector = np.concatenate([kernels[name] for name in sorted(kernels)])
    return vector.astype(np.float64)


def measure(size: MLPSize = SIZE, timed: MLPSize = TIMED) -> list[MLPRow]:
    """Return a row for every variant."""
    programs = {n: compile_step(v, timed) for n, v in VARIANTS.items()}
    runs, results = {}, {}
    for name, (program, shapes) in programs.items():
        arguments = arrays(shapes, timed)
        results[name] = program(*arguments)
        runs[name] = lambda f=program, a=arguments: jax.block_until_ready(f(*a))
    times = interleave(runs, ROUNDS)
    exact_loss, exact = results["jax.nn"][0], flatten(results["jax.nn"][1])
    rows = []
    for name, variant in VARIANTS.items():
        program = compile_step(variant, size)[0]
        loss, gradient = results[name][0], flatten(results[name][1])
        cosine = gradient @ exact / np.sqrt(gradient @ gradient * (exact @ exact))
        error = np.linalg.norm(gradient - exact) / np.linalg.norm(exact)
        row = MLPRow(
            residuals=name,
            bytes=program.memory_analysis().temp_size_in_bytes,
            dots=count_dots(program),
            time=times[name].low / times["jax.nn"].low,
            loss_error=float(abs(loss - exact_loss) / exact_loss),
            gradient_error=float(error),
            cosine=float(cosine),
        )
        rows.append(row)
    return rows


def count_dots(program: Any) -> int:
    """Return the number of matrix products in a program compiled for CPU."""
    text = program.as_text()
    return text.count(" dot(") + text.count("__onednn$matmul")


def main() -> None:
    """Measure, store and print the table."""
    rows = measure()
    store("mlp", size=SIZE, timed=TIMED, rounds=ROUNDS, rows=rows)
    columns = ("MiB", "products", "time", "loss error", "gradient error", "cosine")
    table = Table("residuals", *columns, title=f"SwiGLU blocks: {SIZE}")
    for r in rows:
        cells = (f"{r.bytes / 2**20:,.0f}", str(r.dots), f"{r.time:.2f}")
        errors = (f"{r.loss_error:.1g}", f"{r.gradient_error:.1g}", f"{r.cosine:.6f}")
        table.add_row(r.residuals, *cells, *errors)
    Console().print(table)
