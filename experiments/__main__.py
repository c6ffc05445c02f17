"""`python -m experiments`."""

from experiments import devices
from experiments.cli import app

if __name__ == "__main__":
    devices.begin(devices.cores())
    app(prog_name="python -m experiments")
