"""Laws for elementwise functions, and the measures they stand on.

`check_activation` tries them all on a function of your own.
"""

from jax_acts.testing.check import (
    Report as Report,
    check_activation as check_activation,
)
from jax_acts.testing.inputs import (
    all_values as all_values,
    derivatives as derivatives,
    evaluate as evaluate,
    nth as nth,
    off_kinks as off_kinks,
    same_limit as same_limit,
    sample_inputs as sample_inputs,
    to_float64 as to_float64,
    ulps as ulps,
    worst_input as worst_input,
)
from jax_acts.testing.properties import (
    CONTRACT as CONTRACT,
    PROPERTIES as PROPERTIES,
    Subject as Subject,
)
