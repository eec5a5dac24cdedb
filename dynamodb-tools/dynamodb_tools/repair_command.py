"""The command `dynamodb-tools repair`."""

from __future__ import annotations

import logging
from pathlib import Path

import click

from dynamodb_tools import output
from dynamodb_tools.cli import Command, tools
from dynamodb_tools.repair import Repair

PIECE_BYTES = 1 << 20
"""How much is written at once."""

log = logging.getLogger("dynamodb-tools")


@tools.command(cls=Command)
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--deletes", is_flag=True, help="Also delete the items that B has and A had not.")
def repair(file: Path, *, deletes: bool) -> None:
    """Print what makes table B what table A was, from the FILE of `compare --output`.

    It is a Singer stream for a target-dynamodb that writes to B, so that a repair is
    `dynamodb-tools repair differences.jsonl | target-dynamodb --config b.json`.

    Items that B lacks, or has otherwise, are put as A had them when they were compared.
    """
    repairing = Repair(file, deletes=deletes)
    piece = bytearray()
    for message in repairing.messages():
        piece += message
        if len(piece) >= PIECE_BYTES:
            output.write(bytes(piece))
            piece.clear()
    output.write(bytes(piece))
    log.info("%s", summary(repairing))


def summary(repairing: Repair) -> str:
    """Return what was printed, in words.

    Args:
        repairing: What has printed it.
    """
    puts, deletions, left = repairing.puts, repairing.deletions, repairing.left
    words = f"{_items(puts)} to put, {_items(deletions)} to delete"
    if left:
        words += f"; {_items(left)} that B alone has left there: --deletes deletes them"
    return words


def _items(count: int) -> str:
    return f"{count:,} item{'s' * (count != 1)}"
