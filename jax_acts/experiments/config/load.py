"""From a TOML file and `--set` overrides to one typed config, or a list of faults."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import ValidationError

from jax_acts.experiments.config.errors import ConfigError, Problem, hint
from jax_acts.experiments.config.schema import StudyConfig
from jax_acts.experiments.config.validation import explained


class Source(NamedTuple):
    """Where a config comes from: a file, and the `--set` arguments over it."""

    path: Path
    overrides: tuple[str, ...] = ()

    def line(self, problem: Problem) -> str:
        """Returns the fault as one line that names the file or the override."""
        key = problem.key.partition("[")[0]
        place = str(self.path)
        for override in self.overrides:
            name = override.partition("=")[0].strip()
            if f"{key}.".startswith(f"{name}.") or f"{name}.".startswith(f"{key}."):
                place = f"{self.path} with --set {override}"
        return f"config error: {place}: {' '.join(problem.message.split())}"


def read(source: Source, schemas: Mapping[str, type[StudyConfig]]) -> StudyConfig:
    """Returns the config, of the schema that its key `study` names.

    Raises:
        ConfigError: Something is wrong with it; it holds all faults that were found.
    """
    raw = _parsed(source.path)
    faults = [p for o in source.overrides for p in _override(raw, o)]
    if faults:
        raise ConfigError(*faults)
    raw.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]", "-", source.path.stem))
    study = raw.get("study")
    if not isinstance(study, str) or study not in schemas:
        said = f"no study {study!r}{hint(str(study), schemas)}"
        raise ConfigError(
            Problem(
                "study",
                f"{said if 'study' in raw else 'the key study is missing'} "
                f"(studies: {', '.join(schemas)})",
            )
        )
    try:
        return schemas[study].model_validate(raw)
    except ValidationError as error:
        raise ConfigError(*explained(error, schemas[study], raw)) from None


def _parsed(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = [str(p) for p in sorted(path.parent.glob("*.toml"))]
        message = f"there is no such file{hint(str(path), near)}"
        raise ConfigError(Problem("", message)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(Problem("", f"cannot be read: {error}")) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(Problem("", f"is not TOML: {error}")) from None


def _override(raw: dict[str, Any], override: str) -> Iterator[Problem]:
    """Puts `key.sub=value` into the raw config; yields a fault if it cannot be put."""
    key, equals, text = override.partition("=")
    *tables, last = key.strip().split(".")
    if not equals or not last or not all(tables):
        yield Problem(key.strip(), "an override is written key=value, with dots in key")
        return
    table = raw
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            yield Problem(key.strip(), f"'{name}' is a value, not a table of keys")
            return
    table[last] = _value(text.strip())


def _value(text: str) -> Any:
    """Returns the TOML value, or the text itself where it is none.

    >>> _value("3e-4"), _value("relu"), _value('["relu", "gelu"]')
    (0.0003, 'relu', ['relu', 'gelu'])
    """
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text
