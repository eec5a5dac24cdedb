"""What a table had before it was warmed up, written down: as tags of the table, or in a file.

A run that warms a table up writes the note first and removes it last, so that the next one, or
`cool_down.py`, finds it after a crash. Where tags are not to be had the note is a file of this machine.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from dynamodb_core import tables
from dynamodb_core.errors import AccessError, ConfigError, ServiceError, StateError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.errors import Error
    from dynamodb_core.table import Table
    from dynamodb_core.wire import Wire

Units = tuple[int, int]
"""Read and write units a second."""

OWN = ""
"""The name of the table itself among its indexes."""

TAG = "ferry-dynamodb:before-warm-up"
"""The tag that holds the note; a long one goes on in `TAG.1` and so on."""

END = "@"
"""Ends a note in tags."""

MOST_CHARACTERS = 256
"""A tag's value holds no more."""


@dataclass(frozen=True)
class Note:
    """What a table had before it was warmed up, and what it was given.

    Attributes:
        method: By what it was warmed up.
        before: Provisioned units by index; the table itself under `OWN`.
        after: The units that were set instead: more than one where runs died one after the other,
            each before or after it had set its own.
    """

    method: str
    before: Mapping[str, Units]
    after: Mapping[str, tuple[Units, ...]] = field(default_factory=dict)

    def was_set(self, name: str, units: Units) -> bool:
        """Return whether units of a table or index are such as a warm-up has set.

        Args:
            name: The index; `OWN` for the table.
            units: What it has now.
        """
        return units in self.after.get(name, ())

    def __str__(self) -> str:
        """Return it as text of letters, digits and ` :/=`, which tags can hold."""
        entries = (
            f"{name}:{'='.join(f'{r}/{w}' for r, w in (units, *self.after.get(name, ())))}"
            for name, units in self.before.items()
        )
        return " ".join([self.method, *entries])

    @classmethod
    def parse(cls, text: str) -> Note:
        """Read what `__str__` wrote.

        Args:
            text: The text.

        Raises:
            StateError: It is damaged.
        """
        method, *entries = text.split() or [""]
        whole = all(_ENTRY.fullmatch(entry) for entry in entries)
        if method not in ("provisioned", "on_demand") or not entries or not whole:
            raise StateError(
                f"The note of a table's capacity before its warm-up is damaged: {text!r}",
                "Set the capacity by hand, and remove the note",
            )
        before, after = {}, {}
        for entry in entries:
            name, _, said = entry.partition(":")
            both = [tuple(map(int, each.split("/"))) for each in said.split("=")]
            before[name], *later = ((read, write) for read, write in both)
            if later:
                after[name] = tuple(later)
        return cls(method, before, after)


_ENTRY = re.compile(r"([A-Za-z0-9_.-]*):\d+/\d+(?:=\d+/\d+)*", re.ASCII)


class Notes:
    """Where the note of a table is kept: its tags, or a file where it has none.

    Args:
        wire: Carries the calls.
        table: The table.
        folder: The folder of files; None for this user's own.
        sleep: Waits for seconds while the table is changed.
    """

    def __init__(
        self,
        wire: Wire,
        table: Table,
        folder: Path | None = None,
        *,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._wire = wire
        self._table = table
        self._sleep = sleep
        state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
        whole = folder or Path(state).expanduser() / "ferry-dynamodb" / "warm-up"
        digest = hashlib.sha256(table.arn.encode()).hexdigest()[:12]
        self._path = whole / f"{table.name}-{digest}"

    def read(self) -> Note | None:
        """Return the note; None where there is none.

        Raises:
            StateError: It is damaged.
        """
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return Note.parse(self._path.read_text())
        tags = self._tags()
        text = "".join(tags[key] for key in _keys(len(tags)) if key in tags)
        whole, end, _stale = text.partition(f" {END}")
        return Note.parse(whole if end else f"{text} (cut)") if text else None

    def write(self, note: Note) -> None:
        """Keep a note, instead of another one that may be there.

        Args:
            note: The note.

        Raises:
            ConfigError: Neither a tag nor a file can be written.
        """
        try:
            earlier = tables.tags(self._wire, self._table.arn)
            text = f"{note} {END}"  # what may stand behind it is of an earlier one
            chunks = [text[n : n + MOST_CHARACTERS] for n in range(0, len(text), MOST_CHARACTERS)]
            keys = _keys(len(chunks))
            said = [{"Key": k, "Value": v} for k, v in zip(keys, chunks, strict=True)]
            self._call("TagResource", {"ResourceArn": self._table.arn, "Tags": said})
        except (AccessError, ServiceError) as refusal:
            self._write_file(note, refusal)
        else:
            self._path.unlink(missing_ok=True)
            self._remove_tags([key for key in _keys(len(earlier)) if key in earlier][len(keys) :])

    def remove(self) -> None:
        """Forget the note.

        Raises:
            Error: A call failed; the note is there, and by it nothing will be put back again.
        """
        self._path.unlink(missing_ok=True)
        tags = self._tags()
        self._remove_tags([key for key in _keys(len(tags)) if key in tags])

    def _write_file(self, note: Note, refusal: Error) -> None:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(str(note))
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise ConfigError(
                f"Table {self._table.name} is not warmed up, as what it has now can be kept neither in "
                f"a tag ({refusal.message}) nor in {self._path} ({error})",
                "Allow dynamodb:TagResource, dynamodb:UntagResource and dynamodb:ListTagsOfResource",
            ) from refusal

    def _tags(self) -> dict[str, str]:
        try:
            return tables.tags(self._wire, self._table.arn)
        except (AccessError, ServiceError):
            return {}

    def _remove_tags(self, keys: list[str]) -> None:
        if keys:
            self._call("UntagResource", {"ResourceArn": self._table.arn, "TagKeys": keys})

    def _call(self, operation: str, request: Mapping[str, object]) -> None:
        body = orjson.dumps(request)
        tables.when_not_busy(
            lambda: self._wire.call(operation, body, table=self._table.arn), sleep=self._sleep
        )


def _keys(count: int) -> list[str]:
    """Return the keys of the tags of a note in so many parts."""
    return [TAG, *(f"{TAG}.{number}" for number in range(1, count))][:count]
