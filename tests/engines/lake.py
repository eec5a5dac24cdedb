"""target-jsonl and DuckDB, from wheels, in an environment of their own."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from demo import engine, guard
from demo.__main__ import plugin_environment

if TYPE_CHECKING:
    from demo.engine import Engine

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


def project(
    folder: Path, recipe: str, tap: Path, programs: Path, account: Engine
) -> dict[str, str]:
    """Write a recipe's Meltano project into a folder, with programs that are there already.

    Args:
        folder: The project's folder.
        recipe: The recipe's `meltano.yml`, of tap-dynamodb and target-jsonl.
        tap: The program that tap-dynamodb is.
        programs: The folder of `install`.
        account: Where the table `orders` is.

    Returns:
        The environment of the project's runs.
    """
    made = YAML(typ="safe").load(recipe)
    [extractor], [loader] = made["plugins"]["extractors"], made["plugins"]["loaders"]
    executables = (
        (extractor, "tap_dynamodb", tap),
        (loader, "target_jsonl", programs / "target-jsonl"),
    )
    for plugin, namespace, executable in executables:
        plugin.pop("pip_url", None)
        plugin |= {"namespace": namespace, "executable": str(executable)}
    extractor["capabilities"] = ["catalog", "discover", "state"]
    extractor["config"] |= account.config()
    made |= {"environments": [{"name": "dev"}], "default_environment": "dev"}
    (folder / "meltano.yml").write_text(json.dumps(made))
    environment = plugin_environment(account, ["orders"], folder)
    return environment | {"MELTANO_PROJECT_ROOT": str(folder)}


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
