"""What a SCHEMA message says of the DynamoDB table that its stream came from; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import DataError
from dynamodb_core.provenance import TABLE
from dynamodb_core.table import Key

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.table import Table

AS_WRITTEN = "as_written"
"""In the table's annotation: the records are items that need nothing any more; `letters.py` writes them."""

FORMATS = ("plain", "packed", "dynamodb_json")


def check_schema(stream: str, schema: Any, keys: Any) -> None:
    """Check the form of a SCHEMA message.

    Args:
        stream: Its stream's name.
        schema: Its JSON Schema.
        keys: Its key properties.

    Raises:
        DataError: There are no properties, or the keys are no list of names.
    """
    if not isinstance(schema, dict) or not isinstance(schema.get("properties"), dict):
        raise DataError(f"The SCHEMA of stream {stream} has no properties", "Look at the tap")
    if not isinstance(keys, list) or not all(isinstance(name, str) for name in keys):
        raise DataError(f"The key properties of stream {stream} are no list of names")


@dataclass(frozen=True)
class Source:
    """The table that a stream came from, as the tap annotated it.

    Attributes:
        name: The table's name.
        arn: Its ARN; empty when the tap did not know.
        id: Its TableId; empty when the tap did not know.
        region: Its region.
        key: Its primary key, None when not told.
        item_format: `plain`, `packed` or `dynamodb_json`.
        item_field: The property that holds the item, in the latter two.
        reserved: The property that says what JSON and the annotations do not; empty without one.
        left_behind: What the table has, in words, that neither items nor settings carry.
        definition: Its settings, of which another table can be made.
        as_written: Whether the items are to be written as they are, as once they were to be: no stream
            map, no option of a stream applies.
    """

    name: str
    arn: str = ""
    id: str = ""
    region: str = ""
    key: Key | None = None
    item_format: str = "plain"
    item_field: str = "item"
    reserved: str = "_dynamodb"
    left_behind: tuple[str, ...] = ()
    definition: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)
    as_written: bool = False

    @classmethod
    def from_schema(cls, stream: str, schema: Mapping[str, Any]) -> Source | None:
        """Read the annotation of a stream's JSON Schema.

        Args:
            stream: The stream's name, for messages.
            schema: The JSON Schema of its SCHEMA message.

        Returns:
            The source, or None for a stream of another tap.

        Raises:
            DataError: The annotation is of a form that this version does not know.
        """
        said = schema.get(TABLE)
        if said is None:
            return None
        try:
            parts = [(str(part["name"]), str(part["type"])) for part in said.get("key") or ()]
            source = cls(
                name=str(said["name"]),
                arn=str(said.get("arn") or ""),
                id=str(said.get("id") or ""),
                region=str(said.get("region") or ""),
                key=Key(*map(tuple, zip(*parts, strict=True))) if parts else None,
                item_format=str(said.get("item_format") or "plain"),
                item_field=str(said.get("item_field") or "item"),
                reserved=str(said.get("reserved", "_dynamodb") or ""),
                left_behind=tuple(map(str, said.get("left_behind") or ())),
                definition=dict(said.get("definition") or {}),
                as_written=said.get(AS_WRITTEN) is True,
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"Stream {stream}: {TABLE} of its SCHEMA cannot be read ({error!r})",
                "Use a tap-dynamodb and a target-dynamodb of one version",
            ) from error
        if source.item_format not in FORMATS:
            raise DataError(
                f"Stream {stream}: item_format {source.item_format} is not known",
                "Use a tap-dynamodb and a target-dynamodb of one version",
            )
        return source

    @staticmethod
    def says_as_written(schema: Mapping[str, Any]) -> bool:
        """Return whether a stream's JSON Schema says `as_written`.

        Args:
            schema: The JSON Schema of its SCHEMA message.
        """
        said = schema.get(TABLE)
        return isinstance(said, dict) and said.get(AS_WRITTEN) is True

    def is_same_as(self, table: Table) -> bool:
        """Return whether a table is the source itself, or its replica in another region.

        Args:
            table: The table that is to be written.
        """
        if (self.id and self.id == table.id) or (self.arn and self.arn == table.arn):
            return True
        replicas = {r.get("RegionName") for r in table.description.get("Replicas") or ()}
        account = (self.arn.split(":") + [""] * 5)[4]
        return (
            self.name == table.name and account == table.account and bool({self.region} & replicas)
        )
