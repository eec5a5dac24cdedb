"""Where the files of a load lie that DynamoDB does by itself: the settings; pure."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

SERVER_SIDE = ("import", "bulk", "files")
"""Words of `write_mode`: DynamoDB loads the items by itself, out of files."""

PART_BYTES = 64 << 20
LEAST_PART_BYTES = 1 << 20
MOST_PART_BYTES = 4 << 30
"""An object may have 5 GB; a part ends when it has more than it was to have."""

STAGING_PROPERTIES: dict[str, Any] = {
    "staging": {
        "type": ["string", "null"],
        "title": "Staging place",
        "description": (
            "With write_mode import, bulk or files: where the files go that DynamoDB loads, as "
            "s3://bucket/prefix, in the region of the table. With files it may be a folder."
        ),
    },
    "staging_folder": {
        "type": ["string", "null"],
        "title": "Staging folder",
        "description": (
            "Folder of this machine in which the records wait until the last of them has come, with "
            "room for the table, compressed. Left out, the system's folder for temporary files, which "
            "may be small, or in memory."
        ),
    },
    "staging_part_bytes": {
        "type": ["integer", "null"],
        "minimum": LEAST_PART_BYTES,
        "maximum": MOST_PART_BYTES,
        "default": PART_BYTES,
        "title": "Size of a file",
        "description": (
            "Bytes after which a file ends. DynamoDB loads files side by side, and takes 50,000 of "
            "them at once."
        ),
    },
    "staging_compression": {
        "type": ["string", "null"],
        "enum": ["gzip", "zstd", "none", None],
        "default": "gzip",
        "title": "Compression of the files",
        "description": "How the files are compressed. zstd wants the extra ferry-target-dynamodb[zstd].",
    },
    "staging_remove": {
        "type": ["boolean", "null"],
        "default": False,
        "title": "Remove the files",
        "description": (
            "Remove the files of an import or a bulk put from S3 when DynamoDB has loaded all of them. "
            "Off by default: they cost money until somebody removes them."
        ),
    },
    "bulk_tier": {
        "type": ["string", "null"],
        "enum": ["standard", "accelerated", None],
        "title": "Performance tier of bulk puts",
        "description": "Performance tier of a bulk put. Left out, DynamoDB decides: standard.",
    },
}
"""JSON Schema of the settings of this module."""


@dataclass(frozen=True)
class StagingSettings:
    """Where the files lie, and what they are like.

    Attributes:
        location: `s3://bucket/prefix`, or a folder; empty where nothing is said.
        folder: Where records wait.
        part_bytes: Bytes after which a file ends.
        compression: `gzip`, `zstd` or `none`.
        remove: Whether the files are removed when they are loaded.
        tier: `STANDARD` or `ACCELERATED`; None leaves it to DynamoDB.
    """

    location: str = ""
    folder: Path | None = None
    part_bytes: int = PART_BYTES
    compression: str = "gzip"
    remove: bool = False
    tier: str | None = None

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> StagingSettings:
        """Read a configuration that fits `STAGING_PROPERTIES`.

        Args:
            config: The configuration; null and an empty string count as left out.
        """
        folder, tier = config.get("staging_folder"), config.get("bulk_tier")
        return cls(
            location=str(config.get("staging") or ""),
            folder=Path(folder).expanduser() if folder else None,
            part_bytes=config.get("staging_part_bytes") or PART_BYTES,
            compression=config.get("staging_compression") or "gzip",
            remove=bool(config.get("staging_remove")),
            tier=tier.upper() if tier else None,
        )

    @property
    def root(self) -> Path:
        """Below which folder records wait."""
        return self.folder or Path(tempfile.gettempdir())

    def check(self, stream: str, mode: str) -> None:
        """Check that a stream's write mode has a place for its files.

        Args:
            stream: The stream's name.
            mode: Its mode, one of `SERVER_SIDE`.

        Raises:
            ConfigError: There is none, or none of which DynamoDB could read.
        """
        if not self.location:
            raise ConfigError(
                f"Stream {stream} has write_mode {mode}, and nothing says where its files are to go",
                "Set staging to s3://bucket/prefix",
            )
        if mode != "files" and not self.location.startswith("s3://"):
            raise ConfigError(
                f"Stream {stream} has write_mode {mode}, and DynamoDB cannot read {self.location}",
                "Set staging to s3://bucket/prefix, or take write_mode files",
            )
