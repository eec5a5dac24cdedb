"""target-jsonl and DuckDB, from wheels, in an environment of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from demo import engine, guard

_ENVIRONMENT = engine.HOME / "lake"
_REQUIREMENTS = Path(__file__).with_name("lake.txt")
_PATIENCE = 120.0
_QUERY = """\
import json, sys
import duckdb
with duckdb.connect("lake.db") as lake:
    answer = lake.execute(sys.stdin.read())
    names = [each[0] for each in answer.description]
    print(json.dumps([dict(zip(names, row)) for row in answer.fetchall()], default=str))
"""


def install() -> Path:
    """Make the environment when it is missing or outdated; return the folder of its programs.

    Raises:
        EngineError: It could not be made.
    """
    return engine.make_environment(_ENVIRONMENT, _REQUIREMENTS).parent


def query(folder: Path, sql: str) -> list[dict[str, Any]]:
    """Run statements on the database `lake.db` of a folder, and return the rows of the last one."""
    done = subprocess.run(
        [str(_ENVIRONMENT / "bin" / "python"), "-c", _QUERY],
        input=sql,
        cwd=folder,
        env=guard.environment(),
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows: list[dict[str, Any]] = json.loads(done.stdout)
    return rows
