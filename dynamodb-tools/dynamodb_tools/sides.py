"""The sides of a comparison: sources of items, of which rows are kept, and which can be asked again."""

from __future__ import annotations

import logging
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from dynamodb_core import dealing, tables, workers
from dynamodb_core.capacity import CELLS, Budget
from dynamodb_core.fetching import WORKERS, Fetcher
from dynamodb_core.pace import ReadPace
from dynamodb_core.paging import UNIT_BYTES
from dynamodb_core.plan import ReadPlan
from dynamodb_core.processes import can_share, shared_cells
from dynamodb_core.scan import (
    PROCESS_RATE,
    PROCESSES_BYTES,
    THREADS,
    choose_segments,
    choose_workers,
)
from dynamodb_core.table_reader import TableReader
from dynamodb_tools.canonical import key_of
from dynamodb_tools.pages import Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from typing_extensions import Self

    from dynamodb_core.codec import Item
    from dynamodb_core.expressions import Filter
    from dynamodb_core.parts import Block
    from dynamodb_core.places import Places
    from dynamodb_core.prices import Purse
    from dynamodb_core.rates import Asked
    from dynamodb_core.settings import AwsSettings
    from dynamodb_core.table import Key, Table
    from dynamodb_core.wire import Wire
    from dynamodb_tools.canonical import Canon
    from dynamodb_tools.pages import Packed

log = logging.getLogger("dynamodb-tools")


class Side(Protocol):
    """A source of items."""

    @property
    def what(self) -> str:
        """It, in words."""
        ...

    @property
    def key(self) -> Key:
        """The key of its items."""
        ...

    @property
    def identity(self) -> str:
        """What tells it from another source under its name; empty where nothing does."""
        ...

    @property
    def place(self) -> Mapping[str, str]:
        """Where it is, as JSON: the same for the same source."""
        ...

    @property
    def segments(self) -> int:
        """Into how many parts a read should divide it."""
        ...

    def items_ahead(self, places: Places) -> int | None:
        """Return how many items there are about to come, None where that is not known."""
        ...

    def blocks(
        self, canon: Canon, fan_out: int, places: Places, idle: Callable[[], None]
    ) -> Iterator[Block[Packed]]:
        """Yield the rows of what is left to read, page by page."""
        ...

    def fetch(
        self, keys: Sequence[bytes], *, idle: Callable[[], object] = lambda: None
    ) -> Mapping[bytes, Item | None]:
        """Return items as they are now, by their keys."""
        ...


class Readable(Side, Protocol):
    """A side as a comparison uses it."""

    how: How
    processes: int
    """Worker processes that read it; with none it is read by threads of this process."""

    @property
    def table(self) -> Table:
        """What is known of the table, or of the one that was exported."""
        ...

    @property
    def parts_name(self) -> str:
        """What its parts are called."""
        ...

    @property
    def pace(self) -> str:
        """How fast it is read, in words."""
        ...

    @property
    def budget(self) -> Budget | None:
        """What reading it may consume; None where it consumes nothing."""
        ...

    @property
    def can_fetch(self) -> bool:
        """Whether `fetch` finds items."""
        ...

    @property
    def fetched_units(self) -> float:
        """Capacity units that `fetch` has cost."""
        ...

    def look_up_pace(self) -> None:
        """Find out how fast it may be read."""
        ...

    def begin(self, *, processes: int, purse: Purse | None) -> None:
        """Decide who reads it, and what pays for it."""
        ...

    def size_ahead(self, places: Places) -> int:
        """Return how many bytes there are about to come."""
        ...

    def byte_rate(self) -> float | None:
        """Return how many bytes a second may be read; None where that is not limited."""
        ...


