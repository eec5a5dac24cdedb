"""The engine of the demo and of most tests: ministack, in an environment of its own, on loopback.

As a module, `with running() as engine:` starts one on a free port and stops it. As a command,
`python -m demo.engine start|stop|status` keeps one in the background (`make engine`).
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from demo import guard
from demo.server import EngineError, answers, free_port, start, stop, wait_until_it_answers

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
HOME = ROOT / ".engine"
"""Where engines live: programs that were downloaded, logs, the background engine's record."""

_REQUIREMENTS = Path(__file__).with_name("ministack.txt")
_ENVIRONMENT = HOME / "ministack"
_RECORD = HOME / "engine.json"
_LOG = HOME / "engine.log"


@dataclass(frozen=True)
class Engine:
    """Where an engine answers and as whom to speak to it. 12 digits are an account of its own."""

    endpoint_url: str
    access_key_id: str = guard.ACCESS_KEY_ID
    secret_access_key: str = guard.SECRET_ACCESS_KEY
    region: str = guard.REGION

    def account(self, access_key_id: str) -> Engine:
        """Return the same engine as another account, which has tables of its own."""
        return replace(self, access_key_id=access_key_id)

    def config(self) -> dict[str, str]:
        """Return the `aws_*` settings with which the tap and the target reach this engine."""
        return {
            "aws_endpoint_url": guard.loopback(self.endpoint_url),
            "aws_access_key_id": self.access_key_id,
            "aws_secret_access_key": self.secret_access_key,
            "aws_region": self.region,
        }

    def exports(self) -> dict[str, str]:
        """Return the environment variables with which AWS's tools reach this engine."""
        return {
            "AWS_ENDPOINT_URL": guard.loopback(self.endpoint_url),
            "AWS_ACCESS_KEY_ID": self.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret_access_key,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_REGION": self.region,
        }


def install() -> Path:
    """Make the engine's environment when it is missing or outdated; return its Python."""
    return make_environment(_ENVIRONMENT, _REQUIREMENTS)


def make_environment(folder: Path, requirements: Path) -> Path:
    """Make a virtual environment of its own when it is missing or outdated.

    Args:
        folder: Where it stands, in `HOME`.
        requirements: The file that pins all that is installed there.

    Returns:
        Its Python.

    Raises:
        EngineError: It could not be made.
    """
    python = folder / "bin" / "python"
    stamp = folder / "requirements.txt"
    wanted = requirements.read_text()
    HOME.mkdir(exist_ok=True)
    with (HOME / "install.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (python.exists() and stamp.exists() and stamp.read_text() == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            _uv("venv", "--python", sys.executable, str(folder))
            _uv("pip", "install", "--python", str(python), "-r", str(requirements))
            stamp.write_text(wanted)
    return python


def _uv(*arguments: str) -> None:
    environment = {"UV_CACHE_DIR": str(ROOT / ".uv" / "cache"), **guard.environment()}
    command = [sys.executable, "-m", "uv", "--quiet", *arguments]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise EngineError(f"the engine could not be installed: {done.stderr.strip()}")


def launch(port: int, log: Path) -> subprocess.Popen[bytes]:
    """Start ministack on `port`, in a process group of its own; return once it answers."""
    environment = guard.environment()
    environment.update(
        BIND_HOST="127.0.0.1",
        GATEWAY_PORT=str(port),
        MINISTACK_HOST="127.0.0.1",
        LOG_LEVEL="WARNING",
        PYTHONDONTWRITEBYTECODE="1",
    )
    command = [str(install()), "-m", "ministack"]
    process = start(command, log, environment)
    wait_until_it_answers(process, port, "/_ministack/health", log)
    return process


@contextlib.contextmanager
def running(port: int | None = None) -> Iterator[Engine]:
    """Run an engine for the length of a `with` block, on `port` or on a free one."""
    chosen = free_port() if port is None else port
    log = HOME / f"engine-{chosen}.log"
    process = launch(chosen, log)
    try:
        yield Engine(f"http://127.0.0.1:{chosen}")
    finally:
        stop(process)
        log.unlink(missing_ok=True)


def start_in_background(port: int) -> Engine:
    """Start the engine of `make engine`, or find it running; leave a record of it for `stop`."""
    found = background()
    if found is not None:
        return found[1]
    if answers(port, "/"):
        raise EngineError(f"port {port} is taken by something else; choose another with --port")
    process = launch(port, _LOG)
    process.returncode = 0  # it outlives this command, which is no cause for a ResourceWarning
    engine = Engine(f"http://127.0.0.1:{port}")
    _RECORD.write_text(json.dumps({"pid": process.pid, "endpoint_url": engine.endpoint_url}))
    return engine


def background() -> tuple[int, Engine] | None:
    """Return process id and engine of the one in the background, or None when none is running."""
    try:
        record = json.loads(_RECORD.read_text())
    except FileNotFoundError:
        return None
    # A process id may have been given to another program since: ask ps what it runs.
    command = ["ps", "-o", "command=", "-p", str(record["pid"])]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    if str(_ENVIRONMENT) not in listed:
        _RECORD.unlink()
        return None
    return int(record["pid"]), Engine(record["endpoint_url"])


def stop_in_background() -> bool:
    """Stop the engine of `make engine`; return False when none was running."""
    found = background()
    if found is None:
        return False
    os.killpg(found[0], signal.SIGTERM)
    deadline = time.monotonic() + 10
    while background() is not None:
        if time.monotonic() > deadline:
            os.killpg(found[0], signal.SIGKILL)
            break
    _RECORD.unlink(missing_ok=True)
    return True


def main(arguments: list[str] | None = None) -> int:
    """Start, stop or show the background engine; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m demo.engine", description=__doc__)
    parser.add_argument("action", choices=("start", "stop", "status"))
    parser.add_argument("--port", type=int, default=4566, help="for start (default: 4566)")
    options = parser.parse_args(arguments)
    try:
        if options.action == "start":
            engine = start_in_background(options.port)
            print(f"# The engine answers at {engine.endpoint_url}; `make engine-stop` stops it.")
            print("# For AWS's tools and for boto3, in this shell:")
            for name, value in engine.exports().items():
                print(f"export {name}={value}")
        elif options.action == "stop":
            print("The engine is stopped." if stop_in_background() else "No engine was running.")
        else:
            found = background()
            print(f"running at {found[1].endpoint_url}, pid {found[0]}" if found else "not running")
            return 0 if found else 1
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
