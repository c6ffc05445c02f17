"""Write the data of the example: two spirals, and samples of a smooth function."""

from pathlib import Path

import numpy as np

DATA = Path(__file__).parent / "data"


def spirals(rng, count):
    """Return points of two interleaved spirals, and the spiral of each point."""
    labels = rng.integers(0, 2, count)
    angle = rng.uniform(1, 9, count)
    phase = angle + np.pi * labels
    points = np.stack([np.cos(phase), np.sin(phase)], 1) * angle[:, None] / 9
    return points + rng.normal(0, 0.06, points.shape), labels


def write():
    """Write spirals.npz (classification) and surface.csv (regression)."""
    rng = np.random.default_rng(0)
    DATA.mkdir(exist_ok=True)
    (x, y), (x_test, y_test) = spirals(rng, 1000), spirals(rng, 500)
    np.savez(DATA / "spirals.npz", x_train=x, y_train=y, x_test=x_test, y_test=y_test)
    x = rng.uniform(-2, 2, (600, 2))
    height = np.sin(2 * x[:, 0]) * np.exp(-(x[:, 1] ** 2)) + rng.normal(0, 0.05, 600)
    table = np.column_stack([x, height])
    np.savetxt(
        DATA / "surface.csv",
        table,
        fmt="%.6f",
        delimiter=",",
        header="x1,x2,height",
        comments="",
    )


if __name__ == "__main__":
    write()
