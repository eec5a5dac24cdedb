"""A manifest's names of files to keys of the place that it lies in. Pure, over a function that looks.

What a manifest says is what somebody wrote into a file: a name leads to a file below the place that was
configured, or beside the export's own folder, where windows have their data, and nowhere else. A name
may still be spelled in many ways, as exports are moved and other tools write them, too; these are tried
in order:

1. from the bucket's top, as DynamoDB writes it;
2. below the export's prefix, as AWS documents it;
3. from `AWSDynamoDB/` on, beside the export's folder: it was moved, with what lies around it;
4. below the export's folder;
5. from `AWSDynamoDB/`, or from its folder, on, below the export's folder: it was moved alone, or renamed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import NoReturn

AWS_FOLDER = "AWSDynamoDB/"
_SCHEMES = ("s3", "s3n", "s3a")

WHOLE = (
    "Copy the whole export, its data files too, and name its folder: files elsewhere are not read, "
    "whatever a manifest says"
)


class File(NamedTuple):
    """A file that is there.

    Attributes:
        key: Its key below the root.
        size: Its bytes.
    """

    key: str
    size: int


@dataclass(frozen=True)
class Surroundings:
    """Where a manifest lies. All keys are below one root, and folders end with a slash, but the top: "".

    Attributes:
        where: The manifest's address, for errors.
        home: The folder of the manifest.
        bucket: The bucket's name; empty in a folder of this machine.
        base: What the root's keys have before them in the bucket: empty, or it ends with a slash.
        allowed: Below which folders files may be read.
        prefix: The prefix that the export was written to.
    """

    where: str
    home: str
    bucket: str = ""
    base: str = ""
    allowed: tuple[str, ...] = ("",)
    prefix: str = ""


def resolve(key: str, around: Surroundings, look: Callable[[str], int | None]) -> File:
    """Return the file that a key of a manifest means.

    Args:
        key: As the manifest has it.
        around: Where that lies.
        look: Returns how large the file of a key is, None where there is none.

    Raises:
        DataError: The key leads elsewhere, or there is no such file.
    """
    _refuse_odd(key, key, around)
    found = _first(_spellings(key, around), around, look)
    if found is None:
        _missing(key, around)
    return found


def resolve_url(
    url: str, around: Surroundings, look: Callable[[str], int | None], *, mandatory: bool = True
) -> File | None:
    """Return the file that a URL of a legacy manifest means: where it says, else beside the manifest.

    Args:
        url: As the manifest has it.
        around: Where that lies.
        look: Returns how large the file of a key is, None where there is none.
        mandatory: Whether it has to be there; else None is returned where it is not.

    Raises:
        DataError: The URL leads elsewhere, or there is no such file.
    """
    scheme, mark, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if not mark or scheme not in _SCHEMES:
        _refuse(url, around)
    _refuse_odd(key, url, around)
    same = [key] if bucket == around.bucket else []
    spellings = [*_below_base(same, around), around.home + key.rpartition("/")[2]]
    found = _first(iter(spellings), around, look)
    if found is None and mandatory:
        _missing(url, around)
    return found


def _spellings(key: str, around: Surroundings) -> Iterator[str]:
    """Yield what a key may mean, the likeliest first."""
    absolute = [key, f"{around.prefix}/{key}"] if around.prefix else [key]
    yield from _below_base(absolute, around)
    _, mark, tail = f"/{key}".rpartition(f"/{AWS_FOLDER}")
    if mark:
        yield _above(around.home) + tail
    yield around.home + key
    if mark:
        yield around.home + tail
        yield around.home + tail.partition("/")[2]


def _below_base(keys: list[str], around: Surroundings) -> Iterator[str]:
    """Yield those keys of the bucket that are below the root, as keys of the root."""
    if around.bucket:
        for key in keys:
            if key.startswith(around.base):
                yield key[len(around.base) :]


def _first(
    spellings: Iterator[str], around: Surroundings, look: Callable[[str], int | None]
) -> File | None:
    for key in spellings:
        if all(key.split("/")) and any(key.startswith(folder) for folder in around.allowed):
            size = look(key)
            if size is not None:
                return File(key, size)
    return None


def _refuse_odd(key: str, written: str, around: Surroundings) -> None:
    """Refuse a name that could lead out of a folder, however it is put together."""
    if not key or {".", ".."} & set(key.split("/")) or "://" in key or {"\\", "\0"} & set(key):
        _refuse(written, around)
    if key.startswith("/"):
        _refuse(written, around)


def _refuse(written: str, around: Surroundings) -> NoReturn:
    raise DataError(f"{around.where} names {written!r}, which may lead elsewhere: refused", WHOLE)


def _missing(written: str, around: Surroundings) -> NoReturn:
    raise DataError(
        f"{around.where} names {written}, and there is no such file below its own place", WHOLE
    )


def _above(folder: str) -> str:
    """Return the folder that a folder is in."""
    return folder[: folder[:-1].rfind("/") + 1]
