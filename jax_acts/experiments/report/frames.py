"""The records of a run as flat tables: a row a member, and a row a number on the way.

    members   member, status, seed, axis.…, metric.…, config.…, environment.…
    curves    member, measure, layer, step, value

The columns of `members` are those of the config, of the session that trained the member
(versions, device, git revision), of its axes, and the last number of all it measured.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.study import Record

Row = dict[str, Any]


def members(
    config: StudyConfig,
    records: Sequence[Record],
    sessions: Sequence[Mapping[str, Any]],
) -> list[Row]:
    """Returns a row for each record; all have the same columns, None where unknown."""
    settings = flat(config.model_dump(mode="json"), "config")
    rows = []
    for record in records:
        fields = record.model_dump(mode="json")
        known = record.session < len(sessions)
        session = sessions[record.session] if known else {}
        axes = fields.pop("axes", {})
        rows.append(
            {
                "member": fields.pop("member"),
                "status": fields.pop("status"),
                "seed": axes.get("seed", fields.get("seed")),
                **flat(axes, "axis"),
                **flat(_last(fields), "metric"),
                **settings,
                **flat(session, "environment"),
            }
        )
    columns = dict.fromkeys(name for row in rows for name in row)
    return [{name: row.get(name) for name in columns} for row in rows]


def curves(config: StudyConfig, records: Sequence[Record]) -> list[Row]:
    """Returns a row for each number of each curve of each record."""
    return [
        {"member": record.member, "measure": name, **point}
        for record in records
        for name, values in _lists(record.model_dump(mode="json"))
        for point in _points(values, _steps(config, record), means=name == "loss")
    ]


def _points(values: list[Any], steps: int | None, *, means: bool) -> Iterator[Row]:
    """Yields the numbers of a curve with their steps, those of layers in their order.

    Measures begin before training, at step 0; a mean over a part is at its end.
    """
    parts = len(values) if means else max(len(values) - 1, 1)
    for n, value in enumerate(values, 1 if means else 0):
        step = n if steps is None else round(n * steps / parts)
        layers = value if isinstance(value, list) else [value]
        for layer, one in enumerate(layers):
            place = layer if isinstance(value, list) else None
            yield {"layer": place, "step": step, "value": one}


def _steps(config: StudyConfig, record: Record) -> int | None:
    """Returns how many steps a record is of, where that is known."""
    for holder in (record, getattr(config, "training", None)):
        if isinstance(steps := getattr(holder, "steps", None), int):
            return steps
    return None


def _lists(fields: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Yields the lists of a record, those of its tables by their own names."""
    for name, value in fields.items():
        if isinstance(value, list):
            yield name, value
        elif isinstance(value, dict):
            yield from _lists(value)


def _last(value: Any) -> Any:
    """Returns the value with the last number of each curve in place of the curve.

    >>> _last({"loss": [2.0, 1.0], "gradient": [[1, 2], [3, 4]], "steps": 5})
    {'loss': 1.0, 'gradient': {'0': 3, '1': 4}, 'steps': 5}
    """
    if isinstance(value, dict):
        return {name: _last(one) for name, one in value.items()}
    if isinstance(value, list):
        end = value[-1] if value else None
        if isinstance(end, list):
            return {str(layer): one for layer, one in enumerate(end)}
        return end
    return value


def flat(value: Any, name: str) -> Row:
    """Returns the numbers and texts of nested tables by dotted names; lists as JSON.

    >>> flat({"data": {"set": "digits"}, "depths": [2, 5]}, "config")
    {'config.data.set': 'digits', 'config.depths': '[2, 5]'}
    """
    if isinstance(value, dict):
        return {
            key: one
            for inner, part in value.items()
            for key, one in flat(part, f"{name}.{inner}").items()
        }
    text = json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
    return {name: text}
