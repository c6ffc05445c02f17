"""The studies by name: one file, one question and one entry here each."""

from collections.abc import Mapping
from typing import Any

from experiments import (
    cnn,
    collapse,
    dead_units,
    depth,
    form_equivalence,
    gradient_flow,
    learnable,
    loss_precision,
    output_head,
    parameter_sweep,
    pinn,
    precision,
    rnn,
    transformer,
)
from jax_acts.experiments import custom
from jax_acts.experiments.study import Study

STUDIES: Mapping[str, Study[Any]] = {
    module.STUDY.name: module.STUDY
    for module in (
        form_equivalence,
        collapse,
        gradient_flow,
        dead_units,
        depth,
        output_head,
        loss_precision,
        cnn,
        rnn,
        transformer,
        parameter_sweep,
        learnable,
        precision,
        pinn,
        custom,
    )
}
