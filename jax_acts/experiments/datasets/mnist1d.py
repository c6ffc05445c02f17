"""MNIST-1D: signals of length 40 in ten classes that are not linearly separable.

Procedure and constants of S. Greydanus and D. Kobak, "Scaling Down Deep Learning with
MNIST-1D" (arXiv 2011.14439, 2020). The random generator is NumPy's: samples differ from
the published file in their values, not in their distribution.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from jax_acts.experiments.datasets.dataset import Split

LENGTH = 40

DIGITS = (
    (5, 6, 6.5, 6.75, 7, 7, 7, 7, 6.75, 6.5, 6, 5),
    (5, 3, 3, 3.4, 3.8, 4.2, 4.6, 5, 5.4, 5.8, 5, 5),
    (5, 6, 6.5, 6.5, 6, 5.25, 4.75, 4, 3.5, 3.5, 4, 5),
    (5, 6, 6.5, 6.5, 6, 5, 5, 6, 6.5, 6.5, 6, 5),
    (5, 4.4, 3.8, 3.2, 2.6, 2.6, 5, 5, 5, 5, 5, 5),
    (5, 3, 3, 3, 3, 5, 6, 6.5, 6.5, 6, 4.5, 5),
    (5, 4, 3.5, 3.25, 3, 3, 3, 3, 3.25, 3.5, 4, 5),
    (5, 7, 7, 6.6, 6.2, 5.8, 5.4, 5, 4.6, 4.2, 5, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 4, 3.5, 3.5, 4, 5),
    (5, 4, 3.5, 3.5, 4, 5, 5, 5, 5, 4.7, 4.3, 5),
)
"""Templates of the digits 0 to 9, as in the paper."""

_SHORTEST, _LONGEST = 36, 60  # zeros after a digit, before it is stretched
_POINTS = len(DIGITS[0]) + _LONGEST
_SCALE, _SHEAR, _SHIFT = 0.4, 0.75, 48
_SMOOTH_NOISE, _NOISE, _WIDTH = 0.25, 0.02, 2.0


def draw(count: int, seed: int = 0) -> Split:
    """Return `count` signals and labels; signals have mean 0 and standard deviation 1.

    Signals are float32 `(count, 40)`, labels int32 `(count,)` with equal counts.

    >>> signals, labels = draw(20)
    >>> signals.shape, sorted(labels.tolist()) == sorted([*range(10)] * 2)
    ((20, 40), True)
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(DIGITS)).astype(np.int32)
    signals = np.stack([_signal(template, rng) for template in _templates()[labels]])
    signals = (signals - signals.mean()) / signals.std()
    return Split(signals.astype(np.float32), labels)


def _templates() -> NDArray[np.float64]:
    """Return the templates, shifted to start at 0 and scaled to deviation 1 / 6."""
    x = np.array(DIGITS, float)
    x /= x.std(1, keepdims=True)
    return (x - x[:, :1]) / 6


def _signal(
    template: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Stretch, scale, shift and shear a template, and add noise."""
    zeros = np.zeros(rng.integers(_SHORTEST, _LONGEST + 1))
    mask = np.concatenate([np.ones(len(template)), zeros])
    signal = _resample(np.concatenate([template, zeros]), _POINTS)
    inside = _resample(mask, _POINTS) > 0
    signal *= 1 + _SCALE * (rng.random() - 0.5)
    shift = rng.integers(_SHIFT)
    signal, inside = np.roll(signal, shift), np.roll(inside, shift)
    smooth = gaussian_filter1d(rng.normal(scale=_SMOOTH_NOISE, size=_POINTS), _WIDTH)
    signal = np.where(inside, signal, smooth)
    signal += rng.normal(scale=_NOISE, size=_POINTS)
    signal -= _SHEAR * (rng.random() - 0.5) * np.linspace(-0.5, 0.5, _POINTS)
    return _resample(signal, LENGTH)


def _resample(signal: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Interpolate the signal linearly at equally spaced points."""
    positions = np.linspace(0, len(signal) - 1, points)
    return np.interp(positions, np.arange(len(signal)), signal)
