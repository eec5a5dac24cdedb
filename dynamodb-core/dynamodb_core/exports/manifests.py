"""The texts that say what an export is: manifests and their checksums, to dataclasses. Pure.

What other tools write differs from what AWS writes: members may be missing, checksums be in hex. All of
that is taken; what is there and makes no sense is an error that names the file.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from dynamodb_core.errors import DataError
from dynamodb_core.exports.documents import UNVERIFIED, Document, md5_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import datetime

    from dynamodb_core.exports.kinds import Format, Kind, View

SUMMARY = "manifest-summary.json"
FILES = "manifest-files.json"
LEGACY = "manifest"
STARTED = "_started"

CHECKSUMS = (".md5", ".checksum")
"""What a checksum's name has in the place of `.json`: as AWS writes it, and as it documents it."""

_FORMATS: dict[str, Format] = {"DYNAMODB_JSON": "dynamodb_json", "ION": "ion"}
_KINDS: dict[str, Kind] = {"FULL_EXPORT": "full", "INCREMENTAL_EXPORT": "incremental"}
_VIEWS = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
_LEGACY_VERSION = 3


@dataclass(frozen=True)
class Summary:
    """What `manifest-summary.json` says.

    Attributes:
        prefix: The prefix that the export was written to, without slashes at its ends.
        files_key: The key of `manifest-files.json`, as it is written.

    The others are those of `kinds.Export`; what is not said is None.
    """

    kind: Kind
    format: Format | None
    prefix: str
    files_key: str | None
    items: int | None
    arn: str | None
    table_arn: str | None
    table_id: str | None
    table_name: str | None
    at: datetime | None
    since: datetime | None
    until: datetime | None
    view: View | None


class Named(NamedTuple):
    """A data file as a manifest names it.

    Attributes:
        key: Its key or URL, as it is written.
        items: How many lines it holds, None where that is not said.
        md5: MD5 of its bytes in base64, None where that is not said.
        mandatory: Whether it has to be there.
    """

    key: str
    items: int | None = None
    md5: str | None = None
    mandatory: bool = True


def summary(text: bytes, where: str) -> Summary:
    """Return what a `manifest-summary.json` says.

    Args:
        text: The file.
        where: Its address, for errors.

    Raises:
        DataError: It is none.
    """
    told = Document(text, where)
    said = told.text("exportType")
    since, until = told.time("exportFromTime"), told.time("exportToTime")
    if said is not None and said not in _KINDS:
        told.fail(f"has exportType {said!r}")
    kind = _KINDS[said] if said else "incremental" if since or until else "full"
    if kind == "incremental" and since and until and since >= until:
        told.fail("has a window that ends before it begins")
    form, view = told.text("outputFormat"), told.text("outputView")
    if form is not None and form not in _FORMATS:
        told.fail(f"has outputFormat {form!r}; {' and '.join(_FORMATS)} can be read")
    if view is not None and view not in _VIEWS:
        told.fail(f"has outputView {view!r}")
    arn = told.text("exportArn")
    table_arn = told.text("tableArn") or (arn.rpartition("/export/")[0] if arn else "") or None
    return Summary(
        kind=kind,
        format=_FORMATS[form] if form else None,
        prefix=(told.text("s3Prefix") or "").strip("/"),
        files_key=told.text("manifestFilesS3Key"),
        items=told.count("itemCount"),
        arn=arn,
        table_arn=table_arn,
        table_id=told.text("tableId"),
        table_name=table_arn.rpartition("/")[2] if table_arn else None,
        at=told.time("exportTime") if kind == "full" else None,
        since=since if kind == "incremental" else None,
        until=until if kind == "incremental" else None,
        view=cast("View | None", view) if kind == "incremental" else None,
    )


def files(lines: Iterable[bytes], where: str) -> Iterator[Named]:
    """Yield the files that a `manifest-files.json` names.

    Args:
        lines: Its lines.
        where: Its address, for errors.

    Raises:
        DataError: A line is none of it, or names a file again.
    """
    seen: set[str] = set()
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        told = Document(line, f"line {number} of {where}")
        key = told.text("dataFileS3Key")
        if not key:
            told.fail("names no file: dataFileS3Key is missing")
        if key in seen:
            told.fail(f"names {key} again")
        seen.add(key)
        md5 = told.text("md5Checksum")
        known = None if md5 is None else md5_of(md5)
        if md5 is not None and known is None:
            told.fail(f"has {md5[:40]!r} for the MD5 of {key}")
        yield Named(key, told.count("itemCount"), known)


def checksum(text: bytes, where: str) -> str:
    """Return the MD5, in base64, that a checksum file holds.

    Args:
        text: The file: 24 characters of base64, or 32 of hex.
        where: Its address, for errors.

    Raises:
        DataError: It is neither.
    """
    found = md5_of(text.decode("ascii", "replace"))
    if found is None:
        raise DataError(f"{where} holds no MD5", UNVERIFIED)
    return found


def legacy(text: bytes, where: str) -> tuple[Named, ...]:
    """Return the files that the `manifest` of a legacy export names, by URL.

    Args:
        text: The file.
        where: Its address, for errors.

    Raises:
        DataError: It is none.
    """
    told = Document(text, where)
    if told.members.get("version") != _LEGACY_VERSION:
        told.fail(
            f"is of version {told.members.get('version')!r}, and {_LEGACY_VERSION} can be read"
        )
    entries = told.members.get("entries")
    if not isinstance(entries, list):
        told.fail("has no entries")
    found: dict[str, Named] = {}
    for entry in entries:
        url = entry.get("url") if isinstance(entry, dict) else None
        mandatory = entry.get("mandatory", True) if isinstance(entry, dict) else None
        if not url or not isinstance(url, str) or not isinstance(mandatory, bool):
            told.fail(f"has an entry that names no file: {str(entry)[:80]}")
        if url in found:
            told.fail(f"names {url} again")
        found[url] = Named(url, mandatory=mandatory)
    return tuple(found.values())
