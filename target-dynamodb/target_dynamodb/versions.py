"""The versions of a stream's records, as attributes of their items; pure.

A tap that sends a table anew gives its records a version, and says ACTIVATE_VERSION when it has sent
them all: what is of an older version then is no longer in the source.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from dynamodb_core.errors import ConfigError
from dynamodb_core.expressions import Filter

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_dynamodb.encode import Write

VERSION = "_sdc_table_version"
"""The attribute that holds an item's version."""

_NAME = orjson.dumps(VERSION)


class Versions:
    """Marks the items of one stream with their version, and notes which there were.

    Args:
        stream: The stream's name.
    """

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._seen: set[int] = set()
        self._unmarked = 0

    def mark(self, write: Write, message: Mapping[str, Any]) -> Write:
        """Return a write whose item has its version.

        Args:
            write: The write of a record.
            message: The message that the record came with.
        """
        identity, body, deleted = write
        if deleted:
            return write
        version = message.get("version")
        if not isinstance(version, int) or isinstance(version, bool):
            self._unmarked += 1
            return write
        self._seen.add(version)
        if _NAME in body:
            item = orjson.loads(body)
            item[VERSION] = {"N": str(version)}
            return identity, orjson.dumps(item), deleted
        return identity, b'%s,%s:{"N":"%d"}}' % (body[:-1], _NAME, version), deleted

    def older_than(self, version: Any) -> Filter | None:
        """Return which items are to be deleted when a version is complete.

        Args:
            version: The version, as its ACTIVATE_VERSION message says.

        Returns:
            A filter; None where no record of this version has come, and so nothing can be told.

        Raises:
            ConfigError: Records came without a version: their items look as if they were old.
        """
        if self._unmarked:
            raise ConfigError(
                f"ACTIVATE_VERSION of stream {self._stream}: {self._unmarked:,} of its records had no "
                "version, so that hard_delete cannot tell which items are old; none is deleted",
                "Let the tap send a version with each record, or take hard_delete away",
            )
        if version not in self._seen:
            return None
        return Filter(
            "attribute_exists(#version) AND #version < :version",
            {"#version": VERSION},
            {":version": {"N": str(version)}},
        )
