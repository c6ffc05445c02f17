"""Load a TOML file and `--set` overrides as one typed config."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, validate
from jax_acts.experiments.config.schema import StudyConfig


class Source(NamedTuple):
    """A config file and the `--set` arguments that override it."""

    path: Path
    overrides: tuple[str, ...] = ()

    def line(self, issue: ConfigIssue) -> str:
        """Return the issue as one line that names the file or the override."""
        key = issue.key.partition("[")[0]
        place = str(self.path)
        for override in self.overrides:
            name = override.partition("=")[0].strip()
            if f"{key}.".startswith(f"{name}.") or f"{name}.".startswith(f"{key}."):
                place = f"{self.path} with --set {override}"
        return f"config error: {place}: {' '.join(issue.message.split())}"


def load_config(
    source: Source, schemas: Mapping[str, type[StudyConfig]]
) -> StudyConfig:
    """Load a config with the schema that its key `study` names.

    Relative paths in it are resolved against the directory of the file.

    Raises:
        ConfigError: The config is invalid; it holds every fault.
    """
    raw = _parse(source.path)
    issues = [issue for o in source.overrides for issue in _override(raw, o)]
    if issues:
        raise ConfigError(*issues)
    raw.setdefault("name", re.sub(r"[^A-Za-z0-9_.-]", "-", source.path.stem))
    study = raw.get("study")
    if not isinstance(study, str) or study not in schemas:
        key = f"study = {study!r}" if "study" in raw else "study"
        near = did_you_mean(str(study), schemas)
        message = f"{key}: expected one of {', '.join(schemas)}{near}"
        raise ConfigError(ConfigIssue("study", message))
    return validate(schemas[study], raw, source.path.parent)


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        near = did_you_mean(str(path), map(str, sorted(path.parent.glob("*.toml"))))
        message = f"expected a TOML file, got no file{near}"
    except (OSError, UnicodeDecodeError) as error:
        message = f"expected a readable file: {error}"
    except tomllib.TOMLDecodeError as error:
        message = f"expected TOML: {error}"
    raise ConfigError(ConfigIssue("", message))


def _override(raw: dict[str, Any], override: str) -> Iterator[ConfigIssue]:
    """Apply `key.sub=value` to the raw config; yield an issue where it is invalid."""
    key, equals, text = override.partition("=")
    *tables, last = key.strip().split(".")
    if not equals or not last or not all(tables):
        yield ConfigIssue(key.strip(), f"--set: expected key=value, got {override!r}")
        return
    table = raw
    for name in tables:
        table = table.setdefault(name, {})
        if not isinstance(table, dict):
            message = f"{name} = {table!r}: expected a table of keys"
            yield ConfigIssue(key.strip(), message)
            return
    table[last] = _value(text.strip())


def _value(text: str) -> Any:
    """Return the TOML value, or the text itself where it is not TOML.

    >>> _value("3e-4"), _value("relu"), _value('["relu", "gelu"]')
    (0.0003, 'relu', ['relu', 'gelu'])
    """
    try:
        parsed = tomllib.loads(f"value = {text}")
    except tomllib.TOMLDecodeError:
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text
