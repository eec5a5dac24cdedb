"""The files of an export as parts: lines in, blocks out, each file verified before it is finished."""

from __future__ import annotations

import dataclasses
import time
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from dynamodb_core.change import Change
from dynamodb_core.errors import DataError, StateError
from dynamodb_core.exports.detecting import Seen, detect
from dynamodb_core.exports.documents import AS_WRITTEN
from dynamodb_core.exports.lines import LineError, cut, parser
from dynamodb_core.exports.streaming import BACKOFF, MOST_LINE, check_count, chunks
from dynamodb_core.parts import Block, as_they_are

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from typing_extensions import Self

    from dynamodb_core.exports.kinds import DataFile, Format
    from dynamodb_core.objects import ObjectStore
    from dynamodb_core.parts import Part
    from dynamodb_core.retry import Backoff

SAMPLED_FILES = 16
"""Files among which a sample is divided, where they have as many lines."""

MOST_SAMPLED_FILES = 64
"""Files that a sample is taken of at the most."""


class Some(NamedTuple):
    """What some lines of a file say.

    Attributes:
        found: Items as `msgspec.Raw`, or `Change`s; or, as `lines.cut` has them, items as bytes.
        data: The lines.
        before: How many lines of the file come before them, blank ones included.
        lines: How many they are, likewise.
        unseen: Whether nobody has looked at the items.
    """

    found: list[Any]
    data: bytes
    before: int
    lines: int
    unseen: bool = False


def read(
    store: ObjectStore,
    file: DataFile,
    *,
    format: Format,  # noqa: A002 - as it is named in a manifest
    changes: bool,
    skip: int = 0,
    verify: bool = True,
    unseen: bool = False,
    most_line: int = MOST_LINE,
    backoff: Backoff = BACKOFF,
    sleep: Callable[[float], object] = time.sleep,
) -> Iterator[Some]:
    """Yield what the lines of a file say. It is right as a whole only when this has come to its end.

    Args:
        store: What its key is below.
        file: The file.
        format: How its lines are written.
        changes: Whether they are changes.
        skip: How many lines are left out at its beginning, blank ones included.
        verify: Whether size, MD5 and count of items must be what the export says.
        unseen: Whether items may be what `lines.cut` returns, where it can.
        most_line: The longest line there may be.
        backoff: The delays before a file is opened again.
        sleep: Waits for seconds.

    Raises:
        DataError: The file is gone, damaged or not what the export says; or a line is.
        StateError: The file has not as many lines as are left out.
        Error: It cannot be read.
    """
    where = store.address(file.key)
    parse = parser(format, changes=changes)
    unseen = unseen and format == "dynamodb_json" and not changes
    reading = chunks(store, file, verify=verify, most_line=most_line, backoff=backoff, sleep=sleep)
    before = items = 0
    for chunk in reading:
        data, gone = chunk.data, 0
        if before < skip:
            gone = min(skip - before, chunk.lines)
            passed = data.split(b"\n", gone)
            items += sum(1 for line in passed[:gone] if line.strip())
            before += gone
            if gone == chunk.lines:
                continue
            data = passed[gone]
        try:
            pieces = cut(data) if unseen else None
            found = parse(data) if pieces is None else pieces
        except LineError as error:
            if verify:
                for _ in reading:  # that a file is damaged says more
                    pass
            raise _wrong(error, data, before, where, Seen(format, changes)) from error
        items += len(found)
        if pieces is not None:
            chunk.lines = gone + len(pieces)
        lines = chunk.lines - gone
        yield Some(found, data, before, lines, unseen=pieces is not None)
        before += lines
    if before < skip:
        raise StateError(
            f"The state says that {skip:,} lines of {where} are out, and it has {before:,}",
            "It is of another export: start without the state",
        )
    if verify:
        check_count(file, where, items)


