"""Gains, kernel initializers, and the theory of signals in wide random networks.

With weights of variance σ_w² / fan_in and biases of variance σ_b², the pre-activations
of a wide layer are normal with variance q → σ_w² E[f(√q z)²] + σ_b² (Poole et al. 2016,
arXiv:1606.05340). The principle of gains is that of glorot2010; the gain of `relu` is
that of he2015.
"""

from jax_acts.initializers.gaussian import (
    Moments as Moments,
    gain as gain,
    moments as moments,
)
from jax_acts.initializers.kernels import (
    Initializer as Initializer,
    ScaledOrthogonal as ScaledOrthogonal,
    initializer as initializer,
)
from jax_acts.initializers.mean_field import (
    FixedPoint as FixedPoint,
    correlation_map as correlation_map,
    edge_of_chaos as edge_of_chaos,
    fixed_points as fixed_points,
)
