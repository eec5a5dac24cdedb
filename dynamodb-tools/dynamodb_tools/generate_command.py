"""`dynamodb-tools generate`: test items, into a table or as a Singer stream."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

from dynamodb_core import tables
from dynamodb_core.definitions import Definition
from dynamodb_core.errors import ConfigError, TableNotFound
from dynamodb_core.prices import COST_PROPERTIES, Prices, money
from dynamodb_core.progress import duration
from dynamodb_core.rates import Asked
from dynamodb_core.sizes import MOST_ITEM_BYTES, index_keys
from dynamodb_core.table import Key, Table
from dynamodb_tools import output
from dynamodb_tools.cli import Command, tools
from dynamodb_tools.generate import Course, Load, to_stdout
from dynamodb_tools.generated_stream import GeneratedStream
from dynamodb_tools.key_values import MOST_NUMBER
from dynamodb_tools.options import config_of, settings
from dynamodb_tools.recipe import Items, Recipe
from dynamodb_tools.settings import AWS, aws_of
from dynamodb_tools.shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.sizes import IndexKey
    from dynamodb_core.wire import Wire
    from dynamodb_tools.options import Config, Properties

DEFAULT_KEY = "id:S"
WORKERS = 8

PROPERTIES: Properties = {
    "stream": {
        "type": ["string", "null"],
        "minLength": 1,
        "title": "Stream",
        "description": (
            "Print the items as a Singer stream of this name, instead of writing them into a table."
        ),
    },
    "item_format": {
        "type": "string",
        "enum": ["plain", "dynamodb_json"],
        "default": "plain",
        "title": "Form of the stream's records",
        "description": (
            "The form of a stream's records, as tap-dynamodb has it: attributes as properties, or the "
            "typed item in one. target-dynamodb makes the same items of both."
        ),
    },
    "count": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": 1000,
        "title": "Count",
        "description": "How many items.",
    },
    "first": {
        "type": ["integer", "null"],
        "minimum": 0,
        "default": 0,
        "title": "First number",
        "description": (
            "The number of the first item. An item follows from its number, so a run goes on where "
            "another one ended, and several share the work."
        ),
    },
    "shape": {
        "type": "string",
        "enum": list(SHAPES),
        "default": "flat",
        "title": "Shape",
        "description": (
            "flat (170 bytes on the wire, 8 attributes), nested (1.6 KB, maps and lists), large (200 KB), "
            "every (each of DynamoDB's types), nasty (what breaks tools)."
        ),
    },
    "size": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": MOST_ITEM_BYTES,
        "title": "Size",
        "description": (
            "Bytes of each item as DynamoDB counts them, to the byte. Left out, as the shape has it."
        ),
    },
    "keys": {
        "type": "string",
        "enum": ["uniform", "hot"],
        "default": "uniform",
        "title": "Distribution of keys",
        "description": (
            "uniform: ten items a partition key (one, where there is no sort key). hot: nine items in "
            "ten have one partition key; wants a sort key."
        ),
    },
    "seed": {
        "type": ["integer", "null"],
        "default": 1,
        "title": "Seed",
        "description": "Another seed makes other items of the same keys.",
    },
    "key": {
        "type": ["string", "null"],
        "title": "Key",
        "description": (
            "The key of a stream's items, or of a table that is made: NAME:TYPE or "
            f"NAME:TYPE,NAME:TYPE with S, N or B. Left out: {DEFAULT_KEY}, or the table's own."
        ),
    },
    "create": {
        "type": ["boolean", "null"],
        "default": False,
        "title": "Create the table",
        "description": "Make a table that is missing, on demand.",
    },
    "rate": {
        "type": ["number", "null"],
        "exclusiveMinimum": 0,
        "title": "Rate",
        "description": "Items a second at the most, beside the write capacity.",
    },
    "write_capacity": {
        "type": ["integer", "null"],
        "minimum": 1,
        "title": "Write capacity",
        "description": (
            "Write capacity units a second that the run may consume. Left out: half of what the table "
            "has, unlimited for one that this run made or that names no figure."
        ),
    },
    "write_capacity_percent": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 100,
        "title": "Write capacity in percent",
        "description": "The same in percent of what the table and each of its global indexes have.",
    },
    "write_workers": {
        "type": ["integer", "null"],
        "minimum": 1,
        "maximum": 64,
        "default": WORKERS,
        "title": "Write workers",
        "description": "How many requests of 25 items are on their way at once.",
    },
    "dry_run": {
        "type": ["boolean", "null"],
        "default": False,
        "title": "Dry run",
        "description": "Write nothing: say how large the items are, what they cost and how long it takes.",
    },
    **COST_PROPERTIES,
    **AWS,
}

log = logging.getLogger("dynamodb-tools")


@dataclass(frozen=True)
class Settings:
    """What is asked for.

    Attributes:
        config: The settings' values, checked.
        course: Which items, and how fast.
        key: The key, where it is said.
    """

    config: Config
    course: Course
    key: Key | None

    @classmethod
    def of(cls, config: Config) -> Settings:
        """Read the settings' values.

        Args:
            config: The values.

        Raises:
            ConfigError: They contradict each other.
        """
        first, count = config["first"], config["count"]
        if first + count > MOST_NUMBER:
            raise ConfigError(
                f"Items have numbers below {MOST_NUMBER:,}, and {first:,} and {count:,} are more together",
                "Take a lower first or count",
            )
        said = config.get("key")
        return cls(config, Course(first, count, config.get("rate")), said and key_of(said))

    @property
    def asked(self) -> Asked:
        """What is asked of the table's write capacity."""
        units, percent = (self.config.get(f"write_capacity{end}") for end in ("", "_percent"))
        return Asked("write", units, percent)

    def items(self, key: Key, wanted: tuple[IndexKey, ...] = ()) -> Items:
        """Return the items.

        Args:
            key: The key of their table.
            wanted: What the keys of its indexes want.

        Raises:
            ConfigError: There can be no such items.
        """
        config = self.config
        size = config.get("size")
        return Items(Recipe(key, config["shape"], config["seed"], size, config["keys"], wanted))


