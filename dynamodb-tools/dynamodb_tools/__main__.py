"""The command `dynamodb-tools`."""

from __future__ import annotations

from dynamodb_core import heap
from dynamodb_core.command import calm, hush
from dynamodb_tools import (  # noqa: F401 - a command is there once it is imported
    compare_command,
    generate_command,
    plan_command,
    repair_command,
)
from dynamodb_tools.cli import tools


def main() -> None:
    """Run the command.

    Raises:
        SystemExit: With the exit code of the subcommand.
    """
    hush()
    heap.share()
    calm()
    tools(prog_name="dynamodb-tools")


if __name__ == "__main__":
    main()
