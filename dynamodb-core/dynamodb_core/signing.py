"""AWS's Signature Version 4 for requests that differ by body, time and credentials alone; pure.

botocore makes a request anew for each signature, which takes 80 microseconds. Here everything that
stays the same is put together once, and it takes 10. It is trusted where it has reproduced a signature
of botocore's, see `shortcut.py`, and nowhere else.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import TYPE_CHECKING, NamedTuple, Protocol
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

DATE, TOKEN = "x-amz-date", "x-amz-security-token"
"""Signed headers that are told at each signature."""

_PORTS = {"http": 80, "https": 443}


class Keys(Protocol):
    """Whom a signature is of; botocore's frozen credentials are such."""

    @property
    def access_key(self) -> str:
        """The access key id."""
        ...

    @property
    def secret_key(self) -> str:
        """The secret access key."""
        ...

    @property
    def token(self) -> str | None:
        """The session token of temporary credentials."""
        ...


class Scope(NamedTuple):
    """What a signature is good for, on one day."""

    region: str
    service: str


class Signer:
    """Signs POST requests of one URL.

    Args:
        url: Where they go; without a query.
        headers: What is signed beside host, date and token, by names in small letters.
        scope: Region and service.
    """

    def __init__(self, url: str, headers: Mapping[str, str], scope: Scope) -> None:
        self._scope = scope
        signed = {"host": host(url), **headers}
        lines = {name: f"{name}:{' '.join(signed[name].split())}\n" for name in sorted(signed)}
        first = "".join(line for name, line in lines.items() if name < DATE)
        self._first = f"POST\n{urlsplit(url).path}\n\n{first}{DATE}:"
        self._middle = "".join(line for name, line in lines.items() if DATE < name < TOKEN)
        self._last = "".join(line for name, line in lines.items() if name > TOKEN)
        self._names = ";".join(sorted({*lines, DATE}))
        self._names_with_token = ";".join(sorted({*lines, DATE, TOKEN}))
        self._key = ("", "", b"")
        self._moment = (0, "")

    def now(self) -> str:
        """Return the moment as `X-Amz-Date` says it."""
        second = int(time.time())
        seen, text = self._moment
        if seen != second:
            text = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(second))
            self._moment = (second, text)
        return text

    def authorization(self, body: bytes, keys: Keys, moment: str) -> str:
        """Return the value of the header `Authorization`.

        Args:
            body: The request's body.
            keys: Who signs; with a token, the request must have it in `X-Amz-Security-Token`.
            moment: What the request has in `X-Amz-Date`.
        """
        day, names, token = moment[:8], self._names, ""
        if keys.token:
            names, token = self._names_with_token, f"{TOKEN}:{' '.join(keys.token.split())}\n"
        canonical = (
            f"{self._first}{moment}\n{self._middle}{token}{self._last}\n"
            f"{names}\n{hashlib.sha256(body).hexdigest()}"
        )
        scope = f"{day}/{self._scope.region}/{self._scope.service}/aws4_request"
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        to_sign = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{digest}"
        signature = _hmac(self._signing_key(keys.secret_key, day), to_sign).hex()
        return (
            f"AWS4-HMAC-SHA256 Credential={keys.access_key}/{scope}, SignedHeaders={names}, "
            f"Signature={signature}"
        )

    def _signing_key(self, secret: str, day: str) -> bytes:
        known_secret, known_day, key = self._key
        if (secret, day) != (known_secret, known_day):
            key = f"AWS4{secret}".encode()
            for text in (day, *self._scope, "aws4_request"):
                key = _hmac(key, text)
            self._key = (secret, day, key)
        return key


def host(url: str) -> str:
    """Return what a request to a URL has in `Host`."""
    parts = urlsplit(url)
    name = parts.hostname or ""
    if ":" in name:
        name = f"[{name}]"
    return name if parts.port in (None, _PORTS.get(parts.scheme)) else f"{name}:{parts.port}"


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
