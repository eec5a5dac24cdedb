"""The file of differences, which is a Singer stream that target-dynamodb loads as it is.

A SCHEMA for each pair of tables, as tap-dynamodb's `dynamodb_json` has it of table A; then a line for
each difference: RECORD with the item of A where B lacks it or has another one, EXTRA with the key where
B alone has it. Targets pass over EXTRA, so loading deletes nothing; `repair.py` makes deletions of it.
The STATE at the end says that the file is whole.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import stat
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Literal

import orjson

from dynamodb_core import provenance
from dynamodb_core.codec import to_typed
from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.layouts import Typed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from typing_extensions import Self

    from dynamodb_core.codec import Item
    from dynamodb_core.table import Table
    from dynamodb_tools.differing import Difference

Kind = Literal["missing", "extra", "differs", "respelled"]
KINDS: tuple[Kind, ...] = ("missing", "extra", "differs", "respelled")

EXTRA = "EXTRA"
COMPARED = "compared"
"""The member of the STATE that counts the differences of each pair."""

_BUFFER = 1 << 20
_NEW = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_CLOEXEC", 0)
_NO_LINK = getattr(os, "O_NOFOLLOW", 0)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.timezone.utc)


class DifferencesFile:
    """Writes differences; as a context manager it makes the file, or nothing where it is left by an error.

    Until then they are in a draft beside it, and what was in the file before stays.

    Args:
        path: Where the file is to be.
        now: Returns the moment.
    """

    def __init__(self, path: Path | str, *, now: Callable[[], dt.datetime] = _now) -> None:
        self.path = Path(path)
        self._now = now
        self._draft = self.path
        self._file: BinaryIO | None = None
        self._streams: set[str] = set()
        self._pairs: list[dict[str, Any]] = []
        self._pair: _Pair | None = None

    def __enter__(self) -> Self:
        """Make the draft.

        Raises:
            ConfigError: There can be no file of this name.
        """
        try:
            place = self.path.resolve()  # a link stays, what it leads to is replaced
            if place.exists() and not stat.S_ISREG(place.stat().st_mode):
                raise self._unfit("it is there, and is no file")
            self._draft = place.with_name(f".{place.name}.draft")
            descriptor = os.open(self._draft, _NEW | _NO_LINK, 0o600)
            self._file = os.fdopen(descriptor, "wb", buffering=_BUFFER)
            if hasattr(os, "fchmod"):
                os.fchmod(descriptor, 0o600)
        except (OSError, ValueError) as error:
            raise self._unfit(getattr(error, "strerror", None) or str(error)) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Give the draft the file's name, or remove it."""
        if kind is None:
            self._complete()
            return
        file, self._file = self._file, None
        with contextlib.suppress(OSError):
            if file is not None:
                file.close()
        with contextlib.suppress(OSError):
            self._draft.unlink()

    @contextmanager
    def pair(self, a: Table, b: Table) -> Iterator[None]:
        """Take the differences of two tables; none of them where it is left by an error.

        Args:
            a: The table that is as both ought to be.
            b: The other one.

        Raises:
            Error: The file cannot be written.
        """
        assert self._pair is None, "one pair after the other"
        stream = self._stream(a)
        start = self._tell()
        self._pair = _Pair(stream, a)
        try:
            self._write(self._pair.schema())
            yield
        except BaseException:
            with contextlib.suppress(OSError):
                assert self._file is not None
                self._file.flush()
                self._file.seek(start)
                self._file.truncate()
            raise
        else:
            self._streams.add(stream)
            sides = {"stream": stream, "a": a.arn or a.name, "b": b.arn or b.name}
            self._pairs.append({**sides, **self._pair.counts})
        finally:
            self._pair = None

    def write(
        self,
        kind: Kind,
        key: bytes,
        item: Item | bytes | None = None,
        differences: Iterable[Difference] = (),
    ) -> None:
        """Write a difference of the pair.

        Args:
            kind: What is different. Of `extra` there is no item, of all others there is one.
            key: The key as DynamoDB JSON.
            item: The item of A, as DynamoDB JSON or what that is.
            differences: What differs.

        Raises:
            Error: The file cannot be written.
            DataError: The item has not the table's key.
        """
        assert self._pair is not None, "write between the ends of a pair"
        self._write(self._pair.line(kind, key, item, differences, self._now().isoformat()))

    def _stream(self, a: Table) -> str:
        stream = wanted = provenance.stream_name(a.name)
        number = 1
        while stream in self._streams:
            number += 1
            stream = f"{wanted}_{number}"
        return stream

    def _complete(self) -> None:
        assert self._file is not None
        self._write(_line({"type": "STATE", "value": {COMPARED: self._pairs}}))
        try:
            with self._file as file:
                file.flush()
                os.fsync(file.fileno())
            self._draft.replace(self.path.resolve())
        except OSError as error:
            raise self._failed(error) from error

    def _tell(self) -> int:
        assert self._file is not None
        return self._file.tell()

    def _write(self, line: bytes) -> None:
        assert self._file is not None, "use it as a context manager"
        try:
            self._file.write(line)
        except OSError as error:
            raise self._failed(error) from error

    def _unfit(self, why: str) -> ConfigError:
        return ConfigError(
            f"The file of differences {self.path} cannot be written: {why}",
            "Name another one, in a folder that is there",
        )

    def _failed(self, error: OSError) -> Error:
        return Error(
            f"The file of differences {self.path} cannot be written: {error.strerror}",
            "See to room and permissions",
        )


class _Pair:
    """The lines of one pair of tables."""

    def __init__(self, stream: str, a: Table) -> None:
        self.counts: dict[str, int] = dict.fromkeys(KINDS, 0)
        self._stream = stream
        self._a = a
        self._field = provenance.item_field(a)
        self._layout = Typed(dict(zip(a.key.names, a.key.types, strict=True)), self._field)

    def schema(self) -> bytes:
        return _line(
            {
                "type": "SCHEMA",
                "stream": self._stream,
                "schema": provenance.typed_schema(self._a),
                "key_properties": list(self._a.key.names),
            }
        )

    def line(
        self,
        kind: Kind,
        key: bytes,
        item: Item | bytes | None,
        differences: Iterable[Difference],
        at: str,
    ) -> bytes:
        extra = kind == "extra"
        assert extra == (item is None), f"{kind}, and the item is {item!r:.20}"
        of = key if item is None else item
        typed = orjson.loads(of) if isinstance(of, bytes) else of
        record = to_typed(typed, self._layout, _number).record
        if extra:
            del record[self._field]
        paths = [
            {"path": d.path, "a": d.a, "b": d.b, **({"spelling": True} if d.spelling else {})}
            for d in differences
        ]
        said = {"kind": kind, "key": orjson.Fragment(key), "paths": paths}
        line = _line(
            {
                "type": EXTRA if extra else "RECORD",
                "stream": self._stream,
                "record": record,
                "time_extracted": at,
                "difference": said,
            }
        )
        self.counts[kind] += 1
        return line


def _number(text: str) -> orjson.Fragment:
    return orjson.Fragment(text)


def _line(message: dict[str, Any]) -> bytes:
    return orjson.dumps(message) + b"\n"