@dataclass(frozen=True)
class How:
    """How a table is read.

    Attributes:
        pace: What is asked for of its capacity.
        consistent: Whether strongly consistent.
        filter: What items must meet.
        segments: Into how many parts it is divided; None lets its size decide.
        workers: How many parts are read at once; None lets the machine decide.
        processes: How many processes read it; None lets the tables' sizes decide.
    """

    pace: Asked
    consistent: bool = False
    filter: Filter | None = None
    segments: int | None = None
    workers: int | None = None
    processes: int | None = None

    @property
    def workers_chosen(self) -> int:
        """How many parts of a table are read at once; as there are two tables, half of them each."""
        return self.workers or max(THREADS, choose_workers() // 2)


class TableSide:
    """A table.

    Attributes:
        processes: Worker processes that read it; with none it is read by threads of this process.

    Args:
        reference: Its name or ARN.
        table: As DescribeTable says.
        wire: Carries the calls.
        how: How it is read.
        endpoint: Where it is reached, if that is not AWS.
    """

    can_fetch = True
    parts_name = "segments"

    def __init__(
        self, reference: str, table: Table, wire: Wire, how: How, *, endpoint: str = ""
    ) -> None:
        self.reference = reference
        self.table = table
        self.key = table.key
        self.identity = table.id
        self.place = {"arn": table.arn or table.name, "endpoint": endpoint}
        self.what = f"table {table.name}" + (f" in {table.region}" if table.region else "")
        self.how = how
        self.processes = 0
        self.wire = wire
        self._pace = ReadPace(wire, reference, table, how.pace)
        self._fetcher: Fetcher | None = None
        self._rate: float | None = None
        self._reason = ""
        self._budget = Budget(None)

    @classmethod
    def open(cls, reference: str, aws: AwsSettings, how: How) -> Self:
        """Return a table, described.

        Args:
            reference: Its name or ARN; the ARN's region counts where the settings name none.
            aws: Who asks, and where.
            how: How it is read.

        Raises:
            TableNotFound: There is no such table.
            AccessError: It may not be described.
        """
        from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

        if reference.startswith("arn:") and aws.region is None:
            aws = replace(aws, region=(reference.split(":") + [""] * 4)[3] or None)
        wire = BotoWire(aws, connections=max(how.workers_chosen, WORKERS) + 1)
        table = tables.describe(wire, reference)
        return cls(reference, table, wire, how, endpoint=aws.endpoint_url or "")

    def look_up_pace(self) -> None:
        """Find out how fast it may be read; `rate` and `pace` say it afterwards.

        Raises:
            AccessError: A percentage is asked for, and what it is of may not be looked up.
        """
        self._rate, self._reason = self._pace.rate()

    @property
    def rate(self) -> float | None:
        """Capacity units a second that it may be read with; None where that is not limited."""
        return self._rate

    @property
    def pace(self) -> str:
        """The same in words, with the reason."""
        return (
            f"at most {self._rate:,.10g} units/s ({self._reason})" if self._rate else self._reason
        )

    @property
    def budget(self) -> Budget:
        """What reading it may consume, and looking at its items again."""
        return self._budget

    def begin(self, *, processes: int, purse: Purse | None) -> None:
        """Decide who reads it, and what pays for it.

        Args:
            processes: How many worker processes; with 0 it is read by threads of this process.
            purse: What pays for it, where it is on demand; None where nobody counts.
        """
        self.processes = processes
        self._fetcher = None
        self._budget = Budget(
            self._rate,
            cells=shared_cells(CELLS) if processes else None,
            purse=None if self.table.billing == "PROVISIONED" else purse,
        )

    @property
    def segments(self) -> int:
        """Into how many parts a read should divide it."""
        return self.how.segments or choose_segments(self.table, self.how.workers_chosen)

    def items_ahead(self, places: Places) -> int | None:
        """Return how many items there are about to come, None where that is not known."""
        if self.how.filter is not None:
            return None
        return self.table.item_count * places.left // places.segments

    def size_ahead(self, places: Places) -> int:
        """Return how many bytes there are about to come, as DynamoDB counted them some hours ago."""
        return self.table.size_bytes * places.left // places.segments

    def byte_rate(self) -> float | None:
        """Return how many bytes a second its capacity gives; None where that is not limited."""
        return self._rate and self._rate * UNIT_BYTES / (2 if self.how.consistent else 1)

    def blocks(
        self, canon: Canon, fan_out: int, places: Places, idle: Callable[[], None]
    ) -> Iterator[Block[Packed]]:
        """Yield the rows of what is left of the table, page by page.

        Args:
            canon: Makes rows of items.
            fan_out: How many buckets there are.
            places: Where the read stands.
            idle: Called while no page arrives; may raise to end the wait.

        Raises:
            ConfigError: DynamoDB refuses the filter.
            Error: Reading failed.
        """
        plan = ReadPlan(
            self.reference,
            segments=places.segments,
            consistent=self.how.consistent,
            filter=self.how.filter,
        )
        reader = TableReader(
            plan, self.wire, self._budget, Rows(canon, fan_out), item_bytes=self.table.item_bytes
        )
        look_at_capacity = self._pace.lookups(self._budget, log)

        def look() -> None:
            idle()
            look_at_capacity()

        at_once = self.how.workers_chosen
        hands: dealing.Fleet | dealing.Threads = dealing.Threads(reader, workers=at_once)
        if self.processes:
            hands = dealing.Fleet(reader, workers=at_once, processes=self.processes)
        with closing(hands):
            for block in hands.blocks(places.parts(), idle=look):
                yield block
                look_at_capacity()
                del block

    def fetch(
        self, keys: Sequence[bytes], *, idle: Callable[[], object] = lambda: None
    ) -> dict[bytes, Item | None]:
        """Return items as they are now, read strongly consistent within the budget.

        Args:
            keys: Their keys, as rows have them.
            idle: Called while no answer comes; may raise to end the wait.

        Returns:
            The item of each key, None where there is none.

        Raises:
            Error: A call failed.
        """
        if self._fetcher is None:
            self._fetcher = Fetcher(
                self.wire,
                self.reference,
                self.key,
                self._budget,
                item_bytes=self.table.item_bytes,
            )
        found = self._fetcher.fetch([key_of(key) for key in keys], idle=idle)
        return dict(zip(keys, found, strict=True))

    @property
    def fetched_units(self) -> float:
        """Capacity units that `fetch` has cost."""
        return self._fetcher.units if self._fetcher else 0.0


def share_processes(sides: Sequence[Readable], left: Sequence[Places]) -> list[int]:
    """Return how many worker processes read each side; 0 where threads of this process do.

    Args:
        sides: The sides, with their rates looked up.
        left: Where the read of each stands.

    Returns:
        What the configuration says; else the cores shared by the sides that are worth a process: of
        `PROCESSES_BYTES` and more, and with a budget that gives one enough to do.
    """
    cores = workers.cores()
    asked = [side.how.processes for side in sides]
    if not can_share() or 1 in asked or (None in asked and cores == 1):
        return [0] * len(sides)
    large = [
        side.size_ahead(places) >= PROCESSES_BYTES and _is_fast(side)
        for side, places in zip(sides, left, strict=True)
    ]
    share = max(1, cores // max(1, sum(large)))
    return [
        min(given, side.how.workers_chosen, places.left)
        if given
        else worth * min(share, max(1, side.how.workers_chosen // THREADS), places.left)
        for side, places, given, worth in zip(sides, left, asked, large, strict=True)
    ]


def _is_fast(side: Readable) -> bool:
    rate = side.byte_rate()
    return rate is None or rate >= PROCESS_RATE
