"""`dynamodb-tools compare`: whether two tables hold the same items."""

from __future__ import annotations

import contextlib
import json
import logging
from typing import TYPE_CHECKING, Any

import click
import orjson

from dynamodb_core.errors import Error
from dynamodb_core.filters import FILTER_SCHEMA
from dynamodb_core.prices import COST_PROPERTIES
from dynamodb_tools import options, output, report
from dynamodb_tools.cli import Command, tools
from dynamodb_tools.settings import AWS, SIDES, aws_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from dynamodb_tools.compare import Comparing
    from dynamodb_tools.differences_file import DifferencesFile
    from dynamodb_tools.options import Config, Properties
    from dynamodb_tools.pairs import Pair
    from dynamodb_tools.report import Report
    from dynamodb_tools.stopping import Signals

PROPERTIES: Properties = {
    "output": {
        "type": ["string", "null"],
        "title": "Output",
        "description": (
            "A file for all differences, as JSON Lines: a Singer stream that target-dynamodb can load "
            "into B. Left out, the first ones are shown."
        ),
    },
    "show": {
        "type": "integer",
        "minimum": 0,
        "default": 20,
        "title": "Show",
        "description": "How many differences are shown, by key and path.",
    },
    "format": {
        "type": "string",
        "enum": ["text", "json"],
        "default": "text",
        "title": "Format",
        "description": "How the result is said: as text for people, or as one JSON object a pair.",
    },
    "sample": {
        "type": "number",
        "exclusiveMinimum": 0,
        "maximum": 100,
        "default": 100,
        "title": "Sample",
        "description": (
            "Percent of the keys that are compared, the same ones on both sides. Both tables are read "
            "whole all the same."
        ),
    },
    "keys_only": {
        "type": "boolean",
        "default": False,
        "title": "Keys only",
        "description": "Compare keys, and not what the items hold.",
    },
    "ignore": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "default": [],
        "title": "Ignore",
        "description": "Attributes that do not count, for example updated_at,version.",
    },
    "filter": {**FILTER_SCHEMA, "type": ["object", "null"]},
    "key_properties": {
        "type": "array",
        "items": {"type": "string", "minLength": 1},
        "maxItems": 2,
        "default": [],
        "title": "Key properties",
        "description": (
            "The key attributes, for example pk,sk, where neither A nor B is a table: an export does not name "
            "them."
        ),
    },
    "since": {
        "type": ["number", "null"],
        "minimum": 0,
        "title": "Since",
        "description": (
            "For tables that are written meanwhile: each difference is looked at again so many seconds "
            "after it was found, and only those that last are reported."
        ),
    },
    "spelling": {
        "type": "boolean",
        "default": False,
        "title": "Spelling",
        "description": (
            "Show, and write to the output, also items that are equal but for how their numbers are "
            "spelled (1.50 and 1.5). They are counted in any case, and are no difference."
        ),
    },
    "consistent_read": {
        "type": "boolean",
        "default": False,
        "title": "Consistent reads",
        "description": "Read both tables strongly consistent, at twice the capacity units.",
    },
    "read_capacity": {
        "type": ["integer", "null"],
        "minimum": 1,
        "title": "Read capacity",
        "description": (
            "Capacity units a second that may be consumed of each table. By default half of what it has."
        ),
    },
    "read_capacity_percent": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 100,
        "title": "Read capacity in percent",
        "description": "The same in percent of what the table has. Goes instead of read_capacity.",
    },
    "segments": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 1_000_000,
        "title": "Segments",
        "description": "Into how many parts each scan is divided. By default the tables' sizes decide.",
    },
    "scan_workers": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 256,
        "title": "Scan workers",
        "description": "How many segments of each table are read at once. By default two a core, 4 to 8.",
    },
    "processes": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 64,
        "title": "Processes",
        "description": (
            "How many processes read each table; with 1 threads of one process read both. By default "
            "the cores are shared by the tables of more than 128 MiB."
        ),
    },
    **COST_PROPERTIES,
    "max_cost": {
        **COST_PROPERTIES["max_cost"],
        "description": (
            "What reading may cost in request units of tables on demand, in the currency of the prices. A "
            "comparison that would cost more ends with exit code 2 before its first paid call, where that "
            "can be known, and else before the call that would exceed it."
        ),
    },
    "work_folder": {
        "type": "string",
        "minLength": 1,
        "default": ".dynamodb-tools",
        "title": "Work folder",
        "description": (
            "A folder for files while the comparison goes on: some 70 bytes for each item of both tables. "
            "They hold keys. A run that was interrupted goes on with them."
        ),
    },
    "start_over": {
        "type": "boolean",
        "default": False,
        "title": "Start over",
        "description": "Begin anew, whatever an interrupted run has left.",
    },
    **SIDES,
    **AWS,
}
"""The settings of the command, as JSON Schema."""

