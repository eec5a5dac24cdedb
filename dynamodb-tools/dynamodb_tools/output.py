"""Standard output, which carries what a command was asked for; the log goes to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dynamodb_core import pipes
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from typing import BinaryIO


def write(data: bytes) -> None:
    """Write some bytes.

    Args:
        data: What to write: whole lines.

    Raises:
        Error: Nobody reads standard output any more.
    """
    out: BinaryIO = sys.stdout.buffer  # looked up each time, as tests redirect it
    try:
        pipes.write_all(out, data)
        out.flush()
    except BrokenPipeError as error:
        pipes.give_up(sys.stdout)
        raise Error(
            "Nobody reads standard output any more", "Look at the log of what reads it"
        ) from error


def write_line(text: str) -> None:
    """Write a line, and flush it.

    Args:
        text: The line, without its end.

    Raises:
        Error: Nobody reads standard output any more.
    """
    write(f"{text}\n".encode())
