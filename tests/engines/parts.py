"""Parts of a staged table, read by other means than ours."""

from __future__ import annotations

import gzip
import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def lines(data: bytes, compression: str = "gzip") -> list[bytes]:
    """Return the lines of a part."""
    if compression == "gzip":
        data = gzip.decompress(data)
    elif compression == "zstd":
        data = zstd.decompress(data)
    assert data.endswith(b"\n")
    return data.split(b"\n")[:-1]
