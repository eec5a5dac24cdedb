"""Records into files, by whoever has them: a worker that has read their pages, or the parent."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from isal import isal_zlib

from tap_dynamodb import parquet
from tap_dynamodb.pages import Page
from tap_dynamodb.render import Rendered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from dynamodb_core.parts import Block
    from dynamodb_core.spool import Draft, Spool
    from tap_dynamodb.batch import Batching
    from tap_dynamodb.pages import Blocks

FILE_SECONDS = 10.0
"""A file ends after so long, be it small: what is not in a finished file is read again after a crash."""

_GZIP_LEVEL = 1
_GZIP_BITS = 31
_PIECE = 1 << 18


class Writes(Protocol):
    """Writes records to a draft in some format."""

    def add(self, lines: bytes) -> None:
        """Write records."""
        ...

    def end(self) -> None:
        """Write what belongs behind the last record."""
        ...

    def drop(self) -> None:
        """Let go of the draft, which is about to be removed."""
        ...


class Lines:
    """JSON Lines, as they are."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft

    def add(self, lines: bytes) -> None:
        """Write records, each a line."""
        self._draft.write(lines)

    def end(self) -> None:
        """Nothing stands behind the last one."""

    def drop(self) -> None:
        """Nothing is held back."""


class GzippedLines:
    """JSON Lines in gzip, by igzip at its fastest."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._gzip = isal_zlib.compressobj(level=_GZIP_LEVEL, wbits=_GZIP_BITS)

    def add(self, lines: bytes) -> None:
        """Write records, each a line."""
        for start in range(0, len(lines), _PIECE):
            self._draft.write(self._gzip.compress(lines[start : start + _PIECE]))

    def end(self) -> None:
        """Write the end of the gzip stream."""
        self._draft.write(self._gzip.flush())

    def drop(self) -> None:
        """What is held back is forgotten."""


class BatchFile:
    """One file, until it is kept or dropped. After an error it can only be dropped.

    Args:
        spool: The folder of the run.
        batching: How files are written.
        columns: What the columns are, where a file has them: `parquet.columns_of_layout`.

    Attributes:
        columns: Likewise; for records with others a file must be begun anew.
        count: How many records it holds.

    Raises:
        Error: It cannot be made.
    """

    def __init__(
        self, spool: Spool, batching: Batching, columns: Mapping[str, str] | None = None
    ) -> None:
        self.columns = columns
        self.count = 0
        self._batching = batching
        self._error: BaseException | None = None
        self._draft = spool.draft(batching.suffix, batching.prefix)
        self._writes: Writes
        if columns is not None:
            self._writes = parquet.ParquetRows(self._draft, columns, batching.compression)
        elif batching.compression == "gzip":
            self._writes = GzippedLines(self._draft)
        else:
            self._writes = Lines(self._draft)

    @property
    def full(self) -> bool:
        """Whether it holds as much as a file should."""
        batching = self._batching
        return self.count >= batching.size or self._draft.size >= batching.file_bytes

    def add(self, lines: bytes, count: int) -> None:
        """Write records.

        Args:
            lines: JSON of each record, ending with a newline.
            count: How many these are.

        Raises:
            Error: The disk is full, or the folder gone.
        """
        with self._unless_broken():
            self._writes.add(lines)
        self.count += count

    def keep(self) -> Path:
        """Finish the file and return its path.

        Raises:
            Error: Not all of it could be written, now or before.
        """
        with self._unless_broken():
            self._writes.end()
            return self._draft.keep()

    def drop(self) -> None:
        """Remove it, unless it is kept already."""
        self._writes.drop()
        self._draft.drop()

    @contextmanager
    def _unless_broken(self) -> Iterator[None]:
        if self._error is not None:
            raise self._error
        try:
            yield
        except BaseException as error:
            self._error = error
            raise


@dataclass(frozen=True)
class FileWriter:
    """Writes the records of a part's blocks to files, and makes one block of all that a file holds.

    It runs in the worker that has read the pages, and can be pickled on the way there.

    Attributes:
        spool: The folder of the run.
        batching: How files are written.
        clock: Returns seconds that only grow.
    """

    spool: Spool
    batching: Batching
    clock: Callable[[], float] = time.monotonic

    def __call__(self, blocks: Blocks) -> Blocks:
        """Write what blocks hold, each stream's records to a file of its own.

        A page with columns that nobody has decided on yet is left to the parent, as it is.

        Args:
            blocks: Those of one part, in their order.

        Yields:
            A block for the files of several pages; its place is that after the last of them.

        Raises:
            Error: A file cannot be written.
        """
        heap = _Heap(self)
        try:
            for block in blocks:
                undecided = any(rendered.late for rendered in block.payload.parts.values())
                if heap.holds and (undecided or not heap.takes(block)):
                    yield heap.block()
                if undecided:
                    yield block
                    continue
                heap.add(block)
                finished = block.finished
                del block  # else its lines are held as long as the next page takes
                if finished or heap.full:
                    yield heap.block()
        finally:
            heap.drop()


class _Heap:
    """The pages since the last block, as one block, and the files that hold their records."""

    def __init__(self, writer: FileWriter) -> None:
        self._writer = writer
        self._begun = 0.0
        self._block: Block[Page] | None = None
        self._files: dict[str, BatchFile] = {}

    @property
    def holds(self) -> bool:
        return self._block is not None

    @property
    def full(self) -> bool:
        return (
            any(file.full for file in self._files.values())
            or self._writer.clock() - self._begun >= FILE_SECONDS
        )

    def takes(self, block: Block[Page]) -> bool:
        """Whether the files under way have the columns of a page."""
        return all(
            self._files[name].columns == self._columns(rendered)
            for name, rendered in block.payload.parts.items()
            if rendered.count and name in self._files
        )

    def add(self, block: Block[Page]) -> None:
        for name, rendered in block.payload.parts.items():
            if rendered.count:
                self._file(name, rendered).add(rendered.lines, rendered.count)
        parts = {
            name: replace(each, lines=b"", layout=None)
            for name, each in block.payload.parts.items()
        }
        block = replace(block, payload=block.payload._replace(parts=parts))
        if self._block is None:
            self._begun = self._writer.clock()
            self._block = block
        else:
            self._block = _together(self._block, block)

    def block(self) -> Block[Page]:
        """Finish the files, and return the block of all they hold."""
        assert self._block is not None
        page = self._block.payload
        parts = dict(page.parts)
        for name in list(self._files):
            parts[name] = replace(parts[name], file=self._files[name].keep())
            del self._files[name]
        block = replace(self._block, payload=page._replace(parts=parts))
        self._block = None
        return block

    def drop(self) -> None:
        for file in self._files.values():
            file.drop()

    def _file(self, name: str, rendered: Rendered) -> BatchFile:
        if name not in self._files:
            writer = self._writer
            self._files[name] = BatchFile(writer.spool, writer.batching, self._columns(rendered))
        return self._files[name]

    def _columns(self, rendered: Rendered) -> Mapping[str, str] | None:
        if self._writer.batching.format != "parquet" or rendered.layout is None:
            return None
        return parquet.columns_of_layout(rendered.layout)


def _together(one: Block[Page], next_one: Block[Page]) -> Block[Page]:
    """Return a block for two that follow each other; their lines are in a file."""
    return replace(
        next_one,
        payload=Page(
            _parts(one.payload.parts, next_one.payload.parts),
            one.payload.expired + next_one.payload.expired,
            one.payload.seen + next_one.payload.seen,
        ),
        count=one.count + next_one.count,
        size=one.size + next_one.size,
        units=one.units + next_one.units,
    )


def _parts(one: Mapping[str, Rendered], next_one: Mapping[str, Rendered]) -> Mapping[str, Rendered]:
    parts = dict(one)
    for name, rendered in next_one.items():
        before = parts.get(name, Rendered())
        parts[name] = Rendered(
            count=before.count + rendered.count,
            reserved=before.reserved or rendered.reserved,
            rest=Counter(before.rest) + Counter(rendered.rest),
        )
    return parts
