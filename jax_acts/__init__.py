"""Activation functions for JAX and Flax, with values and derivatives you can trust."""

__version__ = "0.1.0"

from jax.nn import one_hot as one_hot

from jax_acts import functional as functional
from jax_acts._core.activation import (
    ActivationFunction as ActivationFunction,
    activation as activation,
)
from jax_acts._core.arguments import Learn as Learn
from jax_acts._core.bound import Bound as Bound
from jax_acts._core.function import Function as Function
from jax_acts._core.kinks import with_kinks as with_kinks
from jax_acts._core.spec import ActivationSpec as ActivationSpec
from jax_acts._registry.lookup import aliases as aliases, get as get, names as names
from jax_acts.diagnosis import diagnose as diagnose, watch as watch
from jax_acts.fitting import fit as fit
from jax_acts.functional import *
from jax_acts.hf import from_config as from_config
from jax_acts.initializers import gain as gain
