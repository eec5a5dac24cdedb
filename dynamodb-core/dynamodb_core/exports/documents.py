"""JSON objects of manifests: their members as text, counts, moments, checksums. Pure."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import msgspec

from dynamodb_core.errors import DataError

if TYPE_CHECKING:
    from typing import NoReturn

AS_WRITTEN = "Copy the export again, as DynamoDB wrote it"
UNVERIFIED = f"{AS_WRITTEN}; verify: false reads it without checksums and counts"

_MD5_BYTES = 16
_FIRST = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MOST_SECONDS = 1 << 36
_HEX = re.compile(r"[0-9a-fA-F]{32}").fullmatch
_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)?", re.ASCII
).fullmatch


class Document:
    """A JSON object of a manifest. Members that are missing, null or empty are None.

    Args:
        text: How it is written.
        where: Its address, for errors.

    Raises:
        DataError: It is none; methods raise it for a member of another kind.
    """

    def __init__(self, text: bytes, where: str) -> None:
        self.where = where
        try:
            members = msgspec.json.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise DataError(f"{where} is no JSON: {error}", AS_WRITTEN) from error
        if not isinstance(members, dict):
            self.fail("is no JSON object")
        self.members: dict[str, Any] = members

    def fail(self, why: str) -> NoReturn:
        """Raise what is wrong, said as in `is no JSON`."""
        raise DataError(f"{self.where} {why}", AS_WRITTEN)

    def text(self, name: str) -> str | None:
        """Return a member that is text."""
        value = self.members.get(name)
        if value is not None and not isinstance(value, str):
            self.fail(f"has {str(value)[:40]} for {name}, which is no text")
        return value or None

    def count(self, name: str) -> int | None:
        """Return a member that counts something."""
        value = self.members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or value < 0:
            self.fail(f"has {str(value)[:40]!r} for {name}, which is no count")
        return value

    def time(self, name: str) -> datetime | None:
        """Return a member that is a moment, in UTC: text, or seconds since 1970."""
        value = self.members.get(name)
        if not value:
            return None
        found = _moment(value)
        if found is None:
            self.fail(f"has {str(value)[:40]!r} for {name}, which is no time")
        return found


def md5_of(text: str) -> str | None:
    """Return an MD5 in base64, None where the text is none.

    Args:
        text: 24 characters of base64, or 32 of hex.
    """
    text = text.strip()
    if _HEX(text):
        return base64_md5(bytes.fromhex(text))
    try:
        found = b64decode(text, validate=True)
    except ValueError:
        return None
    return base64_md5(found) if len(found) == _MD5_BYTES else None


def base64_md5(digest: bytes) -> str:
    """Return an MD5 as manifests have it."""
    return b64encode(digest).decode()


def _moment(value: Any) -> datetime | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _FIRST + timedelta(seconds=value) if 0 < value < _MOST_SECONDS else None
    match = _TIME(value) if isinstance(value, str) else None
    if match is None:
        return None
    day, clock, fraction, zone = match.groups()
    zone = "+00:00" if zone in (None, "Z") else f"{zone[:3]}:{zone[-2:]}"
    written = f"{day}T{clock}.{(fraction or '')[:6]:0<6}{zone}"
    try:
        return datetime.fromisoformat(written).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        return None
