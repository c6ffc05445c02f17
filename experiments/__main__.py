"""`python -m experiments`."""

import sys

if __name__ == "__main__":
    try:
        from experiments.cli import PROGRAM, app
    except KeyboardInterrupt:  # the imports take seconds
        sys.exit(130)
    app(prog_name=PROGRAM)
