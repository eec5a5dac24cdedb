"""A server in a process of its own: started, waited for, and stopped by its process group."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_PATIENCE = 60.0


class EngineError(Exception):
    """An engine could not be installed, started or stopped; the message says what to look at."""


def free_port() -> int:
    """Return a port on which nothing listens at this moment."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
    return port


def start(command: list[str], log: Path, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    """Start a server in a process group of its own, with what it says going to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        return subprocess.Popen(
            command,
            env=environment,
            cwd=log.parent,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def wait_until_it_answers(
    process: subprocess.Popen[bytes], port: int, path: str, log: Path
) -> None:
    """Return when HTTP on `port` answers; stop the process and raise EngineError when it will not.

    The pause between two questions is a wait for the process's end, which would be the answer too.
    """
    deadline = time.monotonic() + _PATIENCE
    while not answers(port, path):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=0.05)
            raise EngineError(f"the engine ended at once: {_last_words(log)}")
        if time.monotonic() > deadline:
            stop(process)
            raise EngineError(f"the engine did not answer in {_PATIENCE:.0f} s; see {log}")


def answers(port: int, path: str) -> bool:
    """Say whether something speaks HTTP on `port` of this machine."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        connection.getresponse().read()
    except (OSError, http.client.HTTPException):
        return False
    else:
        return True
    finally:
        connection.close()


def _last_words(log: Path) -> str:
    lines = log.read_text(errors="replace").split("\n")
    return " / ".join(line for line in lines[-4:] if line.strip()) or f"it said nothing in {log}"


def stop(process: subprocess.Popen[bytes], *, patience: float = 10) -> None:
    """End a server that `start` started, with its process group, and wait for its end.

    It is asked first and, after `patience` seconds, killed.
    """
    for sent in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=patience)
