"""Properties of elementwise functions, and errors in ulp.

`check_activation` checks all properties of a function.
"""

from jax_acts.testing.check import (
    Report as Report,
    check_activation as check_activation,
)
from jax_acts.testing.evaluation import (
    derivatives as derivatives,
    evaluate as evaluate,
    nth as nth,
)
from jax_acts.testing.inputs import (
    all_values as all_values,
    off_kinks as off_kinks,
    sample_inputs as sample_inputs,
)
from jax_acts.testing.properties import (
    CONTRACT as CONTRACT,
    PROPERTIES as PROPERTIES,
    Subject as Subject,
)
from jax_acts.testing.ulp import (
    same_limit as same_limit,
    to_float64 as to_float64,
    ulps as ulps,
    worst_input as worst_input,
)
from jax_acts.testing.zeros import zero_tolerance as zero_tolerance
