"""Settings as options: each is declared once, as JSON Schema, and is read from four places.

A setting `read_capacity` is the option `--read-capacity`, the environment's variable
`DYNAMODB_TOOLS_READ_CAPACITY` (as Meltano sets it), the member `read_capacity` of the file that `--config`
names, or its default; of several the first one counts.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from jsonschema import Draft202012Validator

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import discreet

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

Properties = dict[str, dict[str, Any]]
"""JSON Schema of settings, by name."""

Config = dict[str, Any]
"""Values of settings, by name; those that are not set are missing."""

PREFIX = "DYNAMODB_TOOLS_"
CONFIG_FILE = "config_file"
_SCALARS: Mapping[str, Any] = {"integer": click.INT, "number": click.FLOAT, "string": click.STRING}


class JsonType(click.ParamType[Any]):
    """A value of JSON; an object also as `NAME=VALUE,NAME=VALUE`, an array also as `VALUE,VALUE`.

    Args:
        kind: `object` or `array`.
        members: JSON Schema of an object's members, by name: those that are numbers are read as such.
    """

    def __init__(self, kind: str, members: Mapping[str, Any] | None = None) -> None:
        self.kind = kind
        self._members = members or {}
        self.name = "NAME=VALUE" if kind == "object" else "JSON"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return what the text says."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        if text[:1] in ("{", "["):
            try:
                return json.loads(text)
            except ValueError as error:
                self.fail(f"is no JSON: {error}", param, ctx)
        parts = [part.strip() for part in text.split(",") if part.strip()]
        if self.kind == "array":
            return parts
        if not all("=" in part for part in parts):
            self.fail("is neither a JSON object nor NAME=VALUE,NAME=VALUE", param, ctx)
        pairs = (part.split("=", 1) for part in parts)
        return {name.strip(): self._member(name.strip(), text) for name, text in pairs}

    def _member(self, name: str, text: str) -> Any:
        if self._members.get(name, {}).get("type") not in ("number", "integer"):
            return text
        try:
            return json.loads(text)
        except ValueError:
            return text  # the schema says what is wrong with it


def settings(properties: Properties) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a click command an option for each setting, and `--config`.

    Those of secrets are not listed: others on the machine can see a command line. The environment and
    the file are their place.

    Args:
        properties: The settings; `config_of` makes one dictionary of their values.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for name, schema in reversed(properties.items()):
            command = _option(name, schema)(command)
        return click.option(
            "--config",
            CONFIG_FILE,
            type=click.Path(path_type=Path, dir_okay=False),
            envvar=f"{PREFIX}CONFIG",
            help="A JSON file with settings.",
        )(command)

    return decorate


def config_of(properties: Properties, given: Mapping[str, Any]) -> Config:
    """Return the values of settings, from the options, the environment and the file together.

    Args:
        properties: The settings.
        given: What click has read, by name, and the file as `config_file`. What is no setting is
            passed over.

    Raises:
        ConfigError: The file cannot be read, names settings that there are not, or a value is wrong.
    """
    file = given.get(CONFIG_FILE)
    config = _read(file) if file else {}
    unknown = sorted(config.keys() - properties.keys())
    if unknown:
        raise ConfigError(
            f"The configuration {file} has the setting {unknown[0]}, which this command has not",
            "Its --help lists them",
        )
    config.update({n: given[n] for n in properties if given.get(n) is not None})
    config = {name: value for name, value in config.items() if value is not None}
    check(properties, config)
    return {n: s["default"] for n, s in properties.items() if "default" in s} | config


def check(properties: Properties, config: Mapping[str, Any], where: str = "") -> None:
    """Refuse values that are not what the settings want.

    Args:
        properties: The settings.
        config: Their values.
        where: Of which side they are, for messages.

    Raises:
        ConfigError: A value is wrong; a secret one is not shown.
    """
    schema = {"type": "object", "properties": properties, "additionalProperties": False}
    for error in Draft202012Validator(schema).iter_errors(config):
        name = str(error.path[0]) if error.path else ""
        said = discreet(f"{error.message} in config['{name}']") if name else error.message
        raise ConfigError(f"A setting{where} is wrong: {said}", "Look at the command's --help")


def _option(name: str, schema: Mapping[str, Any]) -> Callable[[Any], Any]:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    [kind, *_] = [each for each in kinds if each != "null"]
    spelled = f"--{name.replace('_', '-')}"
    kind_type: Any
    if "enum" in schema:
        kind_type = click.Choice([value for value in schema["enum"] if value is not None])
    elif kind == "boolean":
        kind_type = click.BOOL
        spelled = f"{spelled}/--no-{name.replace('_', '-')}"
    elif kind in _SCALARS:
        kind_type = _SCALARS[kind]
    else:
        kind_type = JsonType(kind, schema.get("properties"))
    words = schema["description"]
    if "default" in schema and schema["default"] is not None:
        default = schema["default"]
        shown = default if isinstance(default, str) else json.dumps(default)
        words = f"{words} [default: {shown}]"
    return click.option(
        spelled,
        name,
        type=kind_type,
        default=None,
        envvar=f"{PREFIX}{name.upper()}",
        help=words,
        hidden=bool(schema.get("secret")),
    )


def _read(path: Path) -> Config:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"The configuration {path} cannot be read: {error}",
            "--config takes the path of a JSON file",
        ) from error
    if not isinstance(config, dict):
        raise ConfigError(
            f"The configuration {path} is no JSON object", 'Write it as {"aws_region": …}'
        )
    return config
