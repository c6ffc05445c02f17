"""Write golden constants of the package `dks` for `tests/test_shaping.py`.

Requires `dks` 0.1.2 and `autograd`, in an environment of their own:

    python tools/golden/shaped.py
"""

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np

PATH = Path(__file__).parents[2] / "tests" / "data" / "dks.json"
NAMES = {  # here: in `dks`
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "silu": "swish",
    "gelu_exact": "gelu_exact",
    "erf": "erf",
    "leaky_relu": "leaky_relu",
    "elu": "elu",
    "selu": "selu",
}
# The quadrature of `dks` has no panels: where f' or f'' jumps, its constants have
# errors of 1e-6. For these functions panels end at the jump.
JUMPS = "elu", "selu"
DEPTHS = 10, 50


def end_panels_at_jump(dks: Any) -> None:
    """Replace the quadrature of `dks` by panels that end where the input of f is 0."""
    transform = dks._transform_activation
    nodes, weights = np.polynomial.legendre.leggauss(40)
    jump = 0.0

    def transform_activation(phi, params):
        nonlocal jump
        jump = -params.get("input_shift", 0.0) / params.get("input_scale", 1.0)
        return transform(phi, params)

    def estimate_gaussian_mean(fn):
        ends = np.sort([*np.linspace(-10, 10, 21), np.clip(jump, -10, 10)])
        half = np.diff(ends)[:, None] / 2
        z = ends[:-1, None] + half * (1 + nodes)
        density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
        return np.sum(half * weights * density * fn(z))

    dks._transform_activation = transform_activation
    dks._estimate_gaussian_mean = estimate_gaussian_mean


def main() -> None:
    """Write the constants for each method, function and depth."""
    dks: Any = importlib.import_module("dks.base.activation_transform")
    quadrature = dks._transform_activation, dks._estimate_gaussian_mean
    golden = {}
    for method in ("DKS", "TAT"):
        for name, other in NAMES.items():
            dks._transform_activation, dks._estimate_gaussian_mean = quadrature
            if name in JUMPS:
                end_panels_at_jump(dks)
            if (method, name) == ("TAT", "selu"):
                continue  # f' jumps: C''(1) is infinite
            for depth in DEPTHS:

                def repeat(x, layer, depth=depth):
                    for _ in range(depth):
                        x = layer(x)
                    return x

                options = {"method": method, "subnet_max_func": repeat}
                key = f"{method.lower()} {name} {depth}"
                try:
                    result = dks._get_activations_params([other], **options)
                except ValueError as error:
                    print(key, error)
                    continue
                golden[key] = {n: float(v) for n, v in result[other].items()}
                print(key, golden[key], flush=True)
    PATH.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
