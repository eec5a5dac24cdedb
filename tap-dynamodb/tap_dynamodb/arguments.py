"""Files that the command line names."""

from __future__ import annotations

import io
import json
from typing import IO

from dynamodb_core.errors import ConfigError


def checked(option: str, file: IO[str] | None) -> IO[str] | None:
    """Return a file that holds a JSON object, as the SDK reads it without looking.

    Args:
        option: The option that names it.
        file: The file; None where the option was left out.

    Raises:
        ConfigError: It holds something else.
    """
    if file is None:
        return None
    text = file.read()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if not isinstance(said, dict):
        raise ConfigError(
            f"The file of {option} holds no JSON object",
            f"{option} takes the path of a JSON file that this tap or Meltano wrote",
        )
    return io.StringIO(text)
