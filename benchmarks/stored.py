"""What was measured of a library on a platform: one file for each kind of measure."""

import json
import platform
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

import jax

RESULTS = Path(__file__).parent / "results"
Row = TypeVar("Row")


def store(
    kind: str, library: str, version: str, rows: Iterable[tuple[Any, ...]], **spec: Any
) -> None:
    """Writes the results of one library, one line for each row."""
    head = {
        "library": library,
        "version": version,
        "jax": jax.__version__,
        "device": jax.devices()[0].device_kind,
        "machine": f"{platform.system()} {platform.machine()}",
        **spec,
    }
    lines = ",\n".join(json.dumps(r) for r in rows)
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{kind}-{jax.default_backend()}-{library}.json"
    path.write_text(f'{json.dumps(head)[:-1]}, "rows": [\n{lines}\n]}}\n')


def load(
    kind: str, row: Callable[..., Row], library: str, backend: str = "cpu"
) -> tuple[dict[str, Any], list[Row]]:
    """Returns what is stored of a library: its head, and the rows."""
    path = RESULTS / f"{kind}-{backend}-{library}.json"
    if not path.exists():
        return {}, []
    head = json.loads(path.read_text())
    return head, [row(*r) for r in head.pop("rows")]
