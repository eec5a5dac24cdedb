"""An export as a side of a comparison: the rows of its files, and of the windows that follow it.

A full export and its windows are read in the order of their time. Of the rows of a key the last one counts, so that
what a window says of an item takes the place of what came before; a deletion is a row as well
(`rows.DELETED`). Items of an export cannot be looked up by their key.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from contextlib import closing
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import dealing, objects
from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.overlap import gone
from dynamodb_core.exports.reader import ExportReader, read_changes
from dynamodb_core.parts import Block, Part
from dynamodb_core.table import Table
from dynamodb_tools.pages import ChangeRows, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from dynamodb_core.change import Change
    from dynamodb_core.codec import Item
    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.exports.kinds import Export
    from dynamodb_core.places import Places
    from dynamodb_core.prices import Purse
    from dynamodb_core.settings import AwsSettings
    from dynamodb_core.table import Key
    from dynamodb_tools.canonical import Canon
    from dynamodb_tools.pages import Packed
    from dynamodb_tools.sides import How

GONE_AT_ONCE = 1000
"""Deletions of a block."""

log = logging.getLogger("dynamodb-tools")


class ExportSide:
    """A full export, with the windows that follow it; or files of items.

    Args:
        location: Where it is, as a person names it.
        stages: What is read, in this order; at least one.
        key: The key of its items.
        aws: Who reads it.
        how: How many workers do.

    Raises:
        ConfigError: It begins with changes.
    """

    budget = None
    """Reading it consumes no capacity."""

    can_fetch = False
    fetched_units = 0.0
    parts_name = "files"
    pace = "which takes no capacity units"

    def __init__(
        self, location: str, stages: Sequence[Stage], key: Key, aws: AwsSettings, how: How
    ) -> None:
        first = stages[0].export
        if first.changes:
            raise ConfigError(
                f"{first} tells of changes, and not of a whole table",
                "Name a folder that holds the full export before it as well",
            )
        self.key = key
        self.how = how
        self.stages = tuple(stages)
        self.identity = _fingerprint([stage.export for stage in stages])
        self.place = {"location": location, "endpoint": ""}
        windows = len(stages) - 1
        self.what = str(first) + (f" with {windows:,} windows" if windows else "")
        self.table = Table(
            first.table_name or location,
            first.table_arn or "",
            first.table_id or "",
            key,
            item_count=first.items or 0,
            size_bytes=sum(stage.export.size for stage in stages),
        )
        self.processes = 0
        self._aws = aws

    def look_up_pace(self) -> None:
        """Do nothing: there is no capacity to share."""

    def begin(self, *, processes: int, purse: Purse | None) -> None:
        """Decide who reads it.

        Args:
            processes: How many worker processes; with 0 it is read by threads of this process.
            purse: Not used: it costs no capacity units.
        """
        del purse
        self.processes = processes

    @property
    def segments(self) -> int:
        """Into how many parts a read divides it: its files, and what overlapping windows leave unsaid."""
        return max(1, sum(map(_parts, self.stages)))

    def items_ahead(self, places: Places) -> int | None:
        """Return how many lines there are about to come, None where that is not known."""
        counts = [stage.export.items for stage in self.stages]
        if None in counts:
            return None
        return sum(count or 0 for count in counts) * places.left // places.segments

    def size_ahead(self, places: Places) -> int:
        """Return how many bytes of files there are about to come."""
        return self.table.size_bytes * places.left // places.segments

    def byte_rate(self) -> float | None:
        """Return None: nothing limits how fast it may be read."""
        return None

    def blocks(
        self, canon: Canon, fan_out: int, places: Places, idle: Callable[[], None]
    ) -> Iterator[Block[Packed]]:
        """Yield the rows of what is left to read, those of a stage after all those of the stage before.

        Args:
            canon: Makes rows of items.
            fan_out: How many buckets there are.
            places: Where the read stands.
            idle: Called while nothing arrives; may raise to end the wait.

        Raises:
            Error: A file is damaged, is not what the export says, or cannot be read.
        """
        left = places.parts()
        first = 0
        for stage in self.stages:
            parts = range(first, first + _parts(stage))
            its = [Part(each.number - first, each.place) for each in left if each.number in parts]
            with closing(self._files(stage, its, canon, fan_out, idle)) as blocks:  # type: ignore[type-var]
                for block in blocks:
                    yield replace(block, part=first + block.part)
                    del block
            first = parts.stop
        if not first and left:  # there is no file at all
            yield Block(0, [], 0, None, finished=True)

    def fetch(
        self, keys: Sequence[bytes], *, idle: Callable[[], object] = lambda: None
    ) -> Mapping[bytes, Item | None]:
        """Refuse: items of files are not found by their key."""
        del keys, idle
        raise NotImplementedError

    def _files(
        self,
        stage: Stage,
        left: Sequence[Part],
        canon: Canon,
        fan_out: int,
        idle: Callable[[], None],
    ) -> Iterator[Block[Packed]]:
        export = stage.export
        changes = ChangeRows(canon, fan_out)
        reader = ExportReader(
            objects.at(export.root, self._aws),
            export.files,
            format=export.format,
            changes=export.changes,
            convert=changes if export.changes else Rows(canon, fan_out),
        )
        files = [part for part in left if part.number < len(export.files)]
        if files:
            log.info("Reading %s", export)
            at_once = self.how.workers_chosen
            hands: dealing.Fleet | dealing.Threads = dealing.Threads(reader, workers=at_once)
            if self.processes:
                processes = min(self.processes, len(files))
                hands = dealing.Fleet(reader, workers=at_once, processes=processes)
            with closing(hands):
                yield from hands.blocks(files, idle=idle)
        if len(files) < len(left):
            yield from self._gone(stage, changes, idle)

    def _gone(
        self, stage: Stage, rows: ChangeRows, idle: Callable[[], None]
    ) -> Iterator[Block[Packed]]:
        """Yield deletions that no line tells of, as two windows overlap; a last part of the stage."""
        assert stage.later is not None
        number = len(stage.export.files)
        with tempfile.TemporaryDirectory() as scratch:
            mine, later = self._changes(stage.export), self._changes(stage.later)
            found = gone(stage, mine, later, Path(scratch), look=idle)
            while some := list(islice(found, GONE_AT_ONCE)):
                yield Block(number, rows(some), len(some), {"line": 0}, finished=False)
        yield Block(number, [], 0, None, finished=True)

    def _changes(self, export: Export) -> Iterator[Change]:
        store = objects.at(export.root, self._aws)
        for file in export.files:
            for some in read_changes(store, file, format=export.format, changes=True):
                yield from some


def _parts(stage: Stage) -> int:
    """Return how many parts a stage has: its files, and what the next window says is gone."""
    return len(stage.export.files) + (stage.later is not None)


def _fingerprint(exports: Sequence[Export]) -> str:
    said = [
        [export.id, [[file.key, file.md5 or file.size] for file in export.files]]
        for export in exports
    ]
    return hashlib.blake2b(orjson.dumps(said), digest_size=16).hexdigest()
