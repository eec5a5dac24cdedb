"""Tables of a test's own, made and filled over the raw wire."""

from __future__ import annotations

import itertools
import os
from typing import TYPE_CHECKING, Any

from demo import load
from demo.wire import Wire, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from demo.engine import Engine
    from demo.wire import Item, KeySchema

STRING_KEY: KeySchema = (("id", "S"),)

_numbers = itertools.count(1)


class Tables:
    """A factory of tables on one engine; `drop` removes what it made."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.wire = Wire.of(engine)
        self._made: list[str] = []

    def name(self, label: str = "table") -> str:
        """Return a name that is used nowhere else, and note it: the table need not exist yet."""
        name = f"{label}_{os.getpid()}_{next(_numbers)}"
        self._made.append(name)
        return name

    def note(self, name: str) -> str:
        """Note a table that something else will make, under a name that the test knows."""
        self._made.append(name)
        return name

    def create(
        self,
        items: Iterable[Item] = (),
        *,
        key: KeySchema = STRING_KEY,
        label: str = "table",
        **more: Any,
    ) -> str:
        """Create a table, with `items` in it, and return its name; `more` joins CreateTable."""
        name = self.name(label)
        self.wire.create_table(name, key, **more)
        load.write(self.wire, name, items)
        return name

    def items(self, name: str) -> list[Item]:
        """Return every item of a table, as it stands on the wire."""
        return list(self.wire.scan(name))

    def drop(self) -> None:
        """Drop every table that was made or named here, and close the wire."""
        for name in self._made:
            try:
                self.wire.call("DeleteTable", {"TableName": name})
            except WireError as refusal:
                if "protect" in str(refusal):
                    off = {"TableName": name, "DeletionProtectionEnabled": False}
                    self.wire.call("UpdateTable", off)
                    self.wire.call("DeleteTable", {"TableName": name})
                elif refusal.code != "ResourceNotFoundException":
                    raise
        self.wire.close()
