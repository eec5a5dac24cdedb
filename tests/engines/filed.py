"""Records in files, and the BATCH messages that name them: as our tap writes them, and as others do."""

from __future__ import annotations

import itertools
import json
from typing import TYPE_CHECKING, Any

from isal import igzip

from dynamodb_core.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

Message = dict[str, Any]
_numbers = itertools.count(1)


def lines(records: Iterable[Mapping[str, Any] | str]) -> bytes:
    """Records as lines; a text is a line as it is."""
    return b"".join(
        (each if isinstance(each, str) else json.dumps(each)).encode() + b"\n" for each in records
    )


class Filed:
    """Writes files below a root.

    Attributes:
        root: The root.
        spool: The folder of a run of ours below it.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.spool = Spool.create(root)

    def ours(self, records: Iterable[Mapping[str, Any] | str]) -> Path:
        """Write a file with the mark of our run."""
        draft = self.spool.draft(".jsonl.gz")
        draft.write(igzip.compress(lines(records), 1))
        return draft.keep()

    def foreign(self, data: bytes | Iterable[Mapping[str, Any] | str], suffix: str = "") -> Path:
        """Write a file of another program, compressed when its suffix says so."""
        data = data if isinstance(data, bytes) else lines(data)
        path = self.root / f"other-{next(_numbers)}.jsonl{suffix}"
        path.write_bytes(igzip.compress(data) if suffix == ".gz" else data)
        return path


def batch(stream: str, *files: Path, distinct: bool = True, **more: Any) -> Message:
    """Return a BATCH message about files."""
    gzip = all(file.suffix == ".gz" for file in files)
    message: Message = {
        "type": "BATCH",
        "stream": stream,
        "encoding": {"format": "jsonl", "compression": "gzip" if gzip else "none"},
        "manifest": [f"file://{file}" for file in files],
    }
    if distinct:
        message["distinct_keys"] = True
    return message | more
