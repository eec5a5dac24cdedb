"""The command line: subcommands, the log, and errors as one line with an exit code."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING, Any

import click

from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from typing import IO

FAILED = 1
"""The exit code of a command that failed, unless it says otherwise."""

log = logging.getLogger("dynamodb-tools")


class Failed(click.ClickException):
    """One of our errors, on its way to the user.

    Args:
        error: The error.
        code: The exit code.
    """

    def __init__(self, error: Error, code: int) -> None:
        super().__init__(str(error))
        self.exit_code = code  # type: ignore[misc]

    def show(self, file: IO[Any] | None = None) -> None:  # noqa: ARG002 - it is a line of the log
        """Log the error."""
        log.error("%s", self.message)


class Command(click.Command):
    """A subcommand whose errors are a line of the log, without a traceback.

    Args:
        failed: The exit code then.
    """

    def __init__(self, *args: Any, failed: int = FAILED, **more: Any) -> None:
        super().__init__(*args, **more)
        self._failed = failed

    def invoke(self, ctx: click.Context) -> Any:
        """Run the subcommand."""
        try:
            return super().invoke(ctx)
        except Error as error:
            raise Failed(error, self._failed) from error


@click.group(context_settings={"max_content_width": 100, "help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ferry-dynamodb-tools", message="%(prog)s %(version)s")
@click.option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning", "error"], case_sensitive=False),
    default="info",
    envvar="DYNAMODB_TOOLS_LOG_LEVEL",
    help="What is logged to standard error.",
)
def tools(log_level: str) -> None:
    """Plan a move of DynamoDB tables, compare two of them, repair what differs, generate items."""
    logging.basicConfig(
        stream=sys.stderr,
        level=log_level.upper(),
        format="%(asctime)s | %(levelname)-7s | %(message)s",
        force=True,
    )
    if log_level.lower() != "debug":
        logging.getLogger("botocore").setLevel(
            logging.WARNING
        )  # where it found credentials, and so on
