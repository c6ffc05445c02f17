"""Run the command line: `python -m jax_acts`."""

import sys


def main() -> None:
    """Run the command `jax-acts`."""
    try:
        from jax_acts.cli.main import app
    except ModuleNotFoundError as error:
        sys.exit(f"jax-acts: {error}; pip install 'jax-acts[cli]'")
    app(prog_name="jax-acts")


if __name__ == "__main__":
    main()
