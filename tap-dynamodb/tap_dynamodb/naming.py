"""The names of streams: of tables and of the entities that a scan is split into; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError
from dynamodb_core.provenance import stream_name

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dynamodb_core.table import Table
    from tap_dynamodb.settings import Settings


@dataclass(frozen=True)
class _Owner:
    table: Table
    entity: bool = False


def stream_names(tables: Iterable[Table], settings: Settings) -> list[str]:
    """Return the stream name of each table, in the order of the tables.

    SQL targets keep only what follows the last `-` of a stream name, so `-` becomes `_`.

    Args:
        tables: The tables; two of them may have one name, in different accounts or regions.
        settings: Those of the whole run. `stream_names` gives names by ARN or by table name, and
            `table_options` the entities, whose streams want names of their own.

    Raises:
        ConfigError: Two tables would have one stream, or SQL targets would take two streams for one.
    """
    names: list[str] = []
    owners: dict[str, _Owner] = {}
    for table in tables:
        given = settings.stream_names
        own = given.get(table.arn) or given.get(table.name) or stream_name(table.name)
        names.append(own)
        streams = {own: _Owner(table)}
        for rule in settings.for_table(table.name, table.arn).entities:
            streams.setdefault(rule["stream"], _Owner(table, entity=True))
        for name, owner in streams.items():
            if name in owners:
                raise _clash(name, owners[name], owner)
            owners[name] = owner
    _refuse_one_ending(owners)
    return names


def _refuse_one_ending(streams: Iterable[str]) -> None:
    endings: dict[str, str] = {}
    for name in streams:
        ending = name.rpartition("-")[2]
        if ending in endings:
            raise ConfigError(
                f"SQL targets would load the streams {endings[ending]} and {name} into one table, as "
                "they keep only what follows the last -",
                "Give them names without - in stream_names, or in entities",
            )
        endings[ending] = name


def _clash(name: str, one: _Owner, other: _Owner) -> ConfigError:
    alike = one.table.name == other.table.name
    first, second = (o.table.arn if alike else o.table.name for o in (one, other))
    ways = {}
    for owner, reference in ((other, second), (one, first)):
        if owner.entity:
            ways[reference] = f"name the entity's stream otherwise in table_options of {reference}"
        else:
            alias = f'set stream_names, for example {{"{reference}": "{name}_2"}}'
            ways.setdefault("stream_names", alias)
    hint = " or ".join(ways.values())
    return ConfigError(
        f"Tables {first} and {second} would both have the stream {name}",
        hint[0].upper() + hint[1:],
    )
