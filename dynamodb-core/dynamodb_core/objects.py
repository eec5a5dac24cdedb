"""Objects below a place: a prefix of an S3 bucket, or a folder of this machine.

A key is what follows the place, with `/` between its steps: absolute ones, and those with `..`, are
refused, so that nothing beyond the place is read, written or removed. What is put is whole or not there.
"""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol
from urllib.parse import unquote, urlsplit

from dynamodb_core.errors import AccessError, ConfigError, DataError, Error, ServiceError
from dynamodb_core.explain import ACCESS_CODES, FAILURES, explain
from dynamodb_core.folders import Folder, Stored, checked, saying

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamodb_core.settings import AwsSettings

__all__ = ["MOST_PUT_BYTES", "Bucket", "Folder", "ObjectStore", "Stored", "at"]

MOST_PUT_BYTES = 5 * 1024**3
"""What S3 takes in one PutObject."""

MOST_REMOVED = 1000
"""Objects in one DeleteObjects."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_REFUSED = ACCESS_CODES | {"403", "AllAccessDisabled", "InvalidAccessKeyId"}


class ObjectStore(Protocol):
    """A place for objects. Nothing is opened or made before it is used.

    Attributes:
        location: The place, as a person names it.
    """

    location: str

    def address(self, key: str = "") -> str:
        """Return where an object is, as a person names it.

        Raises:
            ConfigError: The key leads out of the place.
        """
        ...

    def above(self) -> tuple[ObjectStore, str] | None:
        """Return the place that this one is a step below, and that step; None at the top."""
        ...

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield the objects whose keys begin so, in the order of their keys.

        Raises:
            Error: They cannot be listed.
        """
        ...

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """Open an object to be read; the caller closes it.

        Args:
            key: Its key.
            start: How many bytes of it are left out.

        Raises:
            DataError: There is no such object.
            Error: It cannot be read; the stream raises this, too.
        """
        ...

    def put(self, key: str, data: bytes | Path) -> None:
        """Put an object, in the place of one that is there. It stays when this returns.

        Args:
            key: Its key.
            data: Its bytes, or the file that holds them.

        Raises:
            Error: It cannot be put.
        """
        ...

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; those that are not there any more are left out.

        Raises:
            Error: One cannot be removed.
        """
        ...


def at(location: str, settings: AwsSettings) -> ObjectStore:
    """Return a place.

    Args:
        location: `s3://bucket/prefix`, or a folder as a path or as `file:///path`.
        settings: Who asks S3, and where it is.

    Raises:
        ConfigError: It is neither.
    """
    scheme, mark, rest = location.partition("://")
    if not mark:
        return Folder(Path(location).expanduser())
    if scheme == "file" and rest.startswith("/"):
        return Folder(Path(unquote(rest)))
    bucket, _, prefix = rest.partition("/")
    if scheme != "s3" or not _BUCKET.match(bucket):
        raise ConfigError(
            f"{location!r} is no place for files",
            "Write s3://bucket/prefix, or the path of a folder",
        )
    return Bucket(bucket, checked(prefix.strip("/")) if prefix.strip("/") else "", settings)


class Bucket:
    """A prefix of an S3 bucket. An object is put by one call: S3 shows it whole or not at all.

    Attributes:
        location: `s3://bucket/prefix`.
        bucket: The bucket's name.
        prefix: The prefix, without a slash at its end; may be empty.

    Args:
        bucket: The same.
        prefix: The same.
        settings: Who asks, and where S3 is.
    """

    def __init__(self, bucket: str, prefix: str, settings: AwsSettings) -> None:
        self.bucket = bucket
        self.prefix = prefix
        self.location = f"s3://{bucket}/{prefix}".rstrip("/")
        self._settings = settings
        self._opened: Any = None

    def address(self, key: str = "") -> str:
        """Return an object's URL; see `ObjectStore`."""
        return f"{self.location}/{checked(key)}" if key else self.location

    def key(self, key: str = "") -> str:
        """Return a key as the bucket knows it.

        Args:
            key: A key below the prefix, or the beginning of one.
        """
        return f"{self.prefix}/{key}" if self.prefix else key

    def above(self) -> tuple[Bucket, str] | None:
        """Return the prefix above; see `ObjectStore`."""
        prefix, _, step = self.prefix.rpartition("/")
        return (Bucket(self.bucket, prefix, self._settings), step) if step else None

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects; see `ObjectStore`."""
        request: dict[str, Any] = {"Bucket": self.bucket, "Prefix": self.key(prefix)}
        while True:
            answer = self._call("list_objects_v2", "ListObjectsV2", self.location, **request)
            for each in answer.get("Contents", ()):
                yield Stored(str(each["Key"])[len(self.key()) :], int(each["Size"]))
            if not answer.get("IsTruncated"):
                return
            request["ContinuationToken"] = answer["NextContinuationToken"]

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """Open an object; see `ObjectStore`."""
        more = {"Range": f"bytes={start}-"} if start else {}
        where = self.address(key)
        answer = self._call(
            "get_object", "GetObject", where, Bucket=self.bucket, Key=self.key(key), **more
        )
        if start and not str(answer.get("ContentRange", "")).startswith(f"bytes {start}-"):
            answer["Body"].close()
            raise ServiceError(
                f"{where} was asked for from byte {start:,} on, and came from another",
                "Check aws_endpoint_url_s3, and proxies on the way",
            )
        body = _Body(answer["Body"], where, self._settings, version=answer.get("ETag"))
        return io.BufferedReader(body, 1 << 18)

    def put(self, key: str, data: bytes | Path) -> None:
        """Put an object; see `ObjectStore`."""
        where = self.address(key)
        request = {"Bucket": self.bucket, "Key": self.key(key)}
        if isinstance(data, bytes):
            self._call("put_object", "PutObject", where, Body=data, **request)
            return
        with saying(str(data), "read"), data.open("rb") as file:
            self._call("put_object", "PutObject", where, Body=file, **request)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; see `ObjectStore`."""
        named = [{"Key": self.key(checked(key))} for key in keys]
        for start in range(0, len(named), MOST_REMOVED):
            wanted = {"Objects": named[start : start + MOST_REMOVED], "Quiet": True}
            answer = self._call(
                "delete_objects", "DeleteObjects", self.location, Bucket=self.bucket, Delete=wanted
            )
            for left in answer.get("Errors", ()):
                raise AccessError(
                    f"s3://{self.bucket}/{left.get('Key')} cannot be removed: {left.get('Code')}: "
                    f"{left.get('Message', '')}".rstrip(": "),
                    "Allow s3:DeleteObject there, or remove it yourself",
                )

    def __getstate__(self) -> dict[str, Any]:
        """Return what it was made of: another process opens a client of its own."""
        return {**self.__dict__, "_opened": None}

    def _call(self, method: str, operation: str, where: str, **request: Any) -> Any:
        try:
            return getattr(self._client, method)(**request)
        except FAILURES as error:
            raise _explained(error, operation, where, self._settings) from error

    @property
    def _client(self) -> Any:
        if self._opened is None:
            from dynamodb_core.connect import open_client, open_session  # noqa: PLC0415 - boto3

            # An engine's or a private endpoint seldom has a name for each bucket.
            style = "path" if self._settings.endpoint_of("s3") else "auto"
            session = open_session(self._settings)
            self._opened = open_client(session, "s3", s3={"addressing_style": style})
        return self._opened


