"""Write docs/depth.md and docs/depth.svg: gains, and correlations in fifty layers.

python -m tools.docs.depth
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from jax_acts import Bound, gain, get
from jax_acts.initializers import moments
from jax_acts.shaping import dks, tat

DOCS = Path(__file__).parents[2] / "docs"
LAYERS, WIDTH = 50, 1024
FUNCTIONS = (
    *("relu", "leaky_relu", "elu", "selu", "tanh", "sigmoid", "softsign", "softplus"),
    *("hard_tanh", "erf", "gelu", "gelu_exact", "silu", "mish", "hard_silu"),
)
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

SHAPING = f"""
## Shaped activations

`jax_acts.shaping.dks` (Martens et al. 2021) and `tat` (Zhang et al. 2022) return
$a f(b x + c) + d$ with constants solved for a depth. Unshaped networks map all inputs
to the same direction, or, with `tanh`, to uncorrelated ones; shaped networks keep
inputs apart:

![Cosine similarity of two inputs by layer](depth.svg)

Cosine similarity of the pre-activations of two inputs that start orthogonal, in one
random network of width {WIDTH:,}: unshaped with the forward gain (dashed), shaped for
{LAYERS} layers (solid).

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

`python -m experiments run configs/depth/digits.toml` trains fifty plain layers with
each, at the best of four learning rates.
"""


def main() -> None:
    """Write the page and its figure."""
    rows = [gain_row(name) for name in FUNCTIONS]
    text = HEAD + "\n".join(rows) + "\n" + SHAPING
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


def plot(shaped: dict[str, Bound]) -> Figure:
    """Return the figure of unshaped and shaped activations."""
    plt.rcParams["svg.hashsalt"] = "depth"
    figure, axes = plt.subplots(figsize=(7, 3.5), layout="constrained")
    for n, (name, activation) in enumerate(shaped.items()):
        for bound, style, label in (
            (get(name), "--", None),
            (activation, "-", f"{name}, {CURVES[name].__name__}"),
        ):
            axes.plot(similarities(bound), style, color=f"C{n}", label=label)
    axes.set(xlabel="layer", ylabel="cosine similarity", ylim=(-0.1, 1.05))
    axes.legend(frameon=False)
    return figure


def similarities(activation: Bound) -> np.ndarray:
    """Return the cosine similarity of two inputs after each layer."""
    scale = gain(activation) / WIDTH**0.5

    def layer(z: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        z = scale * activation(z) @ jax.random.normal(key, (WIDTH, WIDTH))
        a, b = z / jnp.linalg.norm(z, axis=1, keepdims=True)
        return z, jnp.dot(a, b)

    q, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(WIDTH, 2)))
    inputs = jnp.asarray(q.T * WIDTH**0.5, jnp.float32)
    keys = jax.random.split(jax.random.key(0), LAYERS)
    _, curve = jax.jit(lambda z: jax.lax.scan(layer, z, keys))(inputs)
    return np.concatenate([[0.0], curve])


if __name__ == "__main__":
    main()
