"""Exports as DynamoDB, Data Pipeline and EMR write them, into a folder that stands for a bucket.

It knows nothing of the code that reads them. What it writes is held against AWS's documentation, as
formats.md has it, by `test_exports.py`.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
import sys
from dataclasses import dataclass
from datetime import datetime, timezone
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

Item = dict[str, dict[str, Any]]
Format = Literal["DYNAMODB_JSON", "ION"]
Compression = Literal["gzip", "members", "zstd", "none"]
Keys = Literal["absolute", "without_prefix", "relative"]
Legacy = Literal["json", "data_pipeline", "hive"]
IonChange = Literal["struct", "number", "int", "typed", "wrapped", "quoted"]

BUCKET = "amzn-s3-demo-bucket"
ACCOUNT = "arn:aws:dynamodb:us-east-1:123456789012:table/"
TABLE_ID = "12345a12-abcd-123a-ab12-1234abc12345"
AT = datetime(2020, 11, 4, 7, 28, 34, 28000, timezone.utc)
SUFFIXES = {"gzip": ".gz", "members": ".gz", "zstd": ".zst", "none": ""}

_BARE = re.compile(r"[A-Za-z_][A-Za-z0-9_$]*|\$[A-Za-z_][A-Za-z0-9_$]*").fullmatch
_KEYWORDS = {"null", "true", "false", "nan"}
_LEGACY_TAGS = {
    "S": "s", "N": "n", "B": "b", "SS": "sS", "NS": "nS", "BS": "bS", "M": "m", "L": "l",
    "BOOL": "bOOL", "NULL": "nULL",
}  # fmt: skip


class Change(NamedTuple):
    """A line of an incremental export.

    Attributes:
        keys: The item's key.
        new: The item after the write; None: it was deleted.
        old: The item before it; None: there was none.
        micros: When it was written.
    """

    keys: Item
    new: Item | None
    old: Item | None = None
    micros: int = 1_680_109_764_000_000


@dataclass(frozen=True)
class Written:
    """An export that was written.

    Attributes:
        root: The folder that stands for the bucket.
        folder: The export's folder, with its manifests.
        data: Its data files, in the order of the manifest.
    """

    root: Path
    folder: Path
    data: tuple[Path, ...]


def write_full(
    root: Path,
    items: Sequence[Item],
    *,
    prefix: str = "",
    export: str = "01604475000000-1a2b3c4d",
    table: str = "ProductCatalog",
    form: Format = "DYNAMODB_JSON",
    files: int = 3,
    empty: int = 1,
    compression: Compression = "gzip",
    keys: Keys = "absolute",
    bucket: str = BUCKET,
    at: datetime = AT,
    checksums: Literal[".md5", ".checksum", "none"] = ".md5",
    hexadecimal: bool = False,
    left_out: Sequence[str] = (),
) -> Written:
    """Write a full export.

    Args:
        root: The folder that stands for the bucket.
        items: The table's items.
        prefix: The prefix that the export was asked for.
        export: The export's id.
        table: The table's name.
        form: How lines are written.
        files: Into how many data files, beside empty ones.
        empty: How many data files have no item.
        compression: How data files are compressed; `members`: a gzip member every few lines.
        keys: How the manifest names data files; `relative`: to its own folder.
        bucket: The bucket's name, for the manifest.
        at: The moment of which it tells.
        checksums: What the manifests' checksum files are named.
        hexadecimal: Whether these hold base16.
        left_out: Members of manifest-summary.json, or of the lines of manifest-files.json, that are
            left out, as other writers do.
    """
    line = full_line if form == "DYNAMODB_JSON" else ion_line
    summary = {
        **_summary(prefix, export, table, form, bucket),
        "version": "2020-06-30",
        "exportTime": _time(at),
        "startTime": _time(at),
        "endTime": _time(at),
    }
    return _write(
        root, [line(each) for each in items], summary, f"{export}/data", files=files, empty=empty,
        compression=compression, keys=keys, checksums=checksums, hexadecimal=hexadecimal,
        left_out=left_out,
    )  # fmt: skip


def write_incremental(
    root: Path,
    changes: Sequence[Change],
    since: datetime,
    until: datetime,
    *,
    prefix: str = "",
    export: str = "01680109764000-5e6f7a8b",
    table: str = "ProductCatalog",
    form: Format = "DYNAMODB_JSON",
    view: Literal["NEW_IMAGE", "NEW_AND_OLD_IMAGES"] = "NEW_AND_OLD_IMAGES",
    ion: IonChange = "struct",
    files: int = 2,
    empty: int = 1,
    compression: Compression = "gzip",
    keys: Keys = "absolute",
    bucket: str = BUCKET,
    checksums: Literal[".md5", ".checksum", "none"] = ".md5",
    hexadecimal: bool = False,
    left_out: Sequence[str] = (),
) -> Written:
    """Write an incremental export; its data goes beside that of other windows.

    Args:
        root: As in `write_full`.
        changes: What happened in the window; an item has one line at the most.
        since: Where the window begins.
        until: Where it ends.
        prefix: As in `write_full`, and so on.
        export: The same.
        table: The same.
        form: The same.
        view: Whether old images are written.
        ion: In what variant, where it is Ion.
        files: As in `write_full`, and so on.
        empty: The same.
        compression: The same.
        keys: The same, but for `relative`.
        bucket: The same.
        checksums: The same.
        hexadecimal: The same.
        left_out: The same.
    """
    shown = [each if view == "NEW_AND_OLD_IMAGES" else each._replace(old=None) for each in changes]
    lines = [
        change_line(each) if form == "DYNAMODB_JSON" else ion_change_line(each, ion)
        for each in shown
    ]
    summary = {
        **_summary(prefix, export, table, form, bucket),
        "version": "2023-08-01",
        "exportFromTime": _time(since),
        "exportToTime": _time(until),
        "outputView": view,
        "exportType": "INCREMENTAL_EXPORT",
        "startTime": _time(until),
        "endTime": _time(until),
    }
    return _write(
        root, lines, summary, "data", files=files, empty=empty, compression=compression,
        keys=keys, checksums=checksums, hexadecimal=hexadecimal, left_out=left_out,
    )  # fmt: skip


def write_legacy(
    root: Path,
    items: Sequence[Item],
    *,
    prefix: str = "2019-01-01-00-00-00",
    form: Legacy = "json",
    files: int = 2,
    compression: Compression = "none",
    manifest: bool = True,
    scheme: str = "s3",
    bucket: str = BUCKET,
) -> Written:
    """Write an export of Data Pipeline or EMR.

    Args:
        root: The folder that stands for the bucket.
        items: The table's items.
        prefix: The folder below it.
        form: How lines are written; `data_pipeline` spells NULL as it did for years.
        files: Into how many files.
        compression: How they are compressed.
        manifest: Whether there is a `manifest`.
        scheme: How its URLs begin.
        bucket: The bucket's name, for the URLs.
    """
    line = {"json": legacy_line, "data_pipeline": data_pipeline_line, "hive": hive_line}[form]
    folder = root / prefix
    folder.mkdir(parents=True)
    data = []
    for n, lines in enumerate(_dealt([line(each) for each in items], files)):
        path = folder / f"7b9e2a60-{n:05}{SUFFIXES[compression]}"
        path.write_bytes(compressed(lines, compression))
        data.append(path)
    if manifest:
        entries = [
            {"url": f"{scheme}://{bucket}/{path.relative_to(root).as_posix()}", "mandatory": True}
            for path in data
        ]
        text = json.dumps({"name": "DynamoDB-export", "version": 3, "entries": entries}, indent=0)
        (folder / "manifest").write_text(text)
        (folder / "_SUCCESS").write_bytes(b"")
    return Written(root, folder, tuple(data))


def write_plain(
    root: Path,
    lines: Sequence[bytes],
    *,
    prefix: str = "plain",
    files: int = 2,
    compression: Compression = "gzip",
    suffix: str = ".json",
) -> Written:
    """Write files of lines that no manifest names.

    Args:
        root: The folder that stands for the bucket.
        lines: What the functions below return.
        prefix: The folder below it.
        files: Into how many files.
        compression: How they are compressed.
        suffix: What follows a name, before what the compression adds.
    """
    folder = root / prefix
    folder.mkdir(parents=True)
    data = []
    for n, some in enumerate(_dealt(lines, files)):
        path = folder / f"part-{n:05}{suffix}{SUFFIXES[compression]}"
        path.write_bytes(compressed(some, compression))
        data.append(path)
    return Written(root, folder, tuple(data))


def upload(written: Written, client: Any, bucket: str, prefix: str = "") -> None:
    """Put what lies in the folder that stands for a bucket into one.

    Args:
        written: What was written.
        client: boto3's client of S3.
        bucket: The bucket.
        prefix: What comes before each key, with a slash at its end.
    """
    for path in sorted(written.root.rglob("*")):
        if path.is_file():
            key = prefix + path.relative_to(written.root).as_posix()
            client.put_object(Bucket=bucket, Key=key, Body=path.read_bytes())


def full_line(item: Item) -> bytes:
    """Return an item as a full export has it."""
    return _json({"Item": item})


def change_line(change: Change) -> bytes:
    """Return a change as an incremental export has it."""
    told: dict[str, Any] = {
        "Metadata": {"WriteTimestampMicros": {"N": str(change.micros)}},
        "Keys": change.keys,
    }
    if change.old is not None:
        told["OldImage"] = change.old
    if change.new is not None:
        told["NewImage"] = change.new
    return _json(told)


def ion_line(item: Item) -> bytes:
    """Return an item as a full export in Ion has it."""
    return f"$ion_1_0 {{Item:{_ion_struct(item)}}}".encode()


def ion_change_line(change: Change, variant: IonChange = "struct") -> bytes:
    """Return a change as an incremental export in Ion may have it; nobody has shown one of AWS's."""
    written = {"int": f"{change.micros}", "typed": f'{{N:"{change.micros}"}}'}.get(
        variant, f"{change.micros}."
    )
    quote = '"' if variant == "quoted" else ""
    time = written if variant == "number" else f"{{WriteTimestampMicros:{written}}}"
    told = [("Metadata", time), ("Keys", _ion_struct(change.keys, quote))]
    if change.old is not None:
        told.append(("OldImage", _ion_struct(change.old, quote)))
    if change.new is not None:
        told.append(("NewImage", _ion_struct(change.new, quote)))
    struct = "{" + ",".join(f"{quote}{name}{quote}:{text}" for name, text in told) + "}"
    return f"$ion_1_0 {{Record:{struct}}}".encode() if variant == "wrapped" else (
        f"$ion_1_0 {struct}".encode()
    )  # fmt: skip


