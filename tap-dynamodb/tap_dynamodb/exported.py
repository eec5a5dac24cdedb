"""Tables as their exports tell of them: which there are, what their key is, a sample of their items."""

from __future__ import annotations

import logging
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import PurePath
from typing import TYPE_CHECKING

import msgspec

from dynamodb_core import objects, tables
from dynamodb_core.codec import TYPES
from dynamodb_core.errors import ConfigError, DataError, Error
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.finding import find as find_exports
from dynamodb_core.exports.made import located
from dynamodb_core.exports.reader import first_items
from dynamodb_core.table import Key, Table
from tap_dynamodb.sources import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from dynamodb_core.exports.chain import Stage
    from dynamodb_core.exports.kinds import Export
    from dynamodb_core.wire import Wire
    from tap_dynamodb.exporting import Exporting
    from tap_dynamodb.settings import Settings

KEY_TYPES = ("S", "N", "B")

log = logging.getLogger("tap-dynamodb")


def find(wire: Callable[[], Wire], settings: Settings) -> list[Source]:
    """Return the tables that the exports at `export.location` tell of, in the order of their names.

    Args:
        wire: Returns what carries calls, to ask for a table that is still there.
        settings: Those of the whole run, or of one table; `tables` and `exclude_tables` choose.

    Raises:
        ConfigError: There is no export there, or a table's key is not known.
        DataError: A manifest cannot be read, or exports do not fit each other.
    """
    exporting = settings.exporting
    assert exporting
    found: dict[str, list[Export]] = {}
    for location in exporting.location:
        if location.startswith("arn:"):
            location = located(wire(), location)  # noqa: PLW2901
        for export in find_exports(objects.at(location, settings.aws), verify=exporting.verify):
            log.info("Found %s: %s files, %s", export, f"{len(export.files):,}", export.format)
            found.setdefault(_name(export, exporting, settings), []).append(export)
    chosen = {name: some for name, some in found.items() if _is_chosen(name, settings)}
    if not chosen:
        there = f"; there are those of {', '.join(sorted(found))}" if found else ""
        raise ConfigError(
            f"There is no export of {', '.join(settings.tables) or 'any table'} at "
            f"{', '.join(exporting.location)}{there}",
            "Check export.location and tables",
        )
    return [_source(name, some, wire, settings) for name, some in sorted(chosen.items())]


def one(wire: Callable[[], Wire], settings: Settings, name: str) -> Source:
    """Return one table as its exports tell of it.

    Args:
        wire: As for `find`.
        settings: The table's own.
        name: Its name.

    Raises:
        ConfigError: There is no export of it.
    """
    chosen = replace(settings, tables=(name,), exclude_tables=())
    return find(wire, chosen)[0]


def sample(source: Source, settings: Settings) -> list[msgspec.Raw]:
    """Return the first items of some files of a table's newest exports.

    Args:
        source: The table.
        settings: The table's own; `sample_size` bounds them.
    """
    return _first(source.stages, settings.sample_size, settings)


def _source(
    name: str, exports: Sequence[Export], wire: Callable[[], Wire], settings: Settings
) -> Source:
    its = settings.for_table(name, next((e.table_arn for e in exports if e.table_arn), None) or "")
    chain = tuple(
        stages(exports, skipped=lambda export, why: log.warning("%s is left out: %s", export, why))
    )
    if its.exporting and its.exporting.file_range and any(stage.export.changes for stage in chain):
        raise ConfigError(
            f"export.file_range is set, and the exports of table {name} have windows of changes, which "
            "are applied one after the other",
            "Let one machine read them, or read the full export alone by file_range",
        )
    for stage in chain:
        if stage.export.changes and stage.export.kind == "files" and len(stage.export.files) > 1:
            log.warning(
                "%s are changes without a manifest, whose order nobody knows: where several of them change "
                "one item, the last one may not win downstream (its _sdc_sequence is the highest)",
                stage.export,
            )
    return Source(name, _table(name, chain, wire, its), chain)


def _table(name: str, chain: Sequence[Stage], wire: Callable[[], Wire], its: Settings) -> Table:
    """Return what is known of a table; of one that is still there, what DescribeTable says."""
    exporting = its.exporting
    assert exporting
    exports = [stage.export for stage in chain]
    told = Table(
        name,
        next((each.table_arn for each in exports if each.table_arn), None) or "",
        next((each.table_id for each in exports if each.table_id), None) or "",
        Key((), ()),
        item_count=sum(each.items or 0 for each in exports if not each.changes),
        size_bytes=sum(each.size for each in exports),
    )
    if exporting.key_properties:
        return replace(told, key=_key(name, exporting.key_properties, chain, its))
    try:
        live = tables.describe(wire(), exporting.table_name or told.arn or name)
    except Error as error:
        raise ConfigError(
            f"The key of table {name} is not known: an export does not name it, and the table cannot be "
            f"described ({error.message})",
            'Name it: export.key_properties, for example ["pk", "sk"]',
        ) from error
    if told.id and live.id and told.id != live.id:
        log.warning(
            "Table %s was made anew since its export; its key is taken to be the same", name
        )
    return replace(live, id=told.id or live.id, item_count=told.item_count)


def _key(name: str, names: Sequence[str], chain: Sequence[Stage], its: Settings) -> Key:
    """Return a key whose types are those of the first item."""
    for raw in _first(chain, 1, its):
        item = msgspec.json.decode(raw)
        missing = [each for each in names if each not in item]
        if missing:
            raise ConfigError(
                f"The first item of the export of table {name} has no attribute {missing[0]}, which "
                "export.key_properties names",
                f"Its attributes: {', '.join(sorted(item))}",
            )
        kinds = [next(kind for kind in TYPES if kind in item[each]) for each in names]
        for each, kind in zip(names, kinds, strict=True):
            if kind not in KEY_TYPES:
                raise ConfigError(
                    f"Attribute {each} of table {name}, which export.key_properties names, is of type "
                    f"{kind}, and keys are S, N or B",
                    "Name the table's own key",
                )
        return Key(tuple(names), tuple(kinds))
    return Key(tuple(names), ("S",) * len(names))  # nothing is in there


def _first(chain: Sequence[Stage], count: int, its: Settings) -> list[msgspec.Raw]:
    found: list[msgspec.Raw] = []
    for stage in chain:
        if len(found) < count:
            export = stage.export
            found += first_items(
                objects.at(export.root, its.aws),
                export.files,
                count - len(found),
                format=export.format,
                changes=export.changes,
            )
    return found


def _name(export: Export, exporting: Exporting, settings: Settings) -> str:
    """Return the name of an export's table: as configured, as it says, or that of its folder."""
    if exporting.table_name:
        return exporting.table_name
    if export.table_name:
        return export.table_name
    if len(settings.tables) == 1 and not any(mark in settings.tables[0] for mark in "*?["):
        return settings.tables[0]
    name = PurePath(export.location.rstrip("/")).name
    if not name:
        raise DataError(f"{export} names no table", "Set export.table_name")
    return name


def _is_chosen(name: str, settings: Settings) -> bool:
    chosen = not settings.tables or any(fnmatchcase(name, each) for each in settings.tables)
    return chosen and not any(fnmatchcase(name, each) for each in settings.exclude_tables)


def lines_of(chain: Iterable[Stage]) -> int | None:
    """Return how many lines the files of some stages have; None where one does not say."""
    counts = [stage.export.items for stage in chain]
    return None if None in counts else sum(count or 0 for count in counts)