def key_of(text: str) -> Key:
    """Return a key as it is written in the settings, for example `pk:S,sk:N`.

    Args:
        text: What is written.

    Raises:
        ConfigError: It is no key.
    """
    parts = [re.fullmatch("(.+):([SNB])", part.strip(), re.DOTALL) for part in text.split(",")]
    found = [part.groups() for part in parts if part is not None]
    names = [name for name, _ in found]
    if len(found) != len(parts) or len(parts) > len(("pk", "sk")) or len(set(names)) < len(names):
        raise ConfigError(
            f"{text!r} is no key",
            "Write it as pk:S or pk:S,sk:N: the partition key, then a sort key of another name, each S, "
            "N or B",
        )
    return Key(*map(tuple, zip(*found, strict=True)))


@tools.command(cls=Command, short_help="Test items, into a table or as a Singer stream.")
@click.argument("table", required=False)
@settings(PROPERTIES)
def generate(table: str | None, **given: Any) -> None:
    """Make test items, and write them into TABLE, or print them as a Singer stream with --stream.

    An item follows from its number and from the settings, on any machine and in any run.
    """
    config = config_of(PROPERTIES, given)
    asked = Settings.of(config)
    stream = config.get("stream")
    if bool(table) == bool(stream):
        raise ConfigError(
            "Items go into a table or to standard output",
            "Name a table, or a stream with --stream NAME, and not both",
        )
    if stream:
        items = asked.items(asked.key or key_of(DEFAULT_KEY))
        to_stdout(GeneratedStream(items, stream, config["item_format"]), asked.course)
    elif table:
        _into(table, asked)


def _into(name: str, asked: Settings) -> None:
    if name.startswith("arn:"):
        raise ConfigError(
            f"{name} is an ARN, and items are written into a table of the own account alone",
            "Give the table's name, and --aws-region",
        )
    from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes half a second

    config = asked.config
    workers = config["write_workers"]
    wire = BotoWire(aws_of(config), connections=workers + 1)
    found = _find(wire, name, asked)
    table = found or Table(
        name, "", "", asked.key or key_of(DEFAULT_KEY), billing="PAY_PER_REQUEST"
    )
    items = asked.items(table.key, tuple(index_keys(table)))
    if found is None and not config["dry_run"]:
        table = tables.create(wire, Definition(name, table.key))
        log.info("Created table %s, key %s, on demand", name, table.key)
    elif found is not None and not found.active:
        table = tables.wait_until_active(wire, name)
    load = Load(
        wire,
        table,
        items,
        asked.course,
        asked.asked,
        made=found is None,
        workers=workers,
        **_cost(config),
    )
    if config["dry_run"]:
        load.check_cost()
        output.write_line(_rehearsed(load, wire))
    else:
        load.run()


def _cost(config: Mapping[str, Any]) -> dict[str, Any]:
    most = config.get("max_cost") or None
    prices = Prices.of(config.get("prices"))
    return {"max_cost": None if most is None else float(most), "prices": prices}


def _find(wire: Wire, name: str, asked: Settings) -> Table | None:
    """Return the table; None where there is none and it may be made."""
    try:
        table = tables.describe(wire, name)
    except TableNotFound as error:
        if not asked.config["create"]:
            raise TableNotFound(
                error.message,
                "Let it be made: --create, and --key pk:S,sk:N for another key than id:S",
            ) from error
        return None
    if asked.key not in (None, table.key):
        raise ConfigError(
            f"Table {name} has the key {table.key}, and {asked.key} is asked for",
            "Leave --key out, or name another table",
        )
    return table


def _rehearsed(load: Load, wire: Wire) -> str:
    """Return what a run would do, as a dry run says it."""
    course, table = load.course, load.table
    size, _ = load.items.sampled(course.first, course.count)
    units = load.units()
    rates = [] if course.rate is None else [course.count / course.rate]
    if not load.made:
        rate, _ = load.asked.of(table, lambda kind: tables.account_limit(wire, kind))
        rates += [] if rate is None else [units / rate]
    elif load.asked.units:
        rates.append(units / load.asked.units)
    words = [
        f"{course.count:,} items of about {size:,.0f} bytes",
        f"{course.count * size / 1e6:,.1f} MB",
        f"{units:,.0f} write units of the table",
    ]
    if load.counts:
        words.append(f"a cost of about {money(units * load.prices.unit('write'))}")
    words += [f"at least {duration(max(rates))}"] if rates else []
    made = f" (it is made, key {table.key})" if load.made else ""
    return f"Dry run: table {table.name}{made} would get {', '.join(words)}"
