"""The command `target-dynamodb`.

What takes long to import is imported when the command runs: worker processes, which begin by importing
the script that began them, never do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core.command import run
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the target on the command line's arguments, and leave the process."""
    run(command, "target-dynamodb")


def command() -> None:
    """Run the command line.

    Raises:
        Error: Something failed that the user can do something about.
        SystemExit: The command ended by itself.
    """
    from singer_sdk.exceptions import SingerSDKError  # noqa: PLC0415
    from singer_sdk.singerlib.exceptions import SingerError  # noqa: PLC0415

    from target_dynamodb.target import TargetDynamoDB  # noqa: PLC0415

    try:
        TargetDynamoDB.cli()
    except (SingerSDKError, SingerError) as error:
        raise Error(" ".join(str(error).split()).rstrip(".") or type(error).__name__) from error


if __name__ == "__main__":
    main()
