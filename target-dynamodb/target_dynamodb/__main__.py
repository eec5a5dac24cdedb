"""The command `target-dynamodb`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_core.command import run
from target_dynamodb.target import TargetDynamoDB, command

if TYPE_CHECKING:
    from typing import NoReturn


def main() -> NoReturn:
    """Run the target on the command line's arguments, and leave the process."""
    run(command, TargetDynamoDB.name)


if __name__ == "__main__":
    main()
