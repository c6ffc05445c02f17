"""Write docs/families.md: the MLPs of the model types that `from_config` reads.

python -m tools.docs.families
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jax_acts.hf.config import families

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "families.md"
GOLDEN = json.loads((ROOT / "tests" / "data" / "hf.json").read_text())

HEAD = """# Model types of `from_config`

Written by `python -m tools.docs.families`. A row is an MLP of a model type of
transformers {transformers}, or its experts. The error is the largest difference between
`linen.MLP` with the options of `from_config` and the class of transformers (PyTorch
{torch}), for a tiny config and equal weights, in ulp of the largest output. A field in
code font is read from the config; its default is in parentheses. A gate that comes
second, alternating columns and fields with a single supported value are stated.

{count} of {total} model types have such an MLP. The others are composites of these,
have no MLP in a class of its own, or one that `MLP` does not compute;
`tests/data/hf.json` has the reasons.

| model type | class | kernels | activation | bias | notes | error (ulp) |
|---|---|---|---|---|---|---|
"""


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")


def page() -> str:
    """Return the page."""
    rows = []
    for name, family in sorted(families().items()):
        for kind in ("mlp", "experts"):
            cases = [c for c in GOLDEN["golden"][name] if c["kind"] == kind]
            if cases:
                rows.append(row(name, family, family[kind], cases))
    count, missing = len(families()), len(GOLDEN["missing"])
    head = HEAD.format(**GOLDEN["versions"], count=count, total=count + missing)
    return head + "\n".join(rows) + "\n"


def row(
    name: str, family: Mapping[str, Any], block: Mapping[str, Any], cases: list[Any]
) -> str:
    """Return the row of a block."""
    defaults = family["defaults"]
    shown = lambda n: f"`{n}` ({defaults[n]})" if n in defaults else f"`{n}`"
    activation = block.get("activation")
    function = block.get("unit") or block.get("function")
    texts = [shown(activation)] if activation else []
    texts += [function] if function else []
    texts += [shown(n) for n in block.get("arguments", ())]
    bias = block["bias"]
    notes = ["gated"] if block["gated"] else []
    notes += ["gate second"] if block.get("order") == "value_first" else []
    notes += ["alternating"] if block.get("layout") == "interleaved" else []
    notes += [f"`{n}` = {v}" for n, v in family.get("fixed", {}).items()]
    cells = [
        f"`{name}`",
        f"`{cases[0]['class']}`",
        block["kernels"],
        ", ".join(texts),
        shown(bias) if isinstance(bias, str) else ("yes" if bias else "no"),
        ", ".join(notes),
        f"{max(c['error'] for c in cases):.1f}",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