def legacy_line(item: Item) -> bytes:
    """Return an item as EMR writes it."""
    return _json({name: _legacy(value) for name, value in item.items()})


def data_pipeline_line(item: Item) -> bytes:
    """Return an item as Data Pipeline wrote it, with its own spelling of NULL."""
    return _json({name: _legacy(value, "nULLValue") for name, value in item.items()})


def hive_line(item: Item) -> bytes:
    """Return an item as the older Hive connector wrote it."""
    return b"\x02".join(
        name.encode() + b"\x03" + _json(_legacy(value)) for name, value in item.items()
    )


def compressed(lines: Sequence[bytes], compression: Compression) -> bytes:
    """Return the bytes of a data file."""
    data = b"".join(line + b"\n" for line in lines)
    if compression == "gzip":
        return gzip.compress(data, 6)
    if compression == "members":
        step = max(1, len(lines) // 3)
        some = [lines[at : at + step] for at in range(0, len(lines), step)] or [()]
        return b"".join(gzip.compress(b"".join(line + b"\n" for line in each)) for each in some)
    return zstd.compress(data) if compression == "zstd" else data


def _write(
    root: Path,
    lines: Sequence[bytes],
    summary: dict[str, Any],
    data_folder: str,
    *,
    files: int,
    empty: int,
    compression: Compression,
    keys: Keys,
    checksums: str,
    hexadecimal: bool,
    left_out: Sequence[str],
) -> Written:
    prefix = summary["s3Prefix"]
    exports = root / (prefix or "") / "AWSDynamoDB"
    folder = exports / summary["exportArn"].rpartition("/")[2]
    target = exports / data_folder
    folder.mkdir(parents=True)
    target.mkdir(parents=True, exist_ok=True)
    (folder / "_started").write_bytes(b"")
    suffix = ".ion" if summary["outputFormat"] == "ION" else ".json"
    data, manifest = [], []
    for n, some in enumerate([*_dealt(lines, files), *[[]] * empty]):
        named = hashlib.sha256(f"{folder.name} {n}".encode()).hexdigest()[:26]
        path = target / f"{named}{suffix}{SUFFIXES[compression]}"
        path.write_bytes(compressed(some, compression))
        data.append(path)
        digest = hashlib.md5(path.read_bytes()).digest()
        manifest.append(
            {
                "itemCount": len(some),
                "md5Checksum": base64.b64encode(digest).decode(),
                "etag": hashlib.md5(digest).hexdigest() + "-1",
                "dataFileS3Key": _key(path, root, prefix or "", folder, keys),
            }
        )
    summary |= {
        "manifestFilesS3Key": _key(
            folder / "manifest-files.json", root, prefix or "", folder, keys
        ),
        "billedSizeBytes": sum(map(len, lines)),
        "itemCount": len(lines),
    }
    _manifest(
        folder / "manifest-files.json",
        b"".join(_json(_without(line, left_out)) + b"\n" for line in manifest),
        checksums,
        hexadecimal=hexadecimal,
    )
    _manifest(
        folder / "manifest-summary.json",
        _json(_without(summary, left_out)),
        checksums,
        hexadecimal=hexadecimal,
    )
    return Written(root, folder, tuple(data))


def _summary(prefix: str, export: str, table: str, form: Format, bucket: str) -> dict[str, Any]:
    return {
        "exportArn": f"{ACCOUNT}{table}/export/{export}",
        "tableArn": f"{ACCOUNT}{table}",
        "tableId": TABLE_ID,
        "s3Bucket": bucket,
        "s3Prefix": prefix or None,
        "s3SseAlgorithm": "AES256",
        "s3SseKmsKeyId": None,
        "outputFormat": form,
    }


def _key(path: Path, root: Path, prefix: str, folder: Path, keys: Keys) -> str:
    """Return how a manifest names a file."""
    absolute = path.relative_to(root).as_posix()
    if keys == "absolute":
        return absolute
    if keys == "without_prefix":
        return absolute.removeprefix(f"{prefix}/")
    return path.relative_to(folder).as_posix()  # where a window's data does not lie


def _manifest(path: Path, data: bytes, checksums: str, *, hexadecimal: bool) -> None:
    path.write_bytes(data)
    digest = hashlib.md5(data)
    text = digest.hexdigest() if hexadecimal else base64.b64encode(digest.digest()).decode()
    if checksums != "none":
        path.with_suffix(checksums).write_text(text)


def _without(told: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in names}


def _dealt(lines: Sequence[bytes], files: int) -> list[Sequence[bytes]]:
    return [lines[n::files] for n in range(files)]


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def _time(moment: datetime) -> str:
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _legacy(typed: dict[str, Any], null: str = "nULL") -> dict[str, Any]:
    ((kind, value),) = typed.items()
    if kind == "M":
        value = {name: _legacy(inner, null) for name, inner in value.items()}
    elif kind == "L":
        value = [_legacy(inner, null) for inner in value]
    return {null if kind == "NULL" else _LEGACY_TAGS[kind]: value}


def _ion_struct(item: dict[str, Any], quote: str = "") -> str:
    members = ",".join(f"{_symbol(name, quote)}:{_ion(value)}" for name, value in item.items())
    return f"{{{members}}}"


def _ion(typed: dict[str, Any]) -> str:
    ((kind, value),) = typed.items()
    if kind in ("SS", "NS", "BS"):
        return f"$dynamodb_{kind}::[{','.join(_ion({kind[0]: each}) for each in value)}]"
    if kind == "L":
        return f"[{','.join(map(_ion, value))}]"
    if kind == "M":
        return _ion_struct(value)
    if kind == "N":
        return _decimal(value)
    if kind == "B":
        return f"{{{{{value}}}}}"
    return json.dumps(None if kind == "NULL" else value, ensure_ascii=False)


def _symbol(name: str, quote: str) -> str:
    if quote and not re.fullmatch(r"\$[0-9]+", name):
        return json.dumps(name, ensure_ascii=False)
    if _BARE(name) and name not in _KEYWORDS:
        return name
    text = json.dumps(name, ensure_ascii=False)[1:-1].replace('\\"', '"').replace("'", "\\'")
    return f"'{text}'"


def _decimal(text: str) -> str:
    """Return a number as Ion's decimal, its coefficient without zeros at its end."""
    sign, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    plain = "".join(map(str, digits)).lstrip("0")
    short = plain.rstrip("0")
    exponent += len(plain) - len(short)
    if not short:
        return "0."
    minus = "-" * sign
    if exponent == 0:
        return f"{minus}{short}."
    if exponent > 0 or -exponent >= len(short):
        return f"{minus}{short}d{exponent}"
    return f"{minus}{short[:exponent]}.{short[exponent:]}"
