"""`python -m benchmarks NAME`: run a measurement; `pages` writes docs from results."""

import importlib
from typing import Annotated

import typer

MEASUREMENTS = (
    *("accuracy", "speed", "axis", "instructions", "memory", "mlp", "overhead"),
    *("small", "sweep", "training", "losses", "second_order", "diagnosis"),
    *("mean_field", "platforms", "gpu", "gpu_accuracy"),
)
PAGES = ("accuracy", "performance", "losses", "second_order", "platforms", "gpu")


def pages(
    names: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(PAGES)}; default all.")
    ] = None,
) -> None:
    """Write docs/accuracy.md, docs/performance.md, … from the stored results."""
    for name in names or PAGES:
        importlib.import_module(f"benchmarks.pages.{name}").write()


def main() -> None:
    """Run the command line."""
    app = typer.Typer(no_args_is_help=True, add_completion=False, help=__doc__)
    for name in MEASUREMENTS:
        app.command(name)(importlib.import_module(f"benchmarks.{name}").main)
    app.command()(pages)
    app(prog_name="python -m benchmarks")


if __name__ == "__main__":
    main()
