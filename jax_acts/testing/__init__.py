"""Laws for elementwise functions, and the measures they stand on.

`check_activation` tries them all on a function of your own.
"""

from jax_acts.testing._check import (
    Report as Report,
    check_activation as check_activation,
)
from jax_acts.testing._laws import (
    CONTRACT as CONTRACT,
    LAWS as LAWS,
    Subject as Subject,
)
from jax_acts.testing._measure import (
    derivatives as derivatives,
    evaluate as evaluate,
    every as every,
    nth as nth,
    off_kinks as off_kinks,
    same_limit as same_limit,
    telling as telling,
    ulps as ulps,
    widened as widened,
    worst as worst,
)
