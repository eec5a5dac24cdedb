"""A certificate authority of the tests' own, and servers' certificates for AWS's host names."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import trustme

if TYPE_CHECKING:
    from pathlib import Path

REGION = "eu-west-1"
HOSTS = (
    "127.0.0.1",
    f"dynamodb.{REGION}.amazonaws.com",
    f"*.ddb.{REGION}.amazonaws.com",
    f"sts.{REGION}.amazonaws.com",
)


class Authority:
    """One authority; nobody trusts it who was not given `bundle`."""

    def __init__(self) -> None:
        self._authority = trustme.CA()

    def bundle(self, folder: Path) -> str:
        """Write the authority's own certificate into a folder; return the file's path."""
        path = folder / "authority.pem"
        self._authority.cert_pem.write_to_path(str(path))
        return str(path)

    def server(self, *hosts: str) -> ssl.SSLContext:
        """Return the TLS of a server that is said to be these hosts."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        self._authority.issue_cert(*(hosts or HOSTS)).configure_cert(context)
        return context
