"""`dynamodb-tools plan`: what copying tables will take, before anything is read or written."""

from __future__ import annotations

import logging
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import click
import orjson

from dynamodb_core import tables
from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.prices import COST_PROPERTIES, Prices
from dynamodb_core.rates import Asked
from dynamodb_tools import options, output, plan_report
from dynamodb_tools.cli import FAILED, Command, tools
from dynamodb_tools.pairs import TABLE, is_pattern
from dynamodb_tools.planning import Planning, settings_for
from dynamodb_tools.settings import AWS, SIDES, aws_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamodb_core.wire import Wire
    from dynamodb_tools.options import Config, Properties


def _capacity(kind: str, whose: str, left_out: str) -> Properties:
    return {
        f"{kind}_capacity": {
            "type": ["integer", "null"],
            "minimum": 1,
            "title": f"{kind.capitalize()} capacity",
            "description": (
                f"Capacity units a second that the {'tap' if kind == 'read' else 'target'} would consume "
                f"of {whose}. {left_out}"
            ),
        },
        f"{kind}_capacity_percent": {
            "type": ["integer", "null"],
            "minimum": 1,
            "maximum": 100,
            "title": f"{kind.capitalize()} capacity in percent",
            "description": f"The same in percent of what it has. Goes instead of {kind}_capacity.",
        },
    }


PROPERTIES: Properties = {
    "copy": {
        "type": ["string", "null"],
        "minLength": 1,
        "title": "Copy",
        "description": (
            "The table that is to be written, by name or ARN; {table} in it stands for the name of the "
            "table that is read. Left out, or where there is none: a new one, made like that table."
        ),
    },
    **_capacity("read", "each table", "By default half of what it has."),
    **_capacity(
        "write", "each copy", "By default half of what it has, and all of what a new one has."
    ),
    "sample": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 1_000_000,
        "title": "Sample",
        "description": (
            "So many items of each table are read, which is paid, to know closer what writing them costs. "
            "Left out, nothing is read: it follows from the items' number and size."
        ),
    },
    "prices": COST_PROPERTIES["prices"],
    "format": {
        "type": "string",
        "enum": ["text", "json"],
        "default": "text",
        "title": "Format",
        "description": "How it is said: as text for people, or as one JSON object a table.",
    },
    "b": {
        **SIDES["b"],
        "title": "AWS settings of the copy",
        "description": (
            "AWS settings that hold for the copy alone, for example "
            "aws_region=eu-west-1,aws_profile=archive."
        ),
    },
    **AWS,
}
"""The settings of the command, as JSON Schema."""

log = logging.getLogger("dynamodb-tools")


@tools.command(cls=Command)
@click.argument("table", nargs=-1, required=True)
@options.settings(PROPERTIES)
@click.pass_context
def plan(context: click.Context, /, table: tuple[str, ...], **given: Any) -> None:
    """Say what copying each TABLE will take: units, money and time by road.

    A TABLE is a name, an ARN or a pattern (orders-*). Nothing is read but descriptions, unless --sample says
    so, and nothing is written.
    """
    config = options.config_of(PROPERTIES, given)
    context.exit(_run(table, config))


def _run(references: tuple[str, ...], config: Config) -> int:
    """Say it of each table; return the exit code."""
    from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

    def wire_of(side: str) -> Callable[[str], Wire]:
        settings = aws_of(config, side)
        return lambda reference: BotoWire(settings_for(settings, reference))

    planning = Planning(
        Asked("read", config.get("read_capacity"), config.get("read_capacity_percent")),
        Asked("write", config.get("write_capacity"), config.get("write_capacity_percent")),
        Prices.of(config.get("prices")),
        copy=config.get("copy") or "",
        sample=config.get("sample") or 0,
    )
    here, there = wire_of(""), wire_of("b")
    chosen = _chosen(references, planning.copy, lambda: tables.names(here("")))
    code = 0
    for number, reference in enumerate(chosen):
        try:
            given = planning.look(reference, here(reference), there)
        except Error as error:
            if len(chosen) == 1:
                raise
            log.error("%s", error)  # noqa: TRY400 - a line, not a traceback
            code = FAILED
            continue
        if config["format"] == "json":
            output.write(orjson.dumps(plan_report.as_json(given)) + b"\n")
        else:
            output.write_line(("\n\n" if number else "") + plan_report.text(given))
    return code


def _chosen(references: Iterable[str], copy: str, names: Callable[[], Iterable[str]]) -> list[str]:
    """Return the tables: those that are named, and those that match a pattern and are no copies."""
    there: list[str] | None = None
    chosen: dict[str, None] = {}
    for reference in references:
        if not is_pattern(reference):
            chosen[reference] = None
            continue
        there = sorted(names()) if there is None else there
        matching = [name for name in there if fnmatchcase(name, reference)]
        if not matching:
            raise ConfigError(
                f"No table matches {reference}",
                "Check aws_region and the account of the credentials",
            )
        copies = {copy.replace(TABLE, name) for name in matching} if TABLE in copy else set()
        chosen.update(dict.fromkeys(name for name in matching if name not in copies))
    return list(chosen)
