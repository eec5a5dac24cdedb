"""What A and B stand for: tables, or exports, and what their key is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import msgspec

from dynamodb_core import objects
from dynamodb_core.codec import TYPES
from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.finding import find
from dynamodb_core.exports.made import located
from dynamodb_core.exports.reader import first_items
from dynamodb_core.table import Key
from dynamodb_tools.export_side import ExportSide
from dynamodb_tools.pairs import is_export
from dynamodb_tools.sides import TableSide

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.settings import AwsSettings
    from dynamodb_tools.pairs import Pair
    from dynamodb_tools.sides import How, Readable

KEY_TYPES = ("S", "N", "B")

log = logging.getLogger("dynamodb-tools")


def opened(
    pair: Pair, aws: Sequence[AwsSettings], how: How, key_properties: Sequence[str]
) -> tuple[Readable, Readable]:
    """Return both sides: tables described, exports found.

    Args:
        pair: What they are named.
        aws: Who reads each.
        how: How they are read.
        key_properties: The key, where no side is a table.

    Raises:
        ConfigError: There is no such table or export, or the key is not known.
        DataError: A manifest cannot be read.
    """
    made: list[Readable | None] = [
        None if is_export(name) else TableSide.open(name, its, how)
        for name, its in zip(pair, aws, strict=True)
    ]
    tables = [side for side in made if side is not None]
    name = tables[0].table.name if tables else None
    found = [
        () if side else _stages(reference, its, name)
        for reference, its, side in zip(pair, aws, made, strict=True)
    ]
    key = tables[0].key if tables else _key(key_properties, list(zip(found, aws, strict=True)))
    a, b = (
        side or ExportSide(reference, chain, key, its, how)
        for side, reference, chain, its in zip(made, pair, found, aws, strict=True)
    )
    return a, b


def _stages(reference: str, aws: AwsSettings, table: str | None) -> Sequence[Stage]:
    """Return what is to be read of an export; of several tables' that of the one of this name."""
    from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

    location = located(BotoWire(aws), reference) if reference.startswith("arn:") else reference
    exports = find(objects.at(location, aws))
    names = {export.table_name for export in exports}
    if len(names) > 1:
        exports = [export for export in exports if export.table_name == table]
    if not exports:
        of = f"; there are those of {', '.join(sorted(map(str, names)))}" if names else ""
        raise ConfigError(
            f"There is no export of {table or 'one table alone'} at {reference}{of}",
            "Name the place of one table's export",
        )
    for export in exports:
        log.info("Found %s: %s files, %s", export, f"{len(export.files):,}", export.format)
    return stages(exports, skipped=lambda it, why: log.warning("%s is left out: %s", it, why))


def _key(names: Sequence[str], found: Sequence[tuple[Sequence[Stage], AwsSettings]]) -> Key:
    """Return a key of these names, whose types are those of the first item that there is."""
    if not names:
        raise ConfigError(
            "The key of the items is not known: an export does not name it, and neither A nor B is a table",
            "Name it: --key-properties pk,sk",
        )
    for chain, aws in found:
        export = chain[0].export
        for raw in first_items(
            objects.at(export.root, aws),
            export.files,
            1,
            format=export.format,
            changes=export.changes,
        ):
            item = msgspec.json.decode(raw)
            kinds = [next((k for k in TYPES if k in item.get(name, ())), "none") for name in names]
            for name, kind in zip(names, kinds, strict=True):
                if kind not in KEY_TYPES:
                    raise ConfigError(
                        f"The first item of {export} has no attribute {name} that can be a key, which "
                        f"key_properties names",
                        f"Its attributes: {', '.join(sorted(item))}",
                    )
            return Key(tuple(names), tuple(kinds))
    return Key(tuple(names), ("S",) * len(names))  # nothing is in there
