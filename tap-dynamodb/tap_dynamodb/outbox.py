"""The files of a run and their BATCH messages, on the parent's side: said, waited for, left behind.

The workers write most files (`batch_files.py`). Here those are announced, and what the parent has to
write itself is: records that went through stream maps, pages with columns that nobody had decided on.
"""

from __future__ import annotations

import atexit
import time
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

from dynamodb_core import spool
from dynamodb_core.spool import Spool
from tap_dynamodb.batch import MIB
from tap_dynamodb.batch_files import BatchFile, FileWriter

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tap_dynamodb.batch import Batching
    from tap_dynamodb.emit import Emitter

WAIT_SECONDS = 0.25
SAY_SECONDS = 60.0


class Address(NamedTuple):
    """Which stream a file's records are of.

    Attributes:
        stream: Its name, after stream maps.
        version: Version of ACTIVATE_VERSION, where the stream sends it.
        distinct: Whether no key is twice in the stream's files of this run.
    """

    stream: str
    version: int | None
    distinct: bool


class Outbox:
    """Announces files, and says when there are too many of them.

    Args:
        batching: How files are written.
        emitter: Writes the messages.
        log: Where it says what it waits for.
        clock: Returns seconds that only grow.

    Attributes:
        messages: How many BATCH messages were written, by stream; to be taken from.
    """

    def __init__(
        self,
        batching: Batching,
        emitter: Emitter,
        log: logging.Logger,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._batching = batching
        self._emitter = emitter
        self._log = log
        self._clock = clock
        self.messages: Counter[str] = Counter()
        self._spool: Spool | None = None
        self._own: dict[Address, BatchFile] = {}
        self._announced: dict[Path, int] = {}
        self._waited_since: float | None = None

    def open(self) -> FileWriter:
        """Make the folder of this run, and remove what dead runs have left beside it.

        Returns:
            What writes files, in workers.

        Raises:
            ConfigError: The folder cannot be used.
        """
        if self._spool is None:
            root = self._batching.root
            self._spool = Spool.create(root)
            atexit.register(self.abandon)
            swept = spool.sweep(root)
            if swept.runs:
                self._log.info(
                    "Removed what earlier runs had left in %s: %.1f MiB of %s",
                    root,
                    swept.size / MIB,
                    "one run" if swept.runs == 1 else f"{swept.runs} runs",
                )
        return FileWriter(self._spool, self._batching)

    @property
    def wants_columns(self) -> bool:
        """Whether files have columns, so that `add` must be told them."""
        return self._batching.format == "parquet"

    @property
    def holds(self) -> bool:
        """Whether there are records that no message speaks of yet."""
        return bool(self._own)

    def add(
        self, to: Address, lines: bytes, count: int, columns: Mapping[str, str] | None = None
    ) -> None:
        """Write records to a file of the parent's own.

        Args:
            to: Whose they are.
            lines: JSON of each record, ending with a newline.
            count: How many these are.
            columns: What the columns are, where a file has them.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        if not count:
            return
        assert self._spool is not None
        if to in self._own and self._own[to].columns != columns:
            self._finish(to)
        if to not in self._own:
            self._own[to] = BatchFile(self._spool, self._batching, columns)
        file = self._own[to]
        file.add(lines, count)
        if file.full:
            self._finish(to)

    def flush(self) -> None:
        """Announce all that was added, as a STATE is about to speak of it.

        Raises:
            Error: It could not be written; not now, or not when it was added.
        """
        for to in list(self._own):
            self._finish(to)

    def announce(self, to: Address, path: Path) -> None:
        """Write the message about a file, which is the loader's from now on.

        Args:
            to: Whose records it holds.
            path: The file, whole.

        Raises:
            TargetGone: The loader has ended.
        """
        self._announced[path] = path.stat().st_size
        message: dict[str, Any] = {
            "type": "BATCH",
            "stream": to.stream,
            "encoding": self._batching.encoding,
            "manifest": [f"file://{path}"],
        }
        if to.version is not None:
            message["version"] = to.version
        if to.distinct:
            message["distinct_keys"] = True
        self._emitter.write_object(message)
        self.messages[to.stream] += 1

    def is_full(self) -> bool:
        """Whether more files than the setting allows wait for the loader."""
        limit = self._batching.pending_bytes
        if limit and sum(self._announced.values()) > limit:
            assert self._spool is not None
            there = self._spool.files()
            self._announced = {p: size for p, size in self._announced.items() if p in there}
            if sum(self._announced.values()) > limit:
                return True
        self._waited_since = None
        return False

    def wait(self) -> None:
        """Wait a moment for the loader, and say from time to time that this is so.

        Raises:
            TargetGone: The loader has ended.
        """
        if self._waited_since is None:
            self._waited_since = self._clock()
        self._emitter.wait(WAIT_SECONDS)
        if self._clock() - self._waited_since >= SAY_SECONDS:
            self._waited_since = self._clock()
            self._log.warning(
                "Waiting for the loader: %.1f MiB of files in %s were not removed yet, and "
                "batch_pending_bytes allows %.1f. A loader that does not remove files when it has "
                "loaded them needs batch_pending_bytes: 0",
                sum(self._announced.values()) / MIB,
                self._batching.root,
                self._batching.pending_bytes / MIB,
            )

    def end(self) -> None:
        """Leave the files to the loader, as all tables were read."""
        if self._spool is not None:
            self.flush()
            self._spool.end()
            self._spool = None
            atexit.unregister(self.abandon)

    def abandon(self) -> None:
        """Remove what no message has spoken of, or all files if nobody is there to take them."""
        if self._spool is not None:
            for file in self._own.values():
                file.drop()
            self._spool.abandon(keep=() if self._emitter.gone else self._announced.keys())
            self._spool = None

    def _finish(self, to: Address) -> None:
        path = self._own[to].keep()
        del self._own[to]
        self.announce(to, path)
