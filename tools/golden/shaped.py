"""Write golden constants of the package `dks` for `tests/test_shaping.py`.

Requires `dks` 0.1.2 and `autograd`, in an environment of their own:

    python tools/golden/shaped.py
"""

import importlib
import json
from pathlib import Path

PATH = Path(__file__).parents[2] / "tests" / "data" / "dks.json"
# The quadrature of `dks` has no panels: where f' or f'' jumps, as in elu, its constants
# have an error of 1e-4.
NAMES = {  # here: in `dks`
    "tanh": "tanh",
    "sigmoid": "sigmoid",
    "softplus": "softplus",
    "silu": "swish",
    "gelu_exact": "gelu_exact",
    "erf": "erf",
    "leaky_relu": "leaky_relu",
}
DEPTHS = 10, 50


def main() -> None:
    """Write the constants for each method, function and depth."""
    dks = importlib.import_module("dks.base.activation_transform")
    golden = {}
    for method in ("DKS", "TAT"):
        for name, other in NAMES.items():
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
