"""What every command of ours does around its work: errors as one line, one heap, a calm collector."""

from __future__ import annotations

import gc
import logging
import sys
from typing import TYPE_CHECKING

from dynamodb_core import heap
from dynamodb_core.errors import Error

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

GC_THRESHOLD = 200_000
"""Objects between two collections; with Python's own 700 they take half of the time of nested items."""


def run(main: Callable[[], object], name: str) -> NoReturn:
    """Run a command and leave the process.

    Args:
        main: Does the work; may leave by SystemExit itself.
        name: The command's logger.

    Raises:
        SystemExit: 0 when `main` returned, 1 when it raised one of our errors; that error is then
            one line of the log, without a traceback. Any other exception passes through.
    """
    hush()
    heap.share()
    calm()
    try:
        main()
    except Error as error:
        logging.getLogger(name).error("%s", error)  # noqa: TRY400 - a line, not a traceback
        sys.exit(1)
    sys.exit(0)


def hush() -> None:
    """Silence what writes down session tokens at DEBUG."""
    for chatty in ("boto3", "botocore", "urllib3"):
        logging.getLogger(chatty).setLevel(logging.INFO)


def calm() -> None:
    """Let the collector look at new objects seldom, and never again at those that there are."""
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD, 20, 50)
