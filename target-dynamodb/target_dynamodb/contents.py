"""The lines of a file of records, read as a stream, however it is compressed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from isal import igzip, isal_zlib

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamodb_core.inbox import Claim

CHUNK_BYTES = 1 << 20
LONGEST_LINE = 1 << 25
"""Bytes of a line. An item of 400 KB takes a tenth of it, however it is spelled."""

RUN_AGAIN = "The file stays where it is; run again with the last state to read the records anew"


@dataclass(frozen=True)
class File:
    """A file to load. Processes may pass it on to each other.

    Attributes:
        claim: Where it is.
        format: `jsonl` or `parquet`.
        gzip: Whether it is compressed as a whole.
        json_columns: Properties whose strings are JSON, in Parquet.
    """

    claim: Claim
    format: str = "jsonl"
    gzip: bool = False
    json_columns: frozenset[str] = frozenset()

    def __str__(self) -> str:
        """Return its path, for messages."""
        return str(self.claim.path)


def lines(file: File) -> Iterator[list[bytes]]:
    """Yield the lines of a file, some at a time; the last one may lack its end.

    Args:
        file: Lines of JSON.

    Raises:
        DataError: The file is gone, is damaged or cut off, or has a line without end.
    """
    count = 0
    pieces: list[bytes] = []
    size = 0
    for chunk in _chunks(file):
        first, *more = chunk.split(b"\n")
        pieces.append(first)
        size += len(first)
        if size > LONGEST_LINE:
            raise DataError(
                f"Line {count + 1} of file {file} is longer than {LONGEST_LINE >> 20} MiB",
                "Every line must be a record",
            )
        if more:
            last = more.pop()
            whole = [b"".join(pieces), *more]
            pieces, size = [last], len(last)
            yield whole
            count += len(whole)
    if size:
        yield [b"".join(pieces)]


def _chunks(file: File) -> Iterator[bytes]:
    """Yield what a file says, inflated."""
    lines = 0
    with file.claim.open() as raw:
        source: Any = igzip.IGzipFile(fileobj=raw) if file.gzip else raw  # type: ignore[no-untyped-call]
        what = "it is empty, which no gzip file is"
        while file.claim.size or not file.gzip:
            try:
                chunk = source.read(CHUNK_BYTES)
            except EOFError:
                what = "it is cut off"
                break
            except (OSError, isal_zlib.error) as error:  # type: ignore[misc]
                what = str(error)
                break
            if not chunk:
                return
            lines += chunk.count(b"\n")
            yield chunk
    raise DataError(f"File {file} cannot be read beyond line {lines}: {what}", RUN_AGAIN)
