"""`python -m benchmarks.platforms`: the command without the other measurements."""

import typer

from benchmarks.platforms import main

typer.run(main)
