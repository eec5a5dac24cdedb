"""Tap and target as processes of their own: run, watched, interrupted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from demo import guard

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from typing_extensions import Self

    from demo.engine import Engine

PATIENCE = 120.0
"""Seconds after which a process counts as hanging; a safety net, nothing is measured by it."""

ROOT = Path(__file__).resolve().parents[2]
State = dict[str, Any]


@dataclass(frozen=True)
class Ended:
    """What a process left behind."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines of the log at level ERROR."""
        return [line for line in self.err.splitlines() if "| ERROR" in line]

    @property
    def states(self) -> list[State]:
        """The STATE values of a target's stdout."""
        return [json.loads(line) for line in self.out.splitlines()]

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield the messages of a tap's stdout."""
        for line in self.out.splitlines():
            yield json.loads(line)


def command(plugin: str, config: Mapping[str, Any], folder: Path, *more: str) -> list[str]:
    """Return the command line of a plugin with a configuration, which is put into a folder."""
    path = folder / f"{plugin}-{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps(config))
    return [sys.executable, "-m", plugin, "--config", str(path), *more]


def run(line: list[str], text: str | bytes = b"") -> Ended:
    """Run one process to its end, with a text on its stdin."""
    data = text.encode() if isinstance(text, str) else text
    done = subprocess.run(
        line,
        input=data,
        capture_output=True,
        check=False,
        timeout=PATIENCE,
        env=guard.environment() | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")},
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())


class Pipe:
    """`tap | target`, both running; the test reads the target's stdout and may signal either.

    Attributes:
        tap: The process that reads.
        target: The process that writes.
    """

    def __init__(self, tap: list[str], target: list[str], folder: Path) -> None:
        environment = guard.environment() | {"PYTHONPATH": os.environ.get("PYTHONPATH", "")}
        self._logs = {name: folder / f"{name}.log" for name in ("tap", "target")}
        read, write = os.pipe()
        with self._logs["tap"].open("wb") as log:
            self.tap = subprocess.Popen(tap, stdout=write, stderr=log, env=environment)
        os.close(write)
        with self._logs["target"].open("wb") as log:
            self.target = subprocess.Popen(
                target, stdin=read, stdout=subprocess.PIPE, stderr=log, env=environment
            )
        os.close(read)
        # Whatever hangs is ended, so that a test that waits for it fails instead of hanging too.
        self._net = threading.Timer(PATIENCE, self.end)
        self._net.daemon = True
        self._net.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()
        self._net.cancel()
        for process in (self.tap, self.target):
            process.wait()
        assert self.target.stdout is not None
        self.target.stdout.close()

    def states(self) -> Iterator[State]:
        """Yield each STATE as the target prints it."""
        assert self.target.stdout is not None
        for line in self.target.stdout:
            yield json.loads(line)

    def end(self) -> None:
        """Kill what still runs."""
        for process in (self.tap, self.target):
            if process.poll() is None:
                process.kill()

    def log(self, name: str) -> str:
        """Return what `tap` or `target` has logged."""
        return self._logs[name].read_text()


def tap_config(engine: Engine, tables: list[str], **more: Any) -> dict[str, Any]:
    """Return a configuration of the tap for tables on an engine."""
    return {**engine.config(), "tables": tables, **more}


def target_config(engine: Engine, **more: Any) -> dict[str, Any]:
    """Return a configuration of the target that copies tables beside themselves."""
    return {**engine.config(), "table_name": "{table}_copy", **more}


def meltano(environment: Mapping[str, str], *arguments: str, folder: Path = ROOT) -> Ended:
    """Run Meltano in the project of a folder, by default in this repository's own."""
    done = subprocess.run(
        [str(Path(sys.executable).with_name("meltano")), *arguments],
        cwd=folder,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=PATIENCE * 2,
    )
    return Ended(done.returncode, done.stdout.decode(), done.stderr.decode())
