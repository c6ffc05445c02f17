"""Write docs/depth.md and docs/depth.svg: gains, and correlations in fifty layers.

    python -m tools.docs.depth

Deviations are those that `python -m benchmarks mean_field` stored, accuracies those of
the report of `configs/depth/digits.toml` in docs/studies.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from benchmarks import mean_field
from benchmarks.results import DepthRow, MapRow, load_rows
from jax_acts import Bound, gain, get
from jax_acts.initializers import moments
from jax_acts.shaping import dks, tat

DOCS = Path(__file__).parents[2] / "docs"
LAYERS, WIDTH, NETWORKS = 50, 1024, 8
START = 0.5  # cosine similarity of the inputs
FUNCTIONS = (
    *("relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid", "softsign", "softplus"),
    *("hard_tanh", "erf", "gelu", "gelu_exact", "silu", "mish", "hard_silu"),
)
COLUMNS = ("network", "test accuracy (%)", "learning rate", "seeds")
CURVES = {"sigmoid": dks, "silu": tat, "gelu": tat, "tanh": tat}

HEAD = """# Deep networks without normalization

Written by `python -m tools.docs.depth`.

## Gains

With weights of variance $g^2$ / fan_in, standard normal pre-activations of one layer
have second moment 1 in the next; the forward gain is $g = E[f(z)^2]^{-1/2}$, the
backward gain $E[f'(z)^2]^{-1/2}$. `jax_acts.gain` computes both for every elementwise
function, in float64; `kernel_init="match"` uses the forward gain:

```python
>>> from jax_acts import gain, linen
>>> round(gain("silu"), 6), round(gain("silu", "backward"), 6)
(1.676532, 1.62332)
>>> layer = linen.Dense(256, activation="silu", kernel_init="match")

```

`Dense` and `GatedDense` then expect outputs of a layer with the same activation. In
`MLP` the kernel after the activation has the gain and the others the default. For
other layers, pass the initializer. Convolutions count the receptive field in fan_in:

```python
>>> import flax.linen as nn
>>> from jax_acts.initializers import initializer
>>> layer = nn.Conv(64, (3, 3), kernel_init=initializer("silu"))

```

A gain keeps the second moment of one layer. $V'(1)$ tells whether it lasts: deviations
grow by $V'(1)$ per layer, and squared gradients by $\\chi_1$. Above 1 a deep network of
finite width explodes; `edge_of_chaos` computes weights and biases with $\\chi_1 = 1$.

| activation | forward gain | backward gain | $V'(1)$ | $\\chi_1$ |
| --- | --- | --- | --- | --- |
"""

MEAN_FIELD = """
## Random networks

The theory is that of infinite width. `python -m benchmarks mean_field` compares it with
random networks of every elementwise function, which share the random numbers
({machine}). $E[f(u)^2]$ and $E[f(u) f(v)]$ of {units:,} units (width {map_width:,})
at correlation {correlation} are within {largest:.1f} standard errors for all {maps}
functions.

The table lists the largest deviation (%) of the second moment, as the mean of {seeds}
seeds, from the solution of `edge_of_chaos`, in any of {layers} layers of width
{width:,}, by the standard deviation $\\sigma_b$ of the biases. A dash is no solution
with q > 0. Points with $V'(q) \\ge 1$ are unstable: no deviation shrinks, so a network
of finite width leaves them.

{table}

{beyond}
"""

SHAPING = f"""
## Shaped activations

`jax_acts.shaping.dks` (Martens et al. 2021) and `tat` (Zhang et al. 2022) return
$a f(b x + c) + d$ with constants solved for a depth. In unshaped networks with the
forward gain, inputs become parallel (`sigmoid`) or orthogonal (`tanh`), or the angle
depends on the random weights (`silu`, `gelu`); shaped networks keep it:

![Cosine similarity of two inputs by layer](depth.svg)

Cosine similarity of the pre-activations of two inputs that start at {START}, in random
networks of width {WIDTH:,} with normal weights: unshaped with the forward gain, and
shaped for {LAYERS} layers. Mean and range of {NETWORKS} networks; the activations share
the weights.

```python
>>> from jax_acts import linen
>>> from jax_acts.initializers import ScaledOrthogonal
>>> from jax_acts.shaping import tat
>>> layer = linen.Dense(
...     256, activation=tat("silu", depth=50), kernel_init=ScaledOrthogonal()
... )

```

Inputs must have mean square 1, example by example. The constants hold in the limit of
large width; orthogonal weights deviate less from it than normal ones. Functions without
a solution raise a `ValueError`: `tat` of functions with kinks, except `leaky_relu`, and
both methods of `relu`.

## Accuracy

`python -m experiments run configs/depth/digits.toml` trains fifty plain layers of
width 128 on 8 × 8 digits. Each network has the learning rate, of four, with the lowest
training loss. The [report](studies/depth-digits.md) has the setup and the loss.

"""


def main() -> None:
    """Write the page and its figure."""
    rows = [gain_row(name) for name in FUNCTIONS]
    text = HEAD + "\n".join(rows) + "\n" + mean_field_section() + SHAPING
    text += "\n".join(accuracy_table()) + "\n"
    (DOCS / "depth.md").write_text(text, encoding="utf-8")
    figure = plot({name: shape(name, LAYERS) for name, shape in CURVES.items()})
    figure.savefig(DOCS / "depth.svg", metadata={"Date": None})


def gain_row(name: str) -> str:
    """Return the row of one activation."""
    m, forward = moments(name), gain(name)
    numbers = (
        forward,
        float(m.derivative_square) ** -0.5,
        forward**2 * float(m.square_slope),
        forward**2 * float(m.derivative_square),
    )
    return f"| {name} | " + " | ".join(f"{n:.4f}" for n in numbers) + " |"


def mean_field_section() -> str:
    """Return the section of the stored deviations."""
    head, maps = load_rows("mean_field_maps", MapRow)
    _, rows = load_rows("mean_field_depth", DepthRow)
    return MEAN_FIELD.format(
        machine=head["machine"],
        units=mean_field.MAP_WIDTH * mean_field.MAP_LAYERS,
        map_width=mean_field.MAP_WIDTH,
        correlation=mean_field.CORRELATION,
        largest=max(abs(z) for row in maps for z in (row.square, row.product)),
        maps=len(maps),
        layers=mean_field.LAYERS,
        width=mean_field.WIDTH,
        seeds=mean_field.SEEDS,
        table="\n".join(deviation_table(rows)),
        beyond="\n".join(beyond_ten_percent(rows)),
    )


def deviation_table(rows: Sequence[DepthRow]) -> Iterator[str]:
    """Yield a line per function with a stable point."""
    biases = mean_field.BIASES
    yield "| activation | " + " | ".join(f"{b:g}" for b in biases) + " |"
    yield "| --- |" + " --- |" * len(biases)
    points = {(row.function, row.bias_std): row for row in rows}
    for name in sorted({row.function for row in rows if is_stable(row)}):
        cells = [points.get((name, bias_std)) for bias_std in biases]
        yield f"| {name} | " + " | ".join(map(deviation, cells)) + " |"


def is_stable(row: DepthRow) -> bool:
    """Return whether deviations shrink."""
    return row.slope < 1 - 1e-9


def deviation(row: DepthRow | None) -> str:
    """Return the deviation of a point in percent."""
    if row is None:
        return "–"
    if not is_stable(row):
        return "unstable"
    return f"{100 * abs(row.mean - 1):.1f}" if np.isfinite(row.mean) else "∞"


def is_neutral(row: DepthRow) -> bool:
    """Return whether deviations are preserved."""
    return abs(row.slope - 1) <= 1e-9 and row.error < 1


def beyond_ten_percent(rows: Sequence[DepthRow]) -> Iterator[str]:
    """Yield the number of stable points within 10 %, and those beyond."""
    stable, neutral = filter(is_stable, rows), filter(is_neutral, rows)
    stable, neutral = list(stable), list(neutral)
    beyond = [row for row in stable if not abs(row.mean - 1) < 0.1]
    near_one = [row for row in beyond if row.function not in mean_field.NARROW]
    limit = min(row.slope for row in near_one)
    yield (
        f"{len(stable) - len(beyond)} of {len(stable)} stable points are within 10 %, "
        f"among them all with $V'(q) <$ {limit:.2f} except those of "
        f"{', '.join(mean_field.NARROW)}: its $V$ grows as $q^2$, and fluctuations of "
        "networks of finite width pass the unstable point above. Nearer to 1, the "
        "deviations of $1 / (1 - V'(q))$ layers add up, and the mean of "
        f"{mean_field.SEEDS} seeds has a standard error of 5 to 12 %:"
    )
    yield from (
        "",
        "| activation | $\\sigma_b$ | $V'(q)$ | deviation (%) | standard error (%) |",
        "| --- | --- | --- | --- | --- |",
    )
    for row in sorted(near_one, key=lambda row: row.function):
        numbers = f"{100 * abs(row.mean - 1):.1f} | {100 * row.error:.1f}"
        yield f"| {row.function} | {row.bias_std:g} | {row.slope:.4f} | {numbers} |"
    texts = (
        f"{row.function} {100 * abs(row.mean - 1):.0f} ± {100 * row.error:.0f}"
        for row in neutral
    )
    yield ""
    yield (
        "Where $V'(q) = 1$, the deviations of all layers add up (largest deviation ± "
        f"standard error, %): {', '.join(texts)}."
    )
    others = {row.function for row in rows}
    others -= {row.function for row in [*stable, *neutral]}
    yield ""
    yield f"Functions with unstable points only: {', '.join(sorted(others))}."


def accuracy_table() -> Iterator[str]:
    """Yield networks and accuracies of the report of the study."""
    report = DOCS / "studies" / "depth-digits.md"
    lines = report.read_text(encoding="utf-8").splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("| network"))
    columns = [cell.strip() for cell in lines[start].split("|")]
    chosen = [n for n, cell in enumerate(columns) if cell in COLUMNS]
    for line in lines[start:]:
        if not line.startswith("|"):
            break
        cells = line.split("|")
        yield "| " + " | ".join(cells[n].strip() for n in chosen) + " |"


def plot(shaped: dict[str, Bound]) -> Figure:
    """Return the figure: a panel per activation, unshaped and shaped."""
    plt.rcParams["svg.hashsalt"] = "depth"
    figure, axes = plt.subplots(
        2, 2, figsize=(7, 4.8), sharex=True, sharey=True, layout="constrained"
    )
    bounds = [bound for name, f in shaped.items() for bound in (get(name), f)]
    curves = similarities(bounds)
    layers = np.arange(curves.shape[1])
    for n, (name, panel) in enumerate(zip(shaped, axes.flat, strict=True)):
        labels = ("unshaped", "C7", "--"), ("shaped", "C0", "-")
        for own, (label, color, style) in zip(
            np.split(curves, len(shaped), axis=2)[n].transpose(2, 0, 1),
            labels,
            strict=True,
        ):
            panel.fill_between(layers, own.min(0), own.max(0), color=color, alpha=0.2)
            panel.plot(layers, own.mean(0), style, color=color, label=label)
        panel.set_title(f"{name}, {CURVES[name].__name__}", fontsize="medium")
    axes[0, 0].set(ylim=(-0.3, 1.05), xlim=(0, LAYERS))
    lines = axes[0, 0].get_legend_handles_labels()
    figure.legend(*lines, frameon=False, loc="outside upper center", ncols=2)
    figure.supxlabel("layer", fontsize="medium")
    figure.supylabel("cosine similarity", fontsize="medium")
    return figure


def similarities(activations: Sequence[Bound]) -> np.ndarray:
    """Return the cosine similarity of two inputs: (networks, layers + 1, activations).

    The activations share the random weights.
    """
    gains = jnp.array([gain(f) for f in activations])[:, None, None]

    def layer(z: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        y = jnp.stack([f(x) for f, x in zip(activations, z, strict=True)])
        z = gains / WIDTH**0.5 * (y @ jax.random.normal(key, (WIDTH, WIDTH)))
        directions = z / jnp.linalg.norm(z, axis=2, keepdims=True)
        return z, jnp.sum(directions[:, 0] * directions[:, 1], axis=1)

    @jax.jit
    def run(key: jax.Array) -> jax.Array:
        return jax.lax.scan(layer, inputs, jax.random.split(key, LAYERS))[1]

    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, 2)))
    first, second = q.T
    second = START * first + (1 - START**2) ** 0.5 * second
    start = jnp.asarray(np.stack([first, second]) * WIDTH**0.5, jnp.float32)
    inputs = jnp.broadcast_to(start, (len(activations), *start.shape))
    curves = np.stack([run(jax.random.key(seed)) for seed in range(NETWORKS)])
    return np.pad(curves, ((0, 0), (1, 0), (0, 0)), constant_values=START)


if __name__ == "__main__":
    main()
