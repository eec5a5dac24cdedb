"""Tables that are warmed up: raised, waited for, and put back whatever happens."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import tables, warm_up
from dynamodb_core.errors import Error
from dynamodb_core.notes import OWN, Notes

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from dynamodb_core.notes import Note
    from dynamodb_core.table import Table
    from dynamodb_core.warm_up import WarmUp
    from dynamodb_core.wire import Wire


class Warmth:
    """Warms tables up, and puts back what they had.

    Args:
        wire: Carries the calls.
        log: Told what is done.
        folder: Where notes are kept of tables that cannot be tagged; None for this user's state.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        wire: Wire,
        log: logging.Logger,
        *,
        folder: Path | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._wire = wire
        self._log = log
        self._folder = folder
        self._sleep = sleep
        self._warm: dict[str, Note] = {}

    def up(self, table: Table, asked: WarmUp, index: str = OWN) -> Table:
        """Warm a table up; return it as it is when that is done.

        Args:
            table: The table.
            asked: What is asked for.
            index: The index that is read, if it is one.

        Raises:
            ConfigError: The method is none for this table, or nothing can be written down.
            Error: A call failed; nothing was changed, or it is put back by `down`.
        """
        table = tables.wait_until_settled(self._wire, table.name, sleep=self._sleep)
        notes = Notes(self._wire, table, self._folder, sleep=self._sleep)
        earlier = notes.read() if asked.method != "warm_throughput" else None
        if earlier:
            self._log.warning(
                "Table %s was warmed up by a run that did not put it back (%s); this one will",
                table.name,
                earlier,
            )
            self._warm[table.name] = earlier
        plan = warm_up.plan(table, asked, earlier, index)
        if plan is None:
            self._log.info("Table %s has the capacity that warm_up asks for", table.name)
            return table
        if plan.note:
            notes.write(plan.note)
            self._warm[table.name] = plan.note
        self._update(table.name, plan.request)
        self._log.info("Table %s is being warmed up: %s", table.name, plan.words)
        return tables.wait_until_settled(self._wire, table.name, sleep=self._sleep)

    def down(self) -> None:
        """Put back what the tables had; does nothing when that is done.

        Raises:
            Error: The first table that could not be put back; the others are.
        """
        failed: Error | None = None
        for name in list(self._warm):
            try:
                self._down(name)
            except Error as error:
                self._log.error("Table %s is still warmed up: %s", name, error)
                failed = failed or error
        if failed is not None:
            failed.hint = (
                "The capacity of a table is not put back and may cost money: put it back by "
                f"python -m dynamodb_core.cool_down, or by hand. {failed.hint}"
            )
            raise failed

    def restore(self, name: str) -> bool:
        """Put back what a run that is gone has left of a table.

        Args:
            name: The table's name.

        Returns:
            Whether there was a note of it.

        Raises:
            Error: A call failed.
        """
        note = Notes(self._wire, tables.describe(self._wire, name), self._folder).read()
        if note is None:
            return False
        self._warm[name] = note
        self._down(name)
        return True

    def _down(self, name: str) -> None:
        table = tables.wait_until_settled(self._wire, name, sleep=self._sleep)
        plan = warm_up.put_back(table, self._warm[name])
        if plan is None:
            self._log.info("The capacity of table %s was changed by others, and stays", name)
        else:
            self._update(name, plan.request)
            self._log.info("Table %s is %s", name, plan.words)
        Notes(self._wire, table, self._folder, sleep=self._sleep).remove()
        del self._warm[name]

    def _update(self, name: str, request: Mapping[str, object]) -> None:
        tables.when_not_busy(
            lambda: self._wire.call("UpdateTable", orjson.dumps(request), table=name),
            sleep=self._sleep,
        )
