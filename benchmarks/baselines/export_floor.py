"""Floor of a read of an export: inflated by isal, each line parsed by orjson, the lines written as they are.

    python -m benchmarks.baselines.export_floor FOLDER > lines.jsonl

Nothing is made of the items and nothing is verified. How many there were goes to standard error.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson
from isal import igzip

CHUNK_BYTES = 1 << 18


def main(folder: Path) -> None:
    """Read all files of a folder."""
    inflate: Any = igzip.open
    out, loads, items = sys.stdout.buffer, orjson.loads, 0
    for path in sorted(folder.glob("*.gz")):
        with inflate(path, "rb") as file:
            rest = b""
            while data := file.read(CHUNK_BYTES):
                *lines, rest = (rest + data).split(b"\n")
                for line in lines:
                    loads(line)
                items += len(lines)
                out.write(data)
    print(f"{items:,} items", file=sys.stderr)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
