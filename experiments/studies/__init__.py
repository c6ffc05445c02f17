"""The studies: each is one file, one question, and one entry here."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from experiments.studies import cnn, collapse, slope_sweep, vanishing
from experiments.study import Study

STUDIES: Mapping[str, Study[Any, Any]] = MappingProxyType(
    {
        "cnn": cnn.STUDY,
        "collapse": collapse.STUDY,
        "vanishing": vanishing.STUDY,
        "slope_sweep": slope_sweep.STUDY,
    }
)
"""Every study by the name that configs call it."""
