"""What lies at a place: one export, several, a legacy one, or files without a manifest.

Nothing of the data is read but the first line, where nothing else says how lines are written. Folders
that hold named files are listed once each: so a file that is missing is told before any item is read,
and the sizes are known, for a call a thousand files. The folder that windows share is listed once for all
of them, and only what they name is taken.
"""

from __future__ import annotations

from dataclasses import replace
from hashlib import md5
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.exports import manifests
from dynamodb_core.exports.detecting import Seen, detect
from dynamodb_core.exports.documents import AS_WRITTEN, UNVERIFIED, base64_md5
from dynamodb_core.exports.keys import Surroundings, resolve, resolve_url
from dynamodb_core.exports.kinds import DataFile, Export
from dynamodb_core.exports.manifests import CHECKSUMS, FILES, LEGACY, SUMMARY
from dynamodb_core.exports.streaming import READ_BYTES, blocks_of_lines
from dynamodb_core.exports.surveying import survey

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from dynamodb_core.exports.manifests import Named
    from dynamodb_core.objects import ObjectStore

MOST_MANIFEST_BYTES = 256 << 20
"""A manifest is held in memory: some million files."""


def find(
    store: ObjectStore, *, verify: bool = True, unfinished: Callable[[str], None] | None = None
) -> list[Export]:
    """Return the exports at a place, in no order that means anything.

    Args:
        store: The folder of an export, its manifest-summary.json, or a folder that holds several.
        verify: Whether manifests have to fit their checksums, and counts each other.
        unfinished: Called with the address of an export that has begun and not ended; without it, such
            a one is an error.

    Raises:
        ConfigError: There is nothing.
        DataError: Something is there, and it is not whole.
    """
    if store.location.rpartition("/")[2] in (SUMMARY, FILES):
        store, _ = store.above() or (store, "")
    if any(found.key == SUMMARY for found in store.list(SUMMARY)):
        return [_alone(store, verify=verify)]
    seen = survey(store)
    for folder in seen.halves:
        raise DataError(
            f"{store.address(folder + FILES)} has no {SUMMARY} beside it", "Copy the whole export"
        )
    for folder in seen.begun:
        where = store.address(folder.rstrip("/"))
        if unfinished is None:
            raise DataError(
                f"The export {where} has begun and has no {SUMMARY}: it is under way, or has failed",
                "Wait until it is COMPLETED; remove what is left of one that has FAILED; or name the "
                "exports to read one by one",
            )
        unfinished(where)
    place = _Place(store, verify=verify)
    found = [place.export(folder) for folder in seen.summaries]
    found += [place.legacy(folder) for folder in seen.legacies]
    if seen.plain and not found:
        found.append(place.plain(seen.plain))
    if not found:
        raise ConfigError(
            f"There is no export at {store.location}",
            "Name the folder that holds manifest-summary.json, one that holds several such folders, "
            "or one of data files",
        )
    return found


def _alone(store: ObjectStore, *, verify: bool) -> Export:
    """Return the export whose folder a place is. A window's data lies beside it."""
    above = store.above()
    if above is None:
        return _Place(store, verify=verify).export("")
    wider, step = above
    place = _Place(wider, verify=verify, allowed=(f"{step}/", "data/"))
    return replace(place.export(f"{step}/"), location=store.location)


