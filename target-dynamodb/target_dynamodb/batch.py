"""What a BATCH message says; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from dynamodb_core.errors import DataError
from target_dynamodb.contents import File

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.inbox import Claim

FORMATS = ("jsonl", "parquet")
HINT = (
    'Let the tap write {"format": "jsonl", "compression": "gzip"}: the encoding of its batch_config'
)


@dataclass(frozen=True)
class Batch:
    """A BATCH message.

    Attributes:
        stream: The stream whose records the files hold.
        files: Where they are, as URLs or paths, in their order.
        format: `jsonl` or `parquet`.
        gzip: Whether they are compressed as a whole.
        distinct_keys: Whether the tap vouches that no key is in two files of its run, so that their
            order is of no matter.
        version: The stream's version, for `_sdc_table_version`.
        json_columns: Properties whose strings are JSON, in Parquet.
    """

    stream: str
    files: tuple[str, ...]
    format: Literal["jsonl", "parquet"] = "jsonl"
    gzip: bool = False
    distinct_keys: bool = False
    version: Any = None
    json_columns: frozenset[str] = frozenset()

    @classmethod
    def from_message(
        cls, message: Mapping[str, Any], json_columns: frozenset[str] = frozenset()
    ) -> Batch:
        """Read a message whose `stream`, `encoding` and `manifest` are there.

        Args:
            message: The message.
            json_columns: Properties whose strings are JSON, in Parquet.

        Raises:
            DataError: It is of a form, or its files of an encoding, that this target does not know.
        """
        stream, encoding, files = (message[name] for name in ("stream", "encoding", "manifest"))
        where = f"A BATCH message of stream {stream}"
        if not isinstance(encoding, dict) or not isinstance(encoding.get("format"), str):
            raise DataError(f"{where} does not say the format of its files", HINT)
        if not isinstance(files, list) or not all(isinstance(name, str) for name in files):
            raise DataError(
                f"The manifest of {where[0].lower()}{where[1:]} is no list of files", HINT
            )
        form = encoding["format"]
        compression = encoding.get("compression") or "none"
        if form not in FORMATS:
            raise DataError(f"{where} names files of the unknown format {form}", HINT)
        if form == "jsonl" and compression not in ("gzip", "none"):
            raise DataError(f"{where} names files of the unknown compression {compression}", HINT)
        return cls(
            stream=stream,
            files=tuple(files),
            format=form,
            gzip=form == "jsonl" and compression == "gzip",
            distinct_keys=message.get("distinct_keys") is True,
            version=message.get("version"),
            json_columns=json_columns,
        )

    def file(self, claim: Claim) -> File:
        """Return one of its files, as it is to be read.

        Args:
            claim: Where it is.
        """
        return File(claim, self.format, self.gzip, self.json_columns)