log = logging.getLogger("dynamodb-tools")


@tools.command(cls=Command, failed=report.UNCERTAIN)
@click.argument("table_a", metavar="A", envvar=f"{options.PREFIX}TABLE_A")
@click.argument("table_b", metavar="B", envvar=f"{options.PREFIX}TABLE_B")
@options.settings(PROPERTIES)
@click.pass_context
def compare(context: click.Context, /, table_a: str, table_b: str, **given: Any) -> None:
    """Compare table B with table A, item by item.

    A and B are names or ARNs. A may be a pattern (orders-*), or several names with commas between; {table}
    in B stands for the name of A's table. Every pair is compared, one after the other.

    Either may be an export: s3://bucket/prefix, a folder (with a slash), or an export's ARN.

    The exit code is 0 where the tables are the same, 1 where there are differences, and 2 where that could
    not be said.
    """
    config = options.config_of(PROPERTIES, given)
    context.exit(_guarded(lambda signals: _run(table_a, table_b, config, signals)))


def _guarded(work: Callable[[Signals], int]) -> int:
    """Return the exit code of some work; a defect of ours must not look like differences."""
    from dynamodb_tools.stopping import Signals, Stopped  # noqa: PLC0415

    try:
        with Signals() as signals:
            return work(signals)
    except (Error, click.ClickException):
        raise
    except Stopped as stopped:
        log.info("%s: stopping", stopped.name)
        raise
    except Exception:
        log.exception("A defect of dynamodb-tools; please report it")
        return report.UNCERTAIN


def _run(table_a: str, table_b: str, config: Config, signals: Signals) -> int:
    """Compare every pair, and return the worst exit code."""
    from dynamodb_core import tables  # noqa: PLC0415
    from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import
    from dynamodb_tools.compare import Comparing  # noqa: PLC0415
    from dynamodb_tools.differences_file import DifferencesFile  # noqa: PLC0415
    from dynamodb_tools.pairs import pairs  # noqa: PLC0415

    comparing = Comparing.of(config, signals)
    chosen = pairs(table_a, table_b, lambda: tables.names(BotoWire(aws_of(config, "a"))))
    codes: dict[str, int] = {}
    as_text = config["format"] == "text"
    with contextlib.ExitStack() as stack:
        file = None
        if config.get("output"):
            file = stack.enter_context(DifferencesFile(config["output"]))
        for pair in chosen:
            if len(chosen) == 1:
                return _compare(pair, comparing, config, file)
            if as_text:
                output.write_line(f"{pair.a} and {pair.b}:")
            try:
                codes[pair.a] = _compare(pair, comparing, config, file)
            except Error as error:
                log.error("%s and %s: %s", pair.a, pair.b, error)  # noqa: TRY400 - a line, not a traceback
                codes[pair.a] = report.UNCERTAIN
            if as_text:
                output.write_line("")
    if as_text:
        output.write_line(report.overall(codes))
    return max(codes.values())


def _compare(pair: Pair, comparing: Comparing, config: Config, file: DifferencesFile | None) -> int:
    """Compare two sides, say what has come out, and return the exit code."""
    from dynamodb_tools.opening import opened  # noqa: PLC0415

    aws = [aws_of(config, side) for side in ("a", "b")]  # both, before either is asked
    a, b = opened(pair, aws, comparing.how, config["key_properties"])
    as_text = config["format"] == "text"

    def tell(found: report.Shown) -> None:
        if as_text:
            output.write_line(report.line(found))

    made = comparing.compare(a, b, file, tell)
    output.write_line(report.summary(made) if as_text else _json(made))
    return made.exit_code


def _json(made: Report) -> str:
    said = report.as_json(made)
    try:
        return orjson.dumps(said).decode()
    except orjson.JSONEncodeError:  # half of a surrogate pair
        return json.dumps(said)