class _Place:
    """A place that exports lie in, and what of it was listed.

    Args:
        store: The place.
        verify: Whether checksums and counts have to fit.
        allowed: Below which folders files are read.
    """

    def __init__(
        self, store: ObjectStore, *, verify: bool, allowed: tuple[str, ...] = ("",)
    ) -> None:
        self._store = store
        self._verify = verify
        self._allowed = allowed
        self._listed: dict[str, dict[str, int]] = {}

    def export(self, home: str) -> Export:
        """Return the export whose manifests lie in a folder."""
        there = {key for key, _ in self._store.list(f"{home}manifest-")}
        where = self._store.address(home + SUMMARY)
        summary = manifests.summary(self._manifest(home + SUMMARY, there), where)
        around = self._around(home + SUMMARY, summary.prefix)
        files_key = home + FILES
        if files_key not in there:
            if summary.files_key is None:
                raise DataError(f"{where} has no {FILES} beside it", "Copy the whole export")
            files_key = resolve(summary.files_key, around, self._size).key
            there.update(key for key, _ in self._store.list(files_key.removesuffix(".json")))
        around = replace(around, where=self._store.address(files_key))
        text = self._manifest(files_key, there)
        files = self._resolved(manifests.files(text.splitlines(), around.where), around)
        counts = [file.items for file in files if file.items is not None]
        known = summary.items is not None and len(counts) == len(files)
        if self._verify and known and sum(counts) != summary.items:
            raise DataError(
                f"{around.where} names files of {sum(counts):,} items together, and {SUMMARY} beside "
                f"it says {summary.items:,}",
                UNVERIFIED,
            )
        return Export(
            kind=summary.kind,
            format=summary.format or self._seen(files).format,
            changes=summary.kind == "incremental",
            location=self._store.address(home.rstrip("/")),
            root=self._store.location,
            files=files,
            arn=summary.arn,
            table_arn=summary.table_arn,
            table_id=summary.table_id,
            table_name=summary.table_name,
            at=summary.at,
            since=summary.since,
            until=summary.until,
            view=summary.view,
            items=summary.items,
        )

    def legacy(self, home: str) -> Export:
        """Return the legacy export whose manifest lies in a folder."""
        around = self._around(home + LEGACY)
        named = manifests.legacy(self._read(home + LEGACY), around.where)
        look = self._size
        found = [resolve_url(each.key, around, look, mandatory=each.mandatory) for each in named]
        files = tuple(DataFile(file.key, None, None, file.size) for file in found if file)
        where = self._store.address(home.rstrip("/"))
        return Export(
            "legacy",
            "legacy",
            changes=False,
            location=where,
            root=self._store.location,
            files=files,
        )

    def plain(self, files: Iterable[DataFile]) -> Export:
        """Return files that no manifest tells of."""
        files = tuple(files)
        seen = self._seen(files)
        where = self._store.location
        return Export("files", seen.format, seen.changes, location=where, root=where, files=files)

    def _around(self, manifest: str, prefix: str = "") -> Surroundings:
        scheme, mark, rest = self._store.location.partition("://")
        bucket, _, base = rest.partition("/") if mark and scheme == "s3" else ("", "", "")
        return Surroundings(
            where=self._store.address(manifest),
            home=manifest[: manifest.rfind("/") + 1],
            bucket=bucket,
            base=f"{base}/" if base else "",
            allowed=self._allowed,
            prefix=prefix,
        )

    def _resolved(self, named: Iterable[Named], around: Surroundings) -> tuple[DataFile, ...]:
        files: dict[str, DataFile] = {}
        for each in named:
            file = resolve(each.key, around, self._size)
            if file.key in files:
                raise DataError(
                    f"{around.where} names {each.key}, a file that it names before", AS_WRITTEN
                )
            files[file.key] = DataFile(file.key, each.items, each.md5, file.size)
        return tuple(files.values())

    def _size(self, key: str) -> int | None:
        folder = key[: key.rfind("/") + 1]
        if folder not in self._listed:
            self._listed[folder] = dict(self._store.list(folder))
        return self._listed[folder].get(key)

    def _manifest(self, key: str, there: set[str]) -> bytes:
        """Return a manifest, held to the checksums beside it."""
        text = self._read(key)
        if self._verify:
            found = base64_md5(md5(text, usedforsecurity=False).digest())
            for name in (key.removesuffix(".json") + suffix for suffix in CHECKSUMS):
                where = self._store.address(name)
                if name in there and manifests.checksum(self._read(name), where) != found:
                    raise DataError(f"{self._store.address(key)} does not fit {where}", UNVERIFIED)
        return text

    def _read(self, key: str) -> bytes:
        text = bytearray()
        with self._store.open(key) as file:
            while data := file.read(READ_BYTES):
                text += data
                if len(text) > MOST_MANIFEST_BYTES:
                    raise DataError(
                        f"{self._store.address(key)} is larger than a manifest may be", AS_WRITTEN
                    )
        return bytes(text)

    def _seen(self, files: Iterable[DataFile]) -> Seen:
        """Return how the first line is written that there is."""
        for file in files:
            for lines in blocks_of_lines(self._store, file, verify=False) if file.size else ():
                for line in filter(bytes.strip, lines):
                    return detect(line, f"The first line of {self._store.address(file.key)}")
        return Seen("dynamodb_json", changes=False)
