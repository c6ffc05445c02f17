"""Run the command line: `jax-acts`, or `python -m jax_acts`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C during its imports ends without a traceback."""
    try:
        from jax_acts.cli.main import app
    except KeyboardInterrupt:  # the imports take seconds
        sys.exit(130)
    app(prog_name="jax-acts")


if __name__ == "__main__":
    main()
