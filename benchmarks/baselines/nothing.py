"""A sink that does nothing: reads messages to their end, and removes BATCH files unread.

What is measured in front of it is the tap, and Meltano. `--about` and the like are not needed: Meltano
starts it with `--config` alone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from urllib.parse import unquote, urlparse


def main() -> None:
    """Read standard input to its end; hand on the last STATE."""
    state = ""
    for line in sys.stdin.buffer:
        if line.startswith(b'{"type":"RECORD"'):
            continue
        message = json.loads(line)
        if message["type"] == "BATCH":
            for url in message["manifest"]:
                Path(unquote(urlparse(url).path)).unlink()
        elif message["type"] == "STATE":
            state = json.dumps(message["value"])
    print(state)


if __name__ == "__main__":
    main()
