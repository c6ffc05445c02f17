"""`python -m experiments`."""

from experiments.cli import app
from jax_acts.experiments.runtime import devices

if __name__ == "__main__":
    devices.begin(devices.cores())
    app(prog_name="python -m experiments")
