"""The studies by name: one file, one question and one entry here each."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from experiments import (
    cnn,
    collapse,
    dead_units,
    form_equivalence,
    gradient_flow,
    learnable,
    output_head,
    parameter_sweep,
    precision,
    rnn,
    transformer,
)
from jax_acts.experiments import custom
from jax_acts.experiments.study import Study

STUDIES: Mapping[str, Study[Any]] = MappingProxyType(
    {
        study.name: study
        for study in (
            form_equivalence.STUDY,
            collapse.STUDY,
            gradient_flow.STUDY,
            dead_units.STUDY,
            output_head.STUDY,
            cnn.STUDY,
            rnn.STUDY,
            transformer.STUDY,
            parameter_sweep.STUDY,
            learnable.STUDY,
            precision.STUDY,
            custom.STUDY,
        )
    }
)
