"""The entry point of `tap-dynamodb`."""

from __future__ import annotations

from typing import NoReturn

from dynamodb_core.command import run


def main() -> NoReturn:
    """Run the tap's command line."""
    from tap_dynamodb.tap import TapDynamoDB, command  # noqa: PLC0415 - importing it takes a second

    run(command, TapDynamoDB.name)


if __name__ == "__main__":
    main()
