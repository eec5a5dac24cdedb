"""The settings of records that cannot be written."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError
from target_dynamodb.letter_file import LetterFile
from target_dynamodb.letterbox import LetterObjects

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.settings import AwsSettings
    from target_dynamodb.letterbox import Letterbox

MOST_ERRORS = 10_000

REJECT_PROPERTIES: dict[str, Any] = {
    "on_error": {
        "type": ["string", "null"],
        "enum": ["stop", "dead_letter", None],
        "default": "stop",
        "title": "On an error of a record",
        "description": (
            "What becomes of a record that cannot be written: stop ends the run at the first one; "
            "dead_letter notes it in the dead-letter file with the reason, and goes on."
        ),
    },
    "dead_letter": {
        "type": ["string", "null"],
        "title": "Dead-letter file",
        "description": (
            "With on_error dead_letter: the file that takes those records, or s3://bucket/prefix. A "
            "file that is there is added to. It is a Singer stream, so that target-dynamodb < file "
            "loads it again. It holds the records' data; its mode is 0600."
        ),
    },
    "max_errors": {
        "type": ["integer", "null"],
        "minimum": 1,
        "default": MOST_ERRORS,
        "title": "Most errors",
        "description": (
            "With on_error dead_letter: a run in which more records than these cannot be written "
            "ends with exit code 1, as something is wrong with all of them."
        ),
    },
}
"""JSON Schema of the settings of this module."""


@dataclass(frozen=True)
class Rejecting:
    """What becomes of records that cannot be written.

    Attributes:
        dead_letter: The file that takes them, or a prefix in S3; empty where the first one ends the run.
        max_errors: How many there may be.
    """

    dead_letter: str = ""
    max_errors: int = MOST_ERRORS

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Rejecting:
        """Read a configuration that fits `REJECT_PROPERTIES`.

        Args:
            config: The configuration; null and an empty string count as left out.

        Raises:
            ConfigError: There is to be a dead-letter file, and nothing says where.
        """
        most = config.get("max_errors") or MOST_ERRORS
        if config.get("on_error") != "dead_letter":
            return cls(max_errors=most)
        if not config.get("dead_letter"):
            raise ConfigError(
                "on_error is dead_letter, and dead_letter does not say where",
                "Set dead_letter to a file or to s3://bucket/prefix, or on_error to stop",
            )
        return cls(str(config["dead_letter"]), most)

    def letterbox(self, aws: AwsSettings) -> Letterbox:
        """Return where they go.

        Args:
            aws: Where S3 is and who asks.
        """
        if "://" not in self.dead_letter:
            return LetterFile(Path(self.dead_letter).expanduser())
        from dynamodb_core import objects  # noqa: PLC0415 - seldom wanted

        return LetterObjects(lambda: objects.at(self.dead_letter, aws))
