"""Python's zstd: in its own library since 3.14, and an extra before."""

from __future__ import annotations

import sys
from typing import Any

from dynamodb_core.errors import ConfigError


def zstandard(package: str, instead: str = "") -> Any:
    """Return the library for zstd.

    Args:
        package: Which of our packages has it as an extra.
        instead: What can be done without it, for the hint.

    Raises:
        ConfigError: It is not installed.
    """
    try:
        if sys.version_info >= (3, 14):
            from compression import zstd  # noqa: PLC0415 - an extra before this version
        else:
            from backports import zstd  # noqa: PLC0415
    except ImportError as error:
        hint = f"Install it: pip install '{package}[zstd]'"
        raise ConfigError(
            "There is no library for zstd", f"{hint}; {instead}" if instead else hint
        ) from error
    return zstd
