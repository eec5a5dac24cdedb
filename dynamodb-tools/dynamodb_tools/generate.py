"""Generated items on their way: into a table within its capacity, or to standard output."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING

from dynamodb_core.capacity import Budget
from dynamodb_core.errors import Error
from dynamodb_core.pace import WritePace
from dynamodb_core.prices import CostExceeded, Prices, Purse, money
from dynamodb_core.progress import Progress
from dynamodb_core.writer import Writer
from dynamodb_tools import output
from dynamodb_tools.stopping import Signals, Stopped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.rates import Asked
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire
    from dynamodb_tools.generated_stream import GeneratedStream
    from dynamodb_tools.recipe import Items

CHUNK, CHUNK_BYTES = 500, 1 << 20
"""Items that are made, and of a stream also written, at once: about so many bytes of them."""

STATE_EVERY = 10_000
"""Items of a stream between two STATEs."""

TURNS_PER_SECOND = 20
"""With a rate, its items go out in so many turns a second."""

log = logging.getLogger("dynamodb-tools")


@dataclass(frozen=True)
class Course:
    """Which items are made, and how fast.

    Attributes:
        first: The number of the first one.
        count: How many.
        rate: Items a second at the most; None for as fast as it goes.
        sleep: Waits for seconds.
        clock: Returns seconds.
    """

    first: int
    count: int
    rate: float | None = None
    sleep: Callable[[float], object] = time.sleep
    clock: Callable[[], float] = time.monotonic

    @property
    def end(self) -> int:
        """The number after the last one."""
        return self.first + self.count

    def turns(self, signals: Signals, most: int) -> Iterator[range]:
        """Yield the numbers, a few at a time, as the rate allows.

        Args:
            signals: Looked at while it waits.
            most: How many at a time.

        Raises:
            Stopped: A signal has come, while it waited.
        """

        def pause(seconds: float) -> None:
            signals.look()
            self.sleep(seconds)
            signals.look()

        if self.rate is not None:
            most = max(1, min(most, int(self.rate / TURNS_PER_SECOND)))
        budget = Budget(self.rate, clock=self.clock, sleep=pause)
        for begin in range(self.first, self.end, most):
            numbers = range(begin, min(begin + most, self.end))
            budget.wait(len(numbers))
            yield numbers

    def left(self, number: int) -> str:
        """Return how to go on, in words of the command line.

        Args:
            number: That of the item to go on from.
        """
        return f"go on with --first {number} --count {self.end - number}"


def to_stdout(stream: GeneratedStream, course: Course) -> None:
    """Write a stream to standard output.

    Args:
        stream: The stream.
        course: Which of its items.

    Raises:
        Error: Nobody reads it.
        Stopped: A signal ended it, after a STATE.
    """
    progress = Progress(f"Stream {stream.name}", whole_items=course.count, metered=False)
    at = said = course.first
    output.write(stream.schema())
    one = len(stream.records([at], datetime.now(timezone.utc)))
    most = max(1, min(CHUNK, CHUNK_BYTES // one))
    with Signals() as signals, signals.held():
        try:
            for numbers in course.turns(signals, most):
                signals.look()
                lines = stream.records(numbers, datetime.now(timezone.utc))
                output.write(lines)
                at = numbers.stop
                progress.add(items=len(numbers), size=len(lines))
                if at - said >= STATE_EVERY:
                    output.write(stream.state(at))
                    said = at
                if progress.due():
                    log.info("%s", progress.line())
        except Stopped as stopped:
            output.write(stream.state(at))
            log.warning(
                "%s: the items before number %d are out; %s", stopped.name, at, course.left(at)
            )
            raise
    output.write(stream.state(at))
    log.info("%s", progress.summary())
    log.info("Numbers %d to %d are out", course.first, course.end - 1)


@dataclass
class Load:
    """Items that are written into a table.

    Attributes:
        wire: Carries the calls.
        table: The table, which exists.
        items: The items.
        course: Which of them.
        asked: What is asked of the table's write capacity.
        made: Whether this run has made the table.
        workers: How many requests are on their way at once.
        max_cost: What the run may cost; None where nobody counts.
        prices: What units cost.
        begun: The number before which all items are handed to the writer.
        done: The number before which all items are written.
    """

    wire: Wire
    table: Table
    items: Items
    course: Course
    asked: Asked
    made: bool = False
    workers: int = 8
    max_cost: float | None = None
    prices: Prices = field(default_factory=Prices)
    begun: int = field(init=False)
    done: int = field(init=False)

    def __post_init__(self) -> None:
        """Begin with nothing."""
        self.begun = self.done = self.course.first

    def units(self) -> float:
        """Return about how many write units the run will consume of the table, at the least."""
        _, units = self.items.sampled(self.course.first, self.course.count)
        return units * self.course.count

    def check_cost(self) -> None:
        """Refuse a run that costs more than it may.

        Raises:
            CostExceeded: It would.
        """
        if self.max_cost is None or not self.counts:
            return
        least = self.units() * self.prices.unit("write")
        if least > self.max_cost:
            raise CostExceeded(
                f"Writing {self.course.count:,} items would cost about {money(least)} at the least, and "
                f"max_cost is {money(self.max_cost)}",
                "Raise max_cost, or ask for fewer or smaller items",
            )

    @property
    def counts(self) -> bool:
        """Whether the table's units have a price each."""
        return self.table.billing != "PROVISIONED"

    def run(self) -> None:
        """Write the items; return when DynamoDB has acknowledged all of them.

        Raises:
            Error: A write failed for good; the hint says from where to go on.
            Stopped: A signal ended the run, and the log says from where to go on.
        """
        self.check_cost()
        name, course = self.table.name, self.course
        purse = None
        if self.max_cost is not None:
            purse = Purse(self.max_cost, self.prices.unit("write"))
        pace = WritePace(self.wire, self.table, self.asked, made=self.made)
        budgets = pace.budgets(log, purse=purse)
        look_up = pace.lookups(budgets, log)
        self.wire.watch(name, budgets.throttled)
        progress = Progress(f"Table {name}", whole_items=course.count)
        progress.follow(f"table {name}", budgets.table)
        for index, budget in budgets.indexes.items():
            progress.follow(f"index {index} of {name}", budget)
        writer = Writer(
            self.wire, self.table, budgets=budgets, progress=progress, workers=self.workers
        )
        try:
            with Signals() as signals, signals.held(self._last_words):
                try:
                    for numbers in course.turns(signals, CHUNK):
                        for number in numbers:
                            signals.look()
                            writer.put(*self.items.item(number))
                            self.begun = number + 1
                            if progress.due():
                                self._flush(writer)
                                look_up()
                                log.info("%s", progress.line())
                    self._flush(writer)
                except Stopped as stopped:
                    self._flush(writer)
                    log.info("%s", progress.summary())
                    log.warning("%s: %s", stopped.name, self._told())
                    raise
        except Error as error:
            error.hint = ". ".join(filter(None, (error.hint, self._told())))
            raise
        finally:
            writer.close()
        log.info("%s", progress.summary())
        log.info("Numbers %d to %d are written", course.first, course.end - 1)

    def _flush(self, writer: Writer) -> None:
        """Return when all is acknowledged that was begun."""
        writer.flush()
        self.done = self.begun

    def _told(self) -> str:
        if self.done == self.course.end:
            return "All items are written"
        return f"The items before number {self.done} are written: {self.course.left(self.done)}"

    def _last_words(self) -> str:
        return f"DynamoDB has not acknowledged in time what was sent. {self._told()}"
