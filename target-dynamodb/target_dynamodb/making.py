"""The tables that the target makes: what each is like, and what is added after the load."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core import tables
from dynamodb_core.definitions import (
    AFTER_LOAD,
    ON_DEMAND,
    PROVISIONED,
    UNITS,
    Definition,
    key_attributes,
    merged,
    part_of,
)
from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.table import Table
from target_dynamodb.likeness import Likeness, traits

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.table import Key
    from dynamodb_core.wire import Wire
    from target_dynamodb.keys import Stream
    from target_dynamodb.settings import Settings
    from target_dynamodb.source import Source


class Making:
    """Makes tables, and adds afterwards what is to come after the load.

    Args:
        settings: What tables are like.
        wire: Carries the calls.
        log: Told what is made, and what is not copied.
        sleep: Waits for seconds while an index is filled.
    """

    def __init__(
        self,
        settings: Settings,
        wire: Wire,
        log: logging.Logger,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._settings = settings
        self._wire = wire
        self._log = log
        self._sleep = sleep
        self._later: dict[str, Definition] = {}

    def definition(self, stream: Stream, name: str, key: Key) -> Definition:
        """Return what a table is to be like by the settings, and by the stream's source.

        Args:
            stream: The stream.
            name: The table's name.
            key: Its key.

        Raises:
            ConfigError: No table can be made of the settings.
            DataError: What the SCHEMA says of the source cannot be read.
        """
        own = self._settings.making.for_table(name)
        try:
            copied = self._copied(stream.source, own.copied, key)
            if "kms_master_key_id" not in own.own:
                self._refuse_foreign_key(name, copied)
            settings = merged(copied, own.own)
            types = {each: stream.type_of(each) or "" for each in key_attributes(settings)}
            definition = Definition(name, key, settings, types)
            definition.create_request()  # what is wrong with it is said here
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"Stream {stream.name}: what its SCHEMA says of the source table's settings cannot be "
                f"read ({error!r})",
                "Use a tap-dynamodb and a target-dynamodb of one version, or set "
                "copy_table_settings to an empty list",
            ) from error
        return definition

    def create(self, stream: Stream, name: str, key: Key) -> Table:
        """Make a table, and say what of the stream's source it has; a dry run makes none.

        Args:
            stream: The first stream that goes to it.
            name: The table's name.
            key: Its key.

        Raises:
            ConfigError: No table can be made of the settings.
            Error: A call failed.
        """
        definition = self.definition(stream, name, key)
        if self._settings.dry_run:
            return self._rehearsed(stream, definition)
        table = tables.create(self._wire, definition)
        self._log.info(
            "Created table %s (account %s, region %s) for stream %s, key %s, %s",
            name,
            table.account or "unknown",
            table.region or self._wire.region,
            stream.name,
            table.key,
            traits(definition),
        )
        if stream.source is not None:
            likeness = Likeness(stream.source, definition)
            level = logging.WARNING if likeness.lacks else logging.INFO
            self._log.log(level, "%s", likeness)
        self._note(definition)
        return table

    def found(self, stream: Stream, table: Table) -> None:
        """Note a table that exists; only what is to come after the load may be missing of it.

        Args:
            stream: A stream that goes to it.
            table: The table.

        Raises:
            ConfigError: Its indexes cannot be made of the settings.
        """
        own = self._settings.making.for_table(table.name).own
        if own.get("create_indexes") == AFTER_LOAD:
            wanted = self.definition(stream, table.name, table.key)
            self._note(replace(wanted, settings=merged(wanted.settings, _capacity(table))))

    def finish(self, stopped: Callable[[], object]) -> None:
        """Add the indexes that come after the load; return when they are filled.

        Args:
            stopped: Asked now and then whether to leave.

        Raises:
            Error: A call failed; the items are written all the same.
        """
        while self._later and not stopped():
            name, definition = next(iter(self._later.items()))
            done = tables.add_indexes(
                self._wire,
                definition,
                say=lambda line: self._log.info("%s", line),
                stopped=stopped,
                sleep=self._sleep,
            )
            if done:
                del self._later[name]
        for name in self._later:
            self._log.warning(
                "Not all indexes of table %s are there; the next run adds what is missing", name
            )

    def _note(self, definition: Definition) -> None:
        if definition.indexes_later and definition.global_indexes and not self._settings.dry_run:
            self._later[definition.name] = definition

    def _copied(self, source: Source | None, parts: tuple[str, ...], key: Key) -> dict[str, Any]:
        """Return what the table takes over from its source."""
        if source is None:
            return {}
        copied = part_of(source.definition, parts)
        if not _takes_local_indexes(source, key):
            copied.pop("local_secondary_indexes", None)
        return copied

    def _refuse_foreign_key(self, name: str, copied: Mapping[str, Any]) -> None:
        arn = str(copied.get("kms_master_key_id") or "")
        region = (arn.split(":") + [""] * 4)[3]
        if region and region != self._wire.region:
            raise ConfigError(
                f"Table {name} is to have its source's encryption key, {arn}, which is of another "
                f"region than {self._wire.region}",
                "Name a key of this region in table_settings (kms_master_key_id), or take "
                "encryption out of copy_table_settings",
            )

    def _rehearsed(self, stream: Stream, definition: Definition) -> Table:
        request = definition.create_request()
        after = [definition.ttl_request()] if definition.ttl_request() else []
        if definition.indexes_later:
            after += [definition.index_request(each["name"]) for each in definition.global_indexes]
        self._log.info(
            "Would create table %s for stream %s, key %s: %s",
            definition.name,
            stream.name,
            definition.key,
            ", then ".join(orjson.dumps(each).decode() for each in (request, *after)),
        )
        billing = {"BillingMode": definition.billing_mode}
        return Table.from_description({**request, "BillingModeSummary": billing})


def _capacity(table: Table) -> dict[str, Any]:
    """Return the capacity that a table has, by which its indexes are made."""
    if table.billing == ON_DEMAND:
        return {"billing_mode": ON_DEMAND}
    units = (table.read_units or 1, table.write_units or 1)
    return {"billing_mode": PROVISIONED, **dict(zip(UNITS, map(int, units), strict=True))}


def _takes_local_indexes(source: Source, key: Key) -> bool:
    """Return whether a table of this key can have the local indexes of a source."""
    return source.key is not None and len(key.names) > 1 and key.names[0] == source.key.names[0]