class _Body(io.RawIOBase):
    """The bytes of an object as they come; what goes wrong on the way is one of our errors."""

    def __init__(
        self, body: Any, where: str, settings: AwsSettings, *, version: str | None = None
    ) -> None:
        self.version = version
        self._body = body
        self._where = where
        self._settings = settings

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        try:
            data = self._body.read(len(buffer))
        except FAILURES as error:
            raise _explained(error, "GetObject", self._where, self._settings) from error
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            self._body.close()
        super().close()


def _explained(error: Exception, operation: str, where: str, settings: AwsSettings) -> Error:
    """Turn botocore's error of a call to S3 into ours."""
    answer: Any = getattr(error, "response", None) or {}
    said = answer.get("Error", {})
    code = said.get("Code", "")
    if code == "NoSuchBucket":
        bucket = urlsplit(where).netloc
        return ConfigError(
            f"Bucket {bucket} does not exist",
            "Check its name, and aws_endpoint_url_s3 if it is set",
        )
    if code in ("NoSuchKey", "404"):
        return DataError(f"There is no object {where}")
    if code in _REFUSED:
        return AccessError(
            f"{operation} of {where} is refused with {code}: {said.get('Message', '')}".rstrip(
                ". "
            ),
            "Check the credentials, and what they may do in that bucket",
        )
    return explain(error, f"{operation} of {where}", "", settings, service="s3")