def read_changes(
    store: ObjectStore,
    file: DataFile,
    *,
    format: Format,  # noqa: A002
    changes: bool,
    verify: bool = True,
) -> Iterator[list[Change]]:
    """Yield what the lines of a file say as changes; items are changes without a time.

    Args:
        store: As in `read`.
        file: As in `read`.
        format: As in `read`.
        changes: As in `read`.
        verify: As in `read`.

    Raises:
        Error: As in `read`.
    """
    for some in read(store, file, format=format, changes=changes, verify=verify):
        yield some.found if changes else [Change(bytes(item)) for item in some.found]


def first_items(
    store: ObjectStore,
    files: Sequence[DataFile],
    count: int,
    *,
    format: Format,  # noqa: A002
    changes: bool,
) -> list[msgspec.Raw]:
    """Return items, or new images, from the beginnings of some files; nothing is verified.

    Args:
        store: What the files' keys are below.
        files: All files.
        count: How many items at the most.
        format: How the lines are written.
        changes: Whether they are changes.

    Raises:
        DataError: A file is gone or damaged, or a line is.
        Error: A file cannot be read.
    """
    full = [file for file in files if file.items != 0 and file.size]
    step = max(1, len(full) // SAMPLED_FILES)
    spread = full[::step] + [file for n, file in enumerate(full) if n % step]
    share = -(-count // max(1, min(len(full), SAMPLED_FILES)))
    items: list[msgspec.Raw] = []
    for file in spread[:MOST_SAMPLED_FILES]:
        if len(items) >= count:
            break
        items += _first_of(store, file, min(share, count - len(items)), format, changes=changes)
    return items


def _first_of(
    store: ObjectStore,
    file: DataFile,
    count: int,
    format: Format,  # noqa: A002
    *,
    changes: bool,
) -> list[msgspec.Raw]:
    items: list[msgspec.Raw] = []
    for some in read(store, file, format=format, changes=changes, verify=False):
        if changes:
            items += [msgspec.Raw(each.item) for each in some.found if each.item is not None]
        else:
            items += some.found
        if len(items) >= count:
            break
    # Copies: each would hold all of what was read with it.
    return [msgspec.Raw(bytes(item)) for item in items[:count]]


class ExportReader:
    """Reads the files of an export, within a `with` block; see `dealing.Reader`. Part n is file n.

    A block's place is `{"line": n}`: n lines of the file are out. Its size counts bytes of lines, which are
    more than those of the file where that is compressed. The last block of a file is finished only when
    the file was verified; until then it is held back.

    Args:
        store: What the files' keys are below.
        files: The files.
        format: How their lines are written.
        changes: Whether they are changes.
        convert: Makes the payload of a block, of `msgspec.Raw` items or of `Change`s. A DataError that it
            raises is located: it is asked for each of them alone.
        tell: Takes what the process has decided that the blocks go to.
        finish: What becomes of the blocks of a file, in the thread that reads it.
        verify: Whether size, MD5 and count of items of each file must be what the export says.
        unseen: Whether `convert` itself sees that each item is one JSON object, and raises DataError where
            one is not; it may then get items as bytes, which nobody has looked at.
        most_line: The longest line there may be.
        backoff: The delays before a file is opened again.
        sleep: Waits for seconds.
    """

    def __init__(
        self,
        store: ObjectStore,
        files: Sequence[DataFile],
        *,
        format: Format,  # noqa: A002
        changes: bool,
        convert: Callable[[list[Any]], Any],
        tell: Callable[[Any], object] | None = None,
        finish: Callable[[Iterator[Block[Any]]], Iterator[Block[Any]]] = as_they_are,
        verify: bool = True,
        unseen: bool = False,
        most_line: int = MOST_LINE,
        backoff: Backoff = BACKOFF,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._store = store
        self._files = files
        self._seen = Seen(format, changes)
        self._convert = convert
        self._tell = tell
        self._finish = finish
        self._verify = verify
        self._unseen = unseen
        self._most_line = most_line
        self._backoff = backoff
        self._sleep = sleep

    def __enter__(self) -> Self:
        """See that there is a library for the format."""
        parser(self._seen.format, changes=self._seen.changes)
        return self

    def __exit__(self, *error: object) -> None:
        """Do nothing: a file is open only while it is read."""

    def __call__(self, part: Part) -> Iterator[Block[Any]]:
        """Read a file from its place to its end."""
        return self._finish(self._blocks(part))

    def name(self, number: int) -> str:
        """Return a part in words."""
        return f"file {self._store.address(self._files[number].key)}"

    def tell(self, news: Any) -> None:
        """Hand on what was decided."""
        if self._tell is not None:
            self._tell(news)

    def _blocks(self, part: Part) -> Iterator[Block[Any]]:
        file = self._files[part.number]
        reading = read(
            self._store,
            file,
            format=self._seen.format,
            changes=self._seen.changes,
            skip=self._line(part),
            verify=self._verify,
            unseen=self._unseen,
            most_line=self._most_line,
            backoff=self._backoff,
            sleep=self._sleep,
        )
        held: Block[Any] | None = None
        for some in reading:
            block, held = held, self._block(part, file, some, reading)
            del some
            if block is not None:
                yield block
            del block
        if held is None:
            held = Block(part.number, self._convert([]), 0, None, finished=True)
        yield dataclasses.replace(held, place=None, finished=True)

    def _block(self, part: Part, file: DataFile, some: Some, rest: Iterator[Some]) -> Block[Any]:
        where = self._store.address(file.key)
        try:
            payload = self._convert(some.found)
        except (DataError, RecursionError) as error:
            if some.unseen:
                found = self._look_at(some, rest, where)
                return self._block(part, file, some._replace(found=found, unseen=False), rest)
            if isinstance(error, RecursionError):
                raise
            raise self._located(error, some, where) from error
        return Block(
            part=part.number,
            payload=payload,
            count=len(some.found),
            place={"line": some.before + some.lines},
            finished=False,
            size=len(some.data),
        )

    def _look_at(self, some: Some, rest: Iterator[Some], where: str) -> list[Any]:
        """Return what lines say whose items nobody has looked at, or raise what is wrong with them."""
        try:
            return parser(self._seen.format, changes=self._seen.changes)(some.data)
        except LineError as error:
            if self._verify:
                for _ in rest:  # that a file is damaged says more
                    pass
            raise _wrong(error, some.data, some.before, where, self._seen) from error

    def _located(self, error: DataError, some: Some, where: str) -> DataError:
        """Return an error of converting lines with the first line that it is about."""
        numbers = [n for n, line in enumerate(some.data.split(b"\n"), 1) if line.strip()]
        for number, each in zip(numbers, some.found, strict=False):
            try:
                self._convert([each])
            except DataError as own:
                line = f"Line {some.before + number:,} of {where}"
                return DataError(f"{line}: {own.message}", own.hint)
        lines = f"lines {some.before + 1:,} to {some.before + some.lines:,} of {where}"
        return DataError(f"In {lines}: {error.message}", error.hint)

    def _line(self, part: Part) -> int:
        """Return how many lines are out, as a place says."""
        if part.place is None:
            return 0
        line = part.place.get("line") if hasattr(part.place, "get") else None
        if isinstance(line, bool) or not isinstance(line, int) or line < 0:
            raise StateError(
                f"The state has no place in {self.name(part.number)}: {str(part.place)[:60]}",
                "Start without the state",
            )
        return line


def _wrong(error: LineError, data: bytes, before: int, where: str, declared: Seen) -> DataError:
    """Return the error of a line with its number, and what it seems to be instead."""
    hint = error.hint or AS_WRITTEN
    try:
        seen = detect(data.split(b"\n")[error.number])
    except (DataError, RecursionError):
        seen = declared
    if seen != declared:
        hint = f"It looks like {_words(seen)}, and the export is said to hold {_words(declared)}"
    return DataError(f"Line {before + error.number + 1:,} of {where} {error.why}", hint)


def _words(seen: Seen) -> str:
    names = {
        "dynamodb_json": "DynamoDB JSON",
        "ion": "Ion",
        "legacy": "JSON of Data Pipeline or EMR",
    }
    return f"{'a change' if seen.changes else 'an item'} in {names[seen.format]}"
