"""Objects below a place: a prefix of an S3 bucket, or a folder of this machine.

A key is what follows the place, with `/` between its steps: absolute ones, and those with `..`, are
refused, so that nothing beyond the place is read, written or removed. What is put is whole or not there.
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol
from urllib.parse import unquote, urlsplit

from dynamodb_core.errors import AccessError, ConfigError, DataError, Error
from dynamodb_core.explain import ACCESS_CODES, FAILURES, explain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dynamodb_core.settings import AwsSettings

MOST_PUT_BYTES = 5 * 1024**3
"""What S3 takes in one PutObject."""

MOST_REMOVED = 1000
"""Objects in one DeleteObjects."""

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_REFUSED = ACCESS_CODES | {"403", "AllAccessDisabled", "InvalidAccessKeyId"}
_NO_LINK = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)


class Stored(NamedTuple):
    """An object that is there.

    Attributes:
        key: Its key, as `ObjectStore` takes it.
        size: Its bytes.
    """

    key: str
    size: int


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
    return Bucket(bucket, _checked(prefix.strip("/")) if prefix.strip("/") else "", settings)


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
        return f"{self.location}/{_checked(key)}" if key else self.location

    def key(self, key: str = "") -> str:
        """Return a key as the bucket knows it.

        Args:
            key: A key below the prefix, or the beginning of one.
        """
        return f"{self.prefix}/{key}" if self.prefix else key

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
        return io.BufferedReader(_Body(answer["Body"], where, self._settings), 1 << 18)

    def put(self, key: str, data: bytes | Path) -> None:
        """Put an object; see `ObjectStore`."""
        where = self.address(key)
        request = {"Bucket": self.bucket, "Key": self.key(key)}
        if isinstance(data, bytes):
            self._call("put_object", "PutObject", where, Body=data, **request)
            return
        with _saying(str(data), "read"), data.open("rb") as file:
            self._call("put_object", "PutObject", where, Body=file, **request)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects; see `ObjectStore`."""
        named = [{"Key": self.key(_checked(key))} for key in keys]
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

    def __init__(self, body: Any, where: str, settings: AwsSettings) -> None:
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


class Folder:
    """A folder of this machine; what is made in it is for this user alone.

    Attributes:
        location: The folder's path.

    Args:
        root: The folder; it need not be there.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.location = str(root)

    def address(self, key: str = "") -> str:
        """Return an object's path; see `ObjectStore`."""
        return str(self._path(key) if key else self.root)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        """Yield objects; see `ObjectStore`."""
        found = []
        with _saying(self.location, "listed"):
            for folder, folders, names in os.walk(self.root):
                folders[:] = [name for name in folders if not name.startswith(".")]
                for path in (Path(folder, name) for name in names if not name.startswith(".")):
                    key = path.relative_to(self.root).as_posix()
                    if key.startswith(prefix):
                        found.append(Stored(key, path.stat().st_size))
        yield from sorted(found)

    def open(self, key: str, start: int = 0) -> BinaryIO:
        """Open an object; see `ObjectStore`."""
        path = self._path(key)
        try:
            file = os.fdopen(os.open(path, os.O_RDONLY | _NO_LINK), "rb")
        except FileNotFoundError as error:
            raise DataError(f"There is no file {path}") from error
        except OSError as error:
            raise DataError(f"The file {path} cannot be read: {error.strerror}") from error
        file.seek(start)
        return file

    def put(self, key: str, data: bytes | Path) -> None:
        """Put an object; see `ObjectStore`."""
        path = self._path(key)
        draft = path.with_name(f".{path.name}-{secrets.token_hex(8)}")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINK
        with _saying(str(path), "written"):
            self._make(path.parent)
            try:
                with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
                    if isinstance(data, bytes):
                        file.write(data)
                    else:
                        with data.open("rb") as source:
                            shutil.copyfileobj(source, file, 1 << 20)
                    file.flush()
                    os.fsync(file.fileno())
                draft.rename(path)
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
            _sync(path.parent)

    def remove(self, keys: Iterable[str]) -> None:
        """Remove objects, and the folders that are empty then; see `ObjectStore`."""
        for key in keys:
            path = self._path(key)
            with _saying(str(path), "removed"):
                path.unlink(missing_ok=True)
            with contextlib.suppress(OSError):  # another file is in there
                for folder in path.parents:
                    if folder == self.root:
                        break
                    folder.rmdir()

    def _path(self, key: str) -> Path:
        return self.root.joinpath(*_checked(key).split("/"))

    def _make(self, folder: Path) -> None:
        """Make a folder, and those above it that are missing, for this user alone."""
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        for each in reversed(missing):
            each.mkdir(mode=0o700, exist_ok=True)
            _sync(each.parent)


def _checked(key: str) -> str:
    """Return a key that stays below its place."""
    steps = key.split("/")
    if not all(steps) or {".", ".."} & set(steps) or "\0" in key or "\\" in key:
        raise ConfigError(f"{key!r} is no name for a file below a folder or a prefix")
    return key


def _sync(folder: Path) -> None:
    """Let the names in a folder outlive the machine's power, where the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextlib.contextmanager
def _saying(what: str, done: str) -> Iterator[None]:
    """Turn what the system says of a file or a folder into an error of ours."""
    try:
        yield
    except OSError as error:
        raise Error(
            f"{what} cannot be {done}: {error.strerror or error}",
            "Look at who may do so, and at the room there; run again with the last state to go on",
        ) from error


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
