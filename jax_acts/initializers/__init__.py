"""Gains, kernel initializers, and the theory of signals in wide random networks.

With weights of variance σ_w² / fan_in and biases of variance σ_b², the pre-activations
of a wide layer are normal with variance q → σ_w² E[f(√q z)²] + σ_b² (Poole et al. 2016,
arXiv:1606.05340). The principle of gains is that of glorot2010; the gain of `relu` is
that of he2015. The initializers of `jax.nn.initializers` are here too.
"""

from jax.nn.initializers import (
    constant as constant,
    delta_orthogonal as delta_orthogonal,
    glorot_normal as glorot_normal,
    glorot_uniform as glorot_uniform,
    he_normal as he_normal,
    he_uniform as he_uniform,
    kaiming_normal as kaiming_normal,
    kaiming_uniform as kaiming_uniform,
    lecun_normal as lecun_normal,
    lecun_uniform as lecun_uniform,
    normal as normal,
    ones as ones,
    orthogonal as orthogonal,
    truncated_normal as truncated_normal,
    uniform as uniform,
    variance_scaling as variance_scaling,
    xavier_normal as xavier_normal,
    xavier_uniform as xavier_uniform,
    zeros as zeros,
)

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
