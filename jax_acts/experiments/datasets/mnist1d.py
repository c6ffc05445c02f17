"""MNIST-1D: ten line drawings, 40 numbers each, that no linear model can tell apart.

The recipe and its constants are those of S. Greydanus and D. Kobak, "Scaling Down Deep
Learning with MNIST-1D" (arXiv 2011.14439, 2020). The random numbers are our own, so the
samples differ from the published file, and their distribution does not.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

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
"""The outlines of the digits 0 to 9, as the paper draws them."""

_SHORTEST, _LONGEST = 36, 60  # zeros after a digit, before it is stretched
_POINTS = len(DIGITS[0]) + _LONGEST
_SCALE, _SHEAR, _SHIFT = 0.4, 0.75, 48
_SMOOTH_NOISE, _NOISE, _WIDTH = 0.25, 0.02, 2.0


class Drawn(NamedTuple):
    """Drawings, float32 of shape `(n, 40)`, and their digits, int32 `(n,)`."""

    signals: NDArray[np.float32]
    labels: NDArray[np.int32]


def draw(count: int, seed: int = 0) -> Drawn:
    """Returns so many drawings, of mean 0 and deviation 1, each digit equally often.

    >>> signals, labels = draw(20)
    >>> signals.shape, sorted(labels.tolist()) == sorted([*range(10)] * 2)
    ((20, 40), True)
    """
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(count) % len(DIGITS)).astype(np.int32)
    signals = np.stack([_one(outline, rng) for outline in _outlines()[labels]])
    signals = (signals - signals.mean()) / signals.std()
    return Drawn(signals.astype(np.float32), labels)


def _outlines() -> NDArray[np.float64]:
    """Returns the digits with deviation 1 / 6 that begin at 0."""
    x = np.array(DIGITS, float)
    x /= x.std(1, keepdims=True)
    return (x - x[:, :1]) / 6


def _one(outline: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    """Returns a digit that is stretched, scaled, shifted, made noisy and sheared."""
    zeros = np.zeros(rng.integers(_SHORTEST, _LONGEST + 1))
    drawn = np.concatenate([np.ones(len(outline)), zeros])
    signal = _resampled(np.concatenate([outline, zeros]), _POINTS)
    inside = _resampled(drawn, _POINTS) > 0
    signal *= 1 + _SCALE * (rng.random() - 0.5)
    shift = rng.integers(_SHIFT)
    signal, inside = np.roll(signal, shift), np.roll(inside, shift)
    smooth = gaussian_filter1d(rng.normal(scale=_SMOOTH_NOISE, size=_POINTS), _WIDTH)
    signal = np.where(inside, signal, smooth)
    signal += rng.normal(scale=_NOISE, size=_POINTS)
    signal -= _SHEAR * (rng.random() - 0.5) * np.linspace(-0.5, 0.5, _POINTS)
    return _resampled(signal, LENGTH)


def _resampled(signal: NDArray[np.float64], points: int) -> NDArray[np.float64]:
    """Returns the signal at so many equally spaced points, between them linear."""
    places = np.linspace(0, len(signal) - 1, points)
    return np.interp(places, np.arange(len(signal)), signal)
