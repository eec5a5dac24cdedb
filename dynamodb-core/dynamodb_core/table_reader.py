"""The parts of a table, or of an index, for those that read several at once; see `dealing.Reader`."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from dynamodb_core.errors import ConfigError, ServiceError
from dynamodb_core.paging import Paging
from dynamodb_core.parts import as_they_are
from dynamodb_core.scan import read_part

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import msgspec
    from typing_extensions import Self

    from dynamodb_core.capacity import Budget
    from dynamodb_core.parts import Block, Part
    from dynamodb_core.plan import ReadPlan
    from dynamodb_core.wire import Wire


class Convert(Protocol):
    """Makes of a page what goes out."""

    def __call__(self, items: list[msgspec.Raw], /) -> Any:
        """Return what becomes of a page's items."""
        ...

    def tell(self, news: Any, /) -> None:
        """Take into account what the process has decided that the blocks go to."""
        ...


class TableReader:
    """Reads the parts of a table, within a `with` block; see `dealing.Reader`.

    Args:
        plan: How the table is read.
        wire: Carries the calls.
        budget: What they may consume.
        convert: Makes of a page what goes out.
        item_bytes: The average size of an item, None where that is not known.
        finish: What becomes of the blocks of a part, in the thread that reads it.
        hint: What to check where DynamoDB refuses the read.
    """

    def __init__(
        self,
        plan: ReadPlan,
        wire: Wire,
        budget: Budget,
        convert: Convert,
        *,
        item_bytes: float | None = None,
        finish: Callable[[Iterator[Block[Any]]], Iterator[Block[Any]]] = as_they_are,
        hint: str = "Check the filter",
    ) -> None:
        self._plan = plan
        self._wire = wire
        self._budget = budget
        self._convert = convert
        self._item_bytes = item_bytes
        self._finish = finish
        self._hint = hint
        self._paging: Paging | None = None
        self._end_watch: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        """Make ready to read; the budget hears of throttled calls from now on."""
        self._paging = Paging(
            self._budget, consistent=self._plan.consistent, item_bytes=self._item_bytes
        )
        self._end_watch = self._wire.watch(self._plan.table, self._budget.throttled)
        return self

    def __exit__(self, *error: object) -> None:
        """End the watch for throttled calls."""
        if self._end_watch is not None:
            self._end_watch()

    def __call__(self, part: Part) -> Iterator[Block[Any]]:
        """Read a part from its place to its end."""
        with refusals(self._plan, self._hint):
            yield from self._finish(
                read_part(
                    part,
                    plan=self._plan,
                    wire=self._wire,
                    budget=self._budget,
                    paging=self._paging,
                    render=self._convert,
                )
            )

    def name(self, number: int) -> str:
        """Return a part in words."""
        return self._plan.part(number)

    def tell(self, news: Any) -> None:
        """Hand on what the process has decided that the blocks go to."""
        self._convert.tell(news)


@contextmanager
def refusals(plan: ReadPlan, hint: str) -> Iterator[None]:
    """Turn DynamoDB's refusal of a read into an error about the configuration.

    Args:
        plan: What is read.
        hint: What to check.

    Raises:
        ConfigError: DynamoDB has refused it.
    """
    try:
        yield
    except ServiceError as error:
        if error.code != "ValidationException":
            raise
        raise ConfigError(f"DynamoDB refuses to read {plan.what}: {error.message}", hint) from error
