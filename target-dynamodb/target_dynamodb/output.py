"""Standard output, which carries STATE and nothing else."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dynamodb_core import pipes
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from typing import BinaryIO


def write_line(text: str) -> None:
    """Write a line, and flush it: whoever reads it can rely on it at once.

    Args:
        text: The line, without its end.

    Raises:
        Error: Nobody reads standard output any more.
    """
    out: BinaryIO = sys.stdout.buffer  # looked up each time, as tests redirect it
    try:
        pipes.write_all(out, f"{text}\n".encode())
        out.flush()
    except BrokenPipeError as error:
        pipes.give_up(sys.stdout)
        raise Error(
            "STATE cannot be handed on, as nobody reads it any more",
            "Look at the log of what runs the target",
        ) from error
