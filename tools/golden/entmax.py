"""Write golden values of the package `entmax` for `tests/functional/test_sparse.py`.

Requires `torch` and `entmax` 1.3:

    python -m tools.golden.entmax
"""

import importlib
import json
from pathlib import Path

PATH = Path(__file__).parents[2] / "tests" / "data" / "entmax.json"
ALPHAS = 1.3, 1.5, 1.8, 2.0


def main() -> None:
    """Write inputs, values, and gradients of the values weighted by 0, 1, 2, …."""
    torch, entmax = map(importlib.import_module, ("torch", "entmax"))
    torch.manual_seed(0)
    x = 2 * torch.randn(4, 6, dtype=torch.float64)
    weights = torch.arange(6, dtype=torch.float64)
    golden = {"x": x.tolist(), "values": {}, "gradients": {}, "in_alpha": {}}
    for alpha in ALPHAS:
        at = x.clone().requires_grad_()
        a = torch.tensor(alpha, dtype=torch.float64, requires_grad=True)
        y = entmax.entmax_bisect(at, a, n_iter=80)
        (y * weights).sum().backward()
        golden["values"][str(alpha)] = y.tolist()
        golden["gradients"][str(alpha)] = at.grad.tolist()
        golden["in_alpha"][str(alpha)] = a.grad.item()
    PATH.write_text(json.dumps(golden, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
