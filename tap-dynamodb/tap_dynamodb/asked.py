"""The exports that a run asks DynamoDB for, or goes on with: one table's, until they can be read."""

from __future__ import annotations

import logging
from dataclasses import replace
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from dynamodb_core import objects
from dynamodb_core.errors import ConfigError, ServiceError, StateError
from dynamodb_core.exports import asking, made
from dynamodb_core.exports.asking import Ask, Destination
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.finding import find
from dynamodb_core.exports.kinds import said
from dynamodb_core.exports.recovery import recovery
from dynamodb_core.exports.windows import LEAST, Window, windows
from dynamodb_core.prices import Prices
from dynamodb_core.progress import duration
from tap_dynamodb.bookmarks import START_OVER, identify
from tap_dynamodb.export_bookmark import STATE_KEY, Bookmark

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping
    from datetime import datetime

    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.exports.kinds import Export
    from dynamodb_core.exports.made import Seen
    from dynamodb_core.prices import Purse
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source

GB = 1e9
"""What DynamoDB bills exports by, in bytes."""

log = logging.getLogger("tap-dynamodb")


class AskedExports:
    """The exports of a table that are made for this run.

    Attributes:
        begun: Whether they were asked for, or found.

    Args:
        source: The table, as DynamoDB describes it.
        settings: The table's own; they ask for a trigger.
        purse: What pays for full exports, whose price is known before; None where nobody counts.
    """

    def __init__(self, source: Source, settings: Settings, purse: Purse | None = None) -> None:
        exporting = settings.exporting
        assert exporting
        assert exporting.trigger
        assert exporting.bucket
        self._source = source
        self._settings = settings
        self._windows = exporting.trigger == "incremental"
        self._to = Destination(
            exporting.bucket,
            exporting.prefix,
            exporting.bucket_owner,
            exporting.kms_key,
            exporting.format,
            exporting.view,
        )
        self._verify = exporting.verify
        self._purse = purse and purse.at(Prices.of(settings.prices).export_per_gb)
        self.begun = False
        self._seen: tuple[Seen, ...] = ()
        self._bookmark = Bookmark("")
        self._read_until: datetime | None = None

    @property
    def until(self) -> datetime | None:
        """The moment up to which exports tell everything, of this run or of those before it."""
        return self._read_until or self._bookmark.until

    def begin(self, wire: Wire, state: MutableMapping[str, Any], *, make: bool = True) -> None:
        """Ask for what is wanted, or find what was asked for; the state names it then.

        Args:
            wire: Carries the calls.
            state: The stream's state.
            make: Whether exports may be made; else only whether they could be is looked at.

        Raises:
            ConfigError: The table has no point-in-time recovery, or there is no such bucket.
            AccessError: The bucket may not be read, or exports may not be asked for.
            StateError: What changed since the last window cannot be exported any more.
        """
        bookmark = self._bookmark = self._load(state)
        seen = self._go_on(wire, bookmark)
        if seen is None and make:
            self._look_into_the_bucket()
            window = self._windows and bookmark.until is not None
            seen = self._ask_windows(wire) if window else self._ask_full(wire)
            asked = tuple(each.arn for each in seen)
            self._bookmark = replace(bookmark, asked=asked)
            state[STATE_KEY] = self._bookmark.dump()
        elif seen is None:
            log.info(
                "Table %s: no export is made for a run that is limited to some records",
                self._source.table.name,
            )
            recovery(wire, self._source.reference)
        self._seen, self.begun = seen or (), True

    def ready(self, wire: Wire, look_up: Callable[[], None]) -> tuple[Stage, ...]:
        """Return what is to be read, once it is there.

        Args:
            wire: Carries the calls.
            look_up: Called twice a second; may raise to stop.

        Raises:
            ServiceError: An export has failed.
            ConfigError: It is not where DynamoDB says.
            StateError: It does not begin where the last one ended.
        """
        exports = []
        for seen in self._seen:
            done = made.wait(
                wire,
                seen,
                self._source.table.name,
                look_up=look_up,
                say=log.info,
                clock=monotonic,
                sleep=sleep,
            )
            exports.append(self._found(done))
        if not exports:
            return ()
        chain = tuple(stages(exports, skipped=_say_what_is_left_out))
        first, last = chain[0].export, chain[-1].export
        until = self._bookmark.until
        if until and first.changes and (first.since is None or first.since > until):
            raise StateError(
                f"Table {self._source.table.name} was read up to {said(until)}, and {first} does not "
                "begin there",
                START_OVER,
            )
        asked = self._seen[-1].until if self._seen else None
        self._read_until = (last.until if last.changes else last.at) or asked
        return chain

    def end(self, state: MutableMapping[str, Any]) -> None:
        """Note that everything was read.

        Args:
            state: The stream's state.
        """
        if self._read_until is not None:
            done = Bookmark(identify(self._source.table), self._read_until)
            state[STATE_KEY] = done.dump()

    def _load(self, state: Mapping[str, Any]) -> Bookmark:
        table = self._source.table
        bookmark = Bookmark.load(state, self._source)
        if bookmark.table_id == identify(table):
            return bookmark
        if self._windows:
            raise StateError(
                f"Table {table.name} was made anew since its exports were read: its id was "
                f"{bookmark.table_id}, it is {identify(table)}",
                START_OVER,
            )
        log.warning("Table %s was made anew since its last export", table.name)
        return Bookmark(identify(table))

    def _go_on(self, wire: Wire, bookmark: Bookmark) -> tuple[Seen, ...] | None:
        """Return the exports that the state names; None where it names none, or one is lost."""
        found = []
        for arn in bookmark.asked:
            try:
                seen = made.look(wire, arn)
            except ServiceError as error:
                if error.code != made.NOT_FOUND:
                    raise
                log.warning("%s is not there any more: it is asked for anew", arn)
                return None
            if seen.status == "FAILED":
                log.warning("%s has failed (%s): it is asked for anew", seen, seen.why)
                return None
            found.append(seen)
            log.info("Table %s: going on with %s", self._source.table.name, seen)
        return tuple(found) or None

    def _ask_full(self, wire: Wire) -> tuple[Seen, ...]:
        table, until = self._source.table, self._bookmark.until
        there = recovery(wire, self._source.reference)
        ask = Ask(table, self._to, there.latest, until.isoformat() if until else "")
        recent = asking.recent(wire, table.arn, there.latest)
        return (self._ask(wire, ask, recent),)

    def _ask_windows(self, wire: Wire) -> tuple[Seen, ...]:
        table, since = self._source.table, self._bookmark.until
        assert since
        there = recovery(wire, self._source.reference)
        there.require(since)
        found: list[Seen] = []
        recent = asking.recent(wire, table.arn, there.latest)
        while (left := windows(since, there.latest)).windows:
            seen = self._ask(wire, Ask(table, self._to, left.windows[0]), recent)
            assert seen.until
            found.append(seen)
            since = seen.until
        if left.rest or not found:
            log.info(
                "Table %s: what has changed since %s, %s before what can be exported, is left for the "
                "next run: windows are of %s at least",
                table.name,
                said(since),
                duration(left.rest.total_seconds()),
                duration(LEAST.total_seconds()),
            )
        return tuple(found)

    def _ask(self, wire: Wire, ask: Ask, recent: list[Seen]) -> Seen:
        found, failed = asking.find_again(ask, recent)
        if found is not None:
            log.info(
                "Table %s: going on with %s, which an earlier run has asked for",
                ask.table.name,
                found,
            )
            return found
        if self._purse is not None and not isinstance(ask.what, Window):
            self._purse.take(ask.table.size_bytes / GB)
        seen = asking.begin(wire, ask, failed)
        log.info(
            "Table %s (%.1f MB): DynamoDB was asked for %s, to %s; it bills exports by their size",
            ask.table.name,
            ask.table.size_bytes / 1e6,
            seen,
            self._to.location,
        )
        return seen._replace(what=seen.what or ask.what)

    def _look_into_the_bucket(self) -> None:
        """Refuse a bucket that cannot be read, before an export to it is paid for."""
        place = objects.at(self._to.location, self._settings.aws)
        next(iter(place.list("AWSDynamoDB/")), None)

    def _found(self, seen: Seen) -> Export:
        """Return an export that is done, as it lies in its bucket."""
        try:
            found = find(objects.at(seen.location, self._settings.aws), verify=self._verify)
        except ConfigError as error:
            raise ConfigError(
                f"DynamoDB says that {seen} is done, and: {error.message}",
                "Check that the bucket can be read, and removes nothing so soon; aws_endpoint_url_s3 if "
                f"it is set. {START_OVER}",
            ) from error
        [export] = found
        log.info("Found %s: %s files, %s", export, f"{len(export.files):,}", export.format)
        return export


def _say_what_is_left_out(export: Export, why: str) -> None:
    log.warning("%s is left out: %s", export, why)
