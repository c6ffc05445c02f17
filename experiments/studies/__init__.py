"""The studies: each is one file, one question, and one entry here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from experiments.studies import (
    cnn,
    collapse,
    dead_units,
    learnable,
    precision,
    slope_sweep,
    vanishing,
)
from experiments.study import Study

STUDIES: Mapping[str, Study[Any, Any]] = MappingProxyType(
    {
        "cnn": cnn.STUDY,
        "collapse": collapse.STUDY,
        "vanishing": vanishing.STUDY,
        "dead_units": dead_units.STUDY,
        "slope_sweep": slope_sweep.STUDY,
        "learnable": learnable.STUDY,
        "precision": precision.STUDY,
    }
)
"""Every study by the name that configs call it."""
