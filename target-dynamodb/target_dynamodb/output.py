"""Standard output, which carries STATE and nothing else."""

from __future__ import annotations

import os
import sys

from dynamodb_core.errors import Error


def write_line(text: str) -> None:
    """Write a line, and flush it: whoever reads it can rely on it at once.

    Args:
        text: The line, without its end.

    Raises:
        Error: Nobody reads standard output any more.
    """
    try:
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError as error:
        # Python flushes once more when it ends; that must not fail again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise Error(
            "STATE cannot be handed on, as nobody reads it any more",
            "Look at the log of what runs the target",
        ) from error
