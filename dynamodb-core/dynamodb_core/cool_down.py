"""The command that puts back what a run that is gone has left warmed up.

    python -m dynamodb_core.cool_down --config target.json TABLE...

`--config` names a plugin's configuration, of which the AWS settings count; without it the environment
says who asks and where.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from dynamodb_core.command import run
from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.warmth import Warmth

if TYPE_CHECKING:
    from collections.abc import Sequence

NAME = "ferry-dynamodb"


def cool_down(arguments: Sequence[str]) -> None:
    """Put back the capacity of tables.

    Args:
        arguments: Those of the command line.

    Raises:
        ConfigError: The configuration cannot be read.
        Error: A table cannot be put back.
    """
    from dynamodb_core.wire import BotoWire  # noqa: PLC0415 - boto3 takes long to import

    parser = argparse.ArgumentParser(prog="python -m dynamodb_core.cool_down", description=__doc__)
    parser.add_argument("--config", type=Path, help="a plugin's configuration, a JSON file")
    parser.add_argument("tables", nargs="+", metavar="TABLE", help="name of a table")
    given = parser.parse_args(arguments)
    try:
        config = json.loads(given.config.read_text()) if given.config else {}
        settings = AwsSettings.from_config(config)
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigError(
            f"The configuration {given.config} cannot be read: {error}",
            "--config takes the path of a JSON file",
        ) from error
    log = logging.getLogger(NAME)
    warmth = Warmth(BotoWire(settings), log)
    for name in given.tables:
        if not warmth.restore(name):
            log.info("Table %s is not warmed up by us: there is no note of it", name)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(levelname)s | %(message)s")
    run(lambda: cool_down(sys.argv[1:]), NAME)
