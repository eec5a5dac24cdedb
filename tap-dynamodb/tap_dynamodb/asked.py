"""The exports that a run asks DynamoDB for, or goes on with: one table's, until they can be read.

A table's state holds `export`: a list of one object,

    {"table_id": "…", "until": "2026-11-21T12:00:00+00:00",
     "asked": ["arn:aws:dynamodb:…:table/orders/export/0176…"]}

`until` is the moment up to which everything was read: the next window begins there. `asked` names the
exports that are under way, or are being read; it is out before the waiting begins. Both change when all
tables of a run have been read, so that a run that is started again reads the same exports on.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import datetime
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from dynamodb_core import objects
from dynamodb_core.errors import ConfigError, ServiceError, StateError
from dynamodb_core.exports import asking
from dynamodb_core.exports.asking import Ask, Destination
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.finding import find
from dynamodb_core.exports.kinds import said
from dynamodb_core.exports.recovery import recovery
from dynamodb_core.exports.windows import LEAST, windows
from dynamodb_core.progress import duration
from tap_dynamodb.bookmarks import START_OVER, identify

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from dynamodb_core.exports.asking import Seen
    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.exports.kinds import Export
    from dynamodb_core.wire import Wire
    from tap_dynamodb.settings import Settings
    from tap_dynamodb.sources import Source

STATE_KEY = "export"

log = logging.getLogger("tap-dynamodb")


@dataclass(frozen=True)
class Bookmark:
    """What a table's state says of the exports that were asked for.

    Attributes:
        table_id: Which table they are of: `bookmarks.identify`.
        until: Up to where everything was read; None where nothing was.
        asked: The ARNs of those that are under way, or are being read.
    """

    table_id: str
    until: datetime | None = None
    asked: tuple[str, ...] = ()

    @classmethod
    def load(cls, state: Mapping[str, Any], source: Source) -> Bookmark:
        """Read it from a stream's state.

        Args:
            state: The state.
            source: The table.

        Raises:
            StateError: It cannot be read.
        """
        entries = state.get(STATE_KEY) or []
        if not entries:
            return cls(identify(source.table))
        try:
            [entry] = entries
            until = _moment(entry["until"]) if "until" in entry else None
            return cls(str(entry["table_id"]), until, tuple(map(str, entry.get("asked", ()))))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise StateError(
                f"The state of table {source.table.name} cannot be read: {error!r}", START_OVER
            ) from error

    def dump(self) -> list[dict[str, Any]]:
        """Return the value for the stream's state."""
        until = {"until": self.until.isoformat()} if self.until else {}
        asked = {"asked": list(self.asked)} if self.asked else {}
        return [{"table_id": self.table_id, **until, **asked}]


class AskedExports:
    """The exports of a table that are made for this run.

    Attributes:
        begun: Whether they were asked for, or found.

    Args:
        source: The table, as DynamoDB describes it.
        settings: The table's own; they ask for a trigger.
    """

    def __init__(self, source: Source, settings: Settings) -> None:
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
        self.begun = False
        self._seen: tuple[Seen, ...] = ()
        self._bookmark = Bookmark("")
        self._read_until: datetime | None = None

    def begin(self, wire: Wire, state: MutableMapping[str, Any], *, make: bool = True) -> None:
        """Ask for what is wanted, or find what was asked for; the state names it then.

        Args:
            wire: Carries the calls.
            state: The stream's state.
            make: Whether exports may be made; else only whether they could be is looked at.

        Raises:
            ConfigError: The table has no point-in-time recovery.
            StateError: What changed since the last window cannot be exported any more.
        """
        bookmark = self._bookmark = self._load(state)
        seen = self._go_on(wire, bookmark)
        if seen is None and make:
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
            done = asking.wait(
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
                seen = asking.look(wire, arn)
            except ServiceError as error:
                if error.code != asking.NOT_FOUND:
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
        seen = asking.begin(wire, ask, failed)
        log.info(
            "Table %s (%.1f MB): DynamoDB was asked for %s, to %s; it bills exports by their size",
            ask.table.name,
            ask.table.size_bytes / 1e6,
            seen,
            self._to.location,
        )
        return seen._replace(what=seen.what or ask.what)

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


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("until")
    return moment


def _say_what_is_left_out(export: Export, why: str) -> None:
    log.warning("%s is left out: %s", export, why)
