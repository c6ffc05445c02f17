"""Write `jax_acts/hf/families.json` and the golden outputs of `tests/data/hf.json`.

    python -m tools.golden.hf              all model types: 5 minutes
    python -m tools.golden.hf llama t5     some of them

Requires torch and transformers. For every model type, builds the MLP and the experts of
a tiny config, records which fields they read, and finds the block of `linen.MLP` that
gives the same output for weights of a fixed seed. Fields that change the output and are
no argument of the block are stored as fixed. Model types without such a block are
listed with the reason in `tests/data/hf.json`.
"""

import json
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

from tools.golden.hf.families import config_classes, family
from tools.golden.hf.modules import Unsupported

torch = import_module("torch")
transformers = import_module("transformers")

ROOT = Path(__file__).parents[3]
FAMILIES = ROOT / "jax_acts" / "hf" / "families.json"
GOLDEN = ROOT / "tests" / "data" / "hf.json"


def main() -> None:
    """Write both files, or the entries of some model types in them."""
    types = config_classes()
    only = sys.argv[1:] or list(types)
    stored = json.loads(GOLDEN.read_text())
    keep = lambda entries: {n: v for n, v in entries.items() if n in {*types} - {*only}}
    results = keep(json.loads(FAMILIES.read_text()))
    golden, missing = keep(stored["golden"]), keep(stored["missing"])
    for model_type in only:
        try:
            results[model_type], golden[model_type] = family(
                model_type, types[model_type]
            )
        except Unsupported as reason:
            missing[model_type] = str(reason)
        except Exception as reason:
            line = (str(reason).splitlines() or [""])[0]
            missing[model_type] = f"{type(reason).__name__}: {line[:80]}"
        print(model_type, missing.get(model_type, "ok"), flush=True)
    print(len(results), "families;", len(missing), "without")
    FAMILIES.write_text("{\n" + lines(results) + "\n}\n")
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    head = f'"versions": {json.dumps(versions)}'
    bodies = {"golden": golden, "missing": missing}
    parts = [f'"{name}": {{\n{lines(body)}\n}}' for name, body in bodies.items()]
    GOLDEN.write_text("{\n" + ",\n".join([head, *parts]) + "\n}\n")


def lines(entries: Mapping[str, Any]) -> str:
    """Return JSON with one line per entry, sorted."""
    pairs = sorted(entries.items())
    return ",\n".join(f"{json.dumps(k)}: {json.dumps(v)}" for k, v in pairs)


if __name__ == "__main__":
    main()
