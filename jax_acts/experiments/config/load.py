"""Load a TOML file and `--set` overrides as one typed config."""

import re
import tomllib
import unicodedata
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jax_acts._core.errors import did_you_mean
from jax_acts.experiments.config.errors import ConfigError, ConfigIssue, validate
from jax_acts.experiments.config.schema import StudyConfig

MAX_MESSAGE = 1000
"""Characters of a fault that are printed: its start and its end."""


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
        message = " ".join(issue.message.split())
        if len(message) > MAX_MESSAGE:  # it quotes a long key or value
            message = f"{message[: MAX_MESSAGE // 2]} … {message[-MAX_MESSAGE // 2 :]}"
        return f"config error: {place}: {message}"


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
    raw.setdefault("name", _default_name(source.path))
    study = raw.get("study")
    if not isinstance(study, str) or study not in schemas:
        key = f"study = {study!r}" if "study" in raw else "study"
        near = did_you_mean(str(study), schemas)
        message = f"{key}: expected one of {', '.join(schemas)}{near}"
        raise ConfigError(ConfigIssue("study", message))
    return validate(schemas[study], raw, source.path.parent)


def _default_name(path: Path) -> str:
    """Return the name of a config that states none, from that of its file.

    >>> [_default_name(Path(name)) for name in ("über.toml", "_x y.toml", "日本.toml")]
    ['uber', 'x-y', 'config']
    """
    stem = unicodedata.normalize("NFKD", path.stem)
    stem = "".join(c for c in stem if not unicodedata.combining(c))
    name = re.sub(r"[^A-Za-z0-9_.-]", "-", stem).lstrip("_.-")
    return name[:100] or "config"


MAX_BYTES = 1_000_000
"""Maximum size of a config file; the longest useful one has some 10 kB."""


def _parse(path: Path) -> dict[str, Any]:
    try:
        if path.exists() and not path.is_file():  # reading a FIFO may never end
            raise OSError("not a file")
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
        if len(content) > MAX_BYTES:
            raise OSError(f"more than {MAX_BYTES:,} bytes")
        return tomllib.loads(content.decode().replace("\r\n", "\n"))
    except FileNotFoundError:
        near = did_you_mean(str(path), map(str, sorted(path.parent.glob("*.toml"))))
        message = f"expected a TOML file, got no file{near}"
    except (OSError, UnicodeDecodeError) as error:
        message = f"expected a readable file: {error}"
    except (RecursionError, ValueError) as error:  # too deep; too many digits
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
    except (RecursionError, ValueError):
        return text
    return parsed["value"] if parsed.keys() == {"value"} else text
