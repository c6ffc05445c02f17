"""`python -m jax_acts`: the command `jax-acts`."""

import sys


def main() -> None:
    """Run the command line; Ctrl-C during its imports ends without a traceback."""
    try:
        from jax_acts.cli.main import app
    except ModuleNotFoundError as error:
        sys.exit(f"jax-acts: {error}; pip install 'jax-acts[cli]'")
    except KeyboardInterrupt:  # the imports take seconds
        sys.exit(130)
    app(prog_name="jax-acts")


if __name__ == "__main__":
    main()
