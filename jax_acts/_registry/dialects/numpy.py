"""`jax.numpy`, `jax.lax` and `jax.scipy.special`, JAX 0.10.2."""

import math

from jax_acts._registry.dialects.table import Table, names, to

NUMPY: Table = {
    **names(
        "tanh exp=exponential sin=sine cos=cosine arctan,atan=arctan "
        "arcsinh,asinh=asinh square abs,absolute=absolute sign round "
        "erf expit,logistic=sigmoid softmax log_softmax logsumexp"
    ),
    "sinc": lambda: to("sinc", omega=math.pi),
}
