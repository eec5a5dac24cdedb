"""What `batch_config` asks for: records in files, which BATCH messages name; pure."""

from __future__ import annotations

import importlib.util
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMATS = ("jsonl", "parquet")
COMPRESSIONS = ("gzip", "none")
BATCH_SIZE = 100_000
PENDING_BYTES = 1 << 30

MIB = 1 << 20
MOST_FILE_BYTES = 32 * MIB
BATCH_PROPERTIES: dict[str, dict[str, Any]] = {
    "batch_config": {
        "type": ["object", "null"],
        "required": ["storage"],
        "properties": {
            "encoding": {
                "type": "object",
                "properties": {
                    "format": {"type": "string", "enum": list(FORMATS), "default": FORMATS[0]},
                    "compression": {
                        "type": "string",
                        "enum": list(COMPRESSIONS),
                        "default": COMPRESSIONS[0],
                    },
                },
                "additionalProperties": False,
            },
            "storage": {
                "type": "object",
                "required": ["root"],
                "properties": {"root": {"type": "string"}, "prefix": {"type": ["string", "null"]}},
            },
            "batch_size": {"type": ["integer", "null"], "minimum": 1},
        },
        "additionalProperties": False,
        "title": "BATCH files",
        "description": (
            "Write records to files in a folder of this machine and say so in BATCH messages, for "
            'a loader that knows them, for example {"encoding": {"format": "jsonl", "compression": '
            '"gzip"}, "storage": {"root": "file:///var/tmp/batch"}}; batch_size is the most '
            f"records a file ({BATCH_SIZE:,} by default). See docs/batch.md."
        ),
    },
    "batch_pending_bytes": {
        "type": ["integer", "null"],
        "minimum": 0,
        "default": PENDING_BYTES,
        "title": "Most bytes of BATCH files",
        "description": (
            "The tap waits while more bytes of its BATCH files were not removed by the loader; 0 is "
            "for loaders that remove none."
        ),
    },
}
"""The settings as JSON Schema."""

_SCHEME = "file://"
_PREFIX = re.compile(r"[\w-][\w.=-]*\Z", re.ASCII)


@dataclass(frozen=True)
class Batching:
    """How records are written to files.

    Attributes:
        root: The folder below which each run makes its own.
        prefix: Begins the files' names.
        format: `jsonl` or `parquet`.
        compression: `gzip` or `none`.
        size: Most records a file, but for the rest of a page.
        pending_bytes: The tap waits while more of its files wait for the loader; 0 for never.
    """

    root: Path
    prefix: str = ""
    format: str = "jsonl"
    compression: str = "gzip"
    size: int = BATCH_SIZE
    pending_bytes: int = PENDING_BYTES

    @classmethod
    def of(cls, said: Mapping[str, Any] | None, pending_bytes: int) -> Batching | None:
        """Read the settings.

        Args:
            said: What `batch_config` says, which fits its JSON Schema.
            pending_bytes: What `batch_pending_bytes` says.

        Returns:
            What they ask for; None where there is no `batch_config`.

        Raises:
            ConfigError: It cannot be had.
        """
        if not said:
            return None
        encoding, storage = said.get("encoding") or {}, said.get("storage") or {}
        form = encoding.get("format") or FORMATS[0]
        compression = encoding.get("compression") or COMPRESSIONS[0]
        if form not in FORMATS or compression not in COMPRESSIONS:
            raise ConfigError(
                f"batch_config asks for files of format {form!r}, compression {compression!r}",
                f"The formats are {_or(FORMATS)}, the compressions {_or(COMPRESSIONS)}",
            )
        if form == "parquet" and importlib.util.find_spec("pyarrow") is None:
            raise ConfigError(
                "batch_config asks for parquet, but pyarrow is not installed",
                "Install ferry-tap-dynamodb[parquet], or take jsonl",
            )
        return cls(
            root=_folder(storage.get("root") or ""),
            prefix=_prefix(storage.get("prefix") or ""),
            format=form,
            compression=compression,
            size=said.get("batch_size") or BATCH_SIZE,
            pending_bytes=pending_bytes,
        )

    @property
    def encoding(self) -> dict[str, str]:
        """The encoding as a BATCH message says it."""
        return {"format": self.format, "compression": self.compression}

    @property
    def suffix(self) -> str:
        """How the files' names end."""
        if self.format == "parquet":
            return ".parquet"
        return ".jsonl.gz" if self.compression == "gzip" else ".jsonl"

    @property
    def file_bytes(self) -> int:
        """At how many bytes a file ends, be its records few: several must be under way at once."""
        if not self.pending_bytes:
            return MOST_FILE_BYTES
        return min(MOST_FILE_BYTES, max(self.pending_bytes // 32, MIB // 4))


def _folder(root: str) -> Path:
    path = root[len(_SCHEME) :] if root.lower().startswith(_SCHEME) else root
    if not path.startswith("/") or "://" in path or "\0" in path:
        raise ConfigError(
            f"batch_config wants its files in {root!r}"
            if root
            else "batch_config does not say where its files are to be: its storage has no root",
            "Name a folder of this machine, for example "
            '"storage": {"root": "file:///var/tmp/batch"}',
        )
    return Path(path)


def _prefix(prefix: str) -> str:
    if prefix and not _PREFIX.match(prefix):
        raise ConfigError(
            f"batch_config wants file names that begin with {prefix!r}",
            "A prefix has letters, digits, -, _, = and, but for its first character, full stops",
        )
    return prefix


def _or(names: tuple[str, ...]) -> str:
    return " or ".join(names)
