"""Diagnosis of the activations of a model: `diagnose` and `watch`."""

from jax_acts.diagnosis.api import diagnose as diagnose
from jax_acts.diagnosis.findings import Finding as Finding
from jax_acts.diagnosis.monitor import (
    jsonl as jsonl,
    tensorboard as tensorboard,
    watch as watch,
)
from jax_acts.diagnosis.output import OutputCheck as OutputCheck
from jax_acts.diagnosis.result import Diagnosis as Diagnosis
