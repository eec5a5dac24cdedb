"""How the target writes: what the settings say of items that are there already; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError
from target_dynamodb.staging import SERVER_SIDE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

MODES = ("put", "insert", "merge", *SERVER_SIDE)

WRITE_MODE: dict[str, Any] = {
    "type": ["string", "null"],
    "enum": [*MODES, None],
    "default": "put",
    "title": "Write mode",
    "description": (
        "What becomes of an item that is there already: put replaces it, in requests of 25 items; "
        "insert leaves it as it is; merge sets the attributes of the record and leaves the others "
        "alone. insert and merge want a request for each record. import, bulk and files let DynamoDB "
        "load the items by itself, out of files in S3 (staging): import makes the table, bulk puts "
        "into one that exists, files leaves the load to somebody else."
    ),
}
"""A setting of the target that a stream can have otherwise."""

_MARKING = ("put", "merge")
"""Those in which each item of a version carries it when the version is complete."""

LOAD_METHODS = ("append-only", "upsert", "overwrite")

WRITE_PROPERTIES: dict[str, dict[str, Any]] = {
    "load_method": {
        "type": ["string", "null"],
        "enum": [*LOAD_METHODS, None],
        "default": "append-only",
        "title": "Load method",
        "description": (
            "append-only and upsert keep the items of the table, and write each record as write_mode "
            "says. overwrite deletes all items of a table before the first record of a run is written "
            "to it, and needs allow_overwrite. A load that goes on from a state must not overwrite: it "
            "would delete what the run before it has written."
        ),
    },
    "allow_overwrite": {
        "type": ["boolean", "null"],
        "default": False,
        "title": "Allow overwriting",
        "description": "Allow load_method overwrite, which deletes all items of every table it loads.",
    },
    "hard_delete": {
        "type": ["boolean", "null"],
        "default": False,
        "title": "Delete what the source has no more",
        "description": (
            "At an ACTIVATE_VERSION message delete the items that earlier versions of the stream have "
            "left and the new one did not write. Each item carries its version in an attribute, "
            "_sdc_table_version; items without it stay. The table is read for it, strongly consistent."
        ),
    },
}
"""The settings of this module, as JSON Schema."""


@dataclass(frozen=True)
class Writes:
    """What becomes of items that are there already. Each attribute is the setting of its name.

    Attributes:
        load_method: `append-only`, `upsert` or `overwrite`.
        allow_overwrite: Whether a table may be emptied.
        hard_delete: Whether what a new version lacks is deleted.

    Raises:
        ConfigError: Tables are to be emptied, and may not be.
    """

    load_method: str = "append-only"
    allow_overwrite: bool = False
    hard_delete: bool = False

    def __post_init__(self) -> None:
        """Refuse to empty tables unless that is allowed twice."""
        if self.overwrite and not self.allow_overwrite:
            raise ConfigError(
                "load_method overwrite deletes every item of the tables that are loaded, and "
                "allow_overwrite is not set",
                "Set allow_overwrite to true, or load_method to upsert",
            )

    @property
    def overwrite(self) -> bool:
        """Whether a table is emptied before it is loaded."""
        return self.load_method == "overwrite"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Writes:
        """Read a configuration that fits `WRITE_PROPERTIES`.

        Args:
            config: The configuration; null counts as left out.

        Raises:
            ConfigError: Tables are to be emptied, and may not be.
        """
        return cls(
            load_method=config.get("load_method") or "append-only",
            allow_overwrite=bool(config.get("allow_overwrite")),
            hard_delete=bool(config.get("hard_delete")),
        )

    def check_mode(self, stream: str, mode: str) -> None:
        """Check a stream's write mode.

        Args:
            stream: The stream's name.
            mode: Its mode.

        Raises:
            ConfigError: Items of its records would keep an older version, and be deleted.
        """
        if self.hard_delete and mode not in _MARKING:
            raise ConfigError(
                f"Stream {stream} has write_mode {mode}, and hard_delete is set: items that are not "
                "written before the version is complete would keep an older one, and be deleted with it",
                "Take one of both away",
            )

    def check_together(
        self, stream: str, mode: str, others: Collection[str], their_mode: str, table: str
    ) -> None:
        """Check that a stream may be written to a table that other streams are written to.

        Args:
            stream: The stream's name.
            mode: Its write mode.
            others: The names of the streams of the table, this one perhaps among them.
            their_mode: Their write mode.
            table: The table's name.

        Raises:
            ConfigError: They are written in different ways, or one would delete the items of another.
        """
        rest = ", ".join(sorted(set(others) - {stream}))
        if mode != their_mode:
            raise ConfigError(
                f"Stream {stream} has write_mode {mode}, and stream {rest}, which is written to table "
                f"{table} too, has {their_mode}",
                "Give all streams of a table one write_mode",
            )
        if self.hard_delete and rest:
            raise ConfigError(
                f"Stream {stream} and stream {rest} are written to table {table}, and hard_delete is "
                "set: the items of one would be deleted as old ones of the other",
                "Give each its own table in table_names, or take hard_delete away",
            )
