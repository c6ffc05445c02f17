"""The studies: each is one file, one question, and one entry here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from experiments import (
    cnn,
    collapse,
    custom as yours,
    dead_units,
    form_equivalence as forms,
    gradient_flow as vanishing,
    learnable,
    output_head as output_activation,
    parameter_sweep as slope_sweep,
    precision,
    rnn,
    transformer,
)
from jax_acts.experiments.study import Study

STUDIES: Mapping[str, Study[Any, Any]] = MappingProxyType(
    {
        "forms": forms.STUDY,
        "collapse": collapse.STUDY,
        "vanishing": vanishing.STUDY,
        "dead_units": dead_units.STUDY,
        "output_activation": output_activation.STUDY,
        "cnn": cnn.STUDY,
        "rnn": rnn.STUDY,
        "transformer": transformer.STUDY,
        "slope_sweep": slope_sweep.STUDY,
        "learnable": learnable.STUDY,
        "precision": precision.STUDY,
        "yours": yours.STUDY,
    }
)
"""Every study by the name that configs call it."""
