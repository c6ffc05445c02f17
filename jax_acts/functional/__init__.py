"""Activation functions, one module per family.

Each family lists its functions in `__all__`, the only export list of the package.
"""

from jax_acts.functional import (
    algebraic,
    combinators,
    exp_log,
    exponential_gated,
    exponential_linear,
    glu_variants,
    hard,
    hyperbolic,
    learnable,
    logistic,
    modulated,
    normal,
    normalization,
    periodic,
    polynomial,
    rectified,
    sigmoid_gated,
    softmax_variants,
    sparse,
    surrogate,
)
from jax_acts.functional.algebraic import *
from jax_acts.functional.combinators import *
from jax_acts.functional.exp_log import *
from jax_acts.functional.exponential_gated import *
from jax_acts.functional.exponential_linear import *
from jax_acts.functional.glu_variants import *
from jax_acts.functional.hard import *
from jax_acts.functional.hyperbolic import *
from jax_acts.functional.learnable import *
from jax_acts.functional.logistic import *
from jax_acts.functional.modulated import *
from jax_acts.functional.normal import *
from jax_acts.functional.normalization import *
from jax_acts.functional.periodic import *
from jax_acts.functional.polynomial import *
from jax_acts.functional.rectified import *
from jax_acts.functional.sigmoid_gated import *
from jax_acts.functional.softmax_variants import *
from jax_acts.functional.sparse import *
from jax_acts.functional.surrogate import *

__all__: list[str] = []
__all__ += algebraic.__all__
__all__ += combinators.__all__
__all__ += exp_log.__all__
__all__ += exponential_gated.__all__
__all__ += exponential_linear.__all__
__all__ += glu_variants.__all__
__all__ += hard.__all__
__all__ += hyperbolic.__all__
__all__ += learnable.__all__
__all__ += logistic.__all__
__all__ += modulated.__all__
__all__ += normal.__all__
__all__ += normalization.__all__
__all__ += periodic.__all__
__all__ += polynomial.__all__
__all__ += rectified.__all__
__all__ += sigmoid_gated.__all__
__all__ += softmax_variants.__all__
__all__ += sparse.__all__
__all__ += surrogate.__all__
