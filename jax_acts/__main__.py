"""Run the command line: `python -m jax_acts`."""

from jax_acts.cli.main import app

if __name__ == "__main__":
    app(prog_name="jax-acts")
