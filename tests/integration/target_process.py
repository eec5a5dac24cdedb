"""The target as a process of its own: fed line by line, its STATE and its log waited for."""

from __future__ import annotations

import contextlib
import json
import queue
import subprocess
import sys
import threading
from typing import IO, TYPE_CHECKING, Any

from demo import guard

if TYPE_CHECKING:
    import signal
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from typing_extensions import Self

    from demo.engine import Engine

PATIENCE = 30.0
"""Longest wait for what must come, in seconds; only a failing test waits so long."""

Message = dict[str, Any]


def schema(
    stream: str,
    properties: Mapping[str, Any],
    key: Iterable[str] = ("id",),
    table: Mapping[str, Any] | None = None,
) -> Message:
    """A SCHEMA; with `table`, as our tap writes it."""
    said: dict[str, Any] = {"type": "object", "properties": dict(properties)}
    if table is not None:
        said["x-dynamodb-table"] = dict(table)
    return {"type": "SCHEMA", "stream": stream, "schema": said, "key_properties": list(key)}


def record(stream: str, values: Mapping[str, Any]) -> Message:
    return {"type": "RECORD", "stream": stream, "record": dict(values)}


def state(value: Any) -> Message:
    return {"type": "STATE", "value": value}


class TargetProcess:
    """A running target. As a context manager it is killed at the end, if it still runs."""

    def __init__(self, folder: Path, config: Mapping[str, Any] | str, **environment: str) -> None:
        path = folder / "target.json"
        path.write_text(config if isinstance(config, str) else json.dumps(dict(config)))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "target_dynamodb", "--config", str(path)],
            env={**guard.environment(), **environment},
            cwd=folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._finished = False
        self.states: list[Any] = []
        self.log: list[str] = []
        self._out: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._err: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._threads = [
            self._drain(self.process.stdout, self._out),
            self._drain(self.process.stderr, self._err),
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        if not self._finished:
            self.finish()

    def feed(self, *messages: Message | str | bytes) -> None:
        """Write messages, or lines as they are, and flush them."""
        assert self.process.stdin
        for message in messages:
            if isinstance(message, dict):
                line = json.dumps(message).encode() + b"\n"
            else:
                line = message.encode() if isinstance(message, str) else message
            self.process.stdin.write(line)
        self.process.stdin.flush()

    def next_state(self, within: float = PATIENCE) -> Any:
        """Wait for the next STATE and return its value."""
        line = self._out.get(timeout=within)
        assert line is not None, f"standard output ended; the log: {self.rest_of_log()}"
        self.states.append(json.loads(line))
        return self.states[-1]

    def wait_for_log(self, words: str, within: float = PATIENCE) -> str:
        """Wait for a line of the log that holds these words, and return it."""
        while True:
            line = self._err.get(timeout=within)
            assert line is not None, f"the log ended without {words!r}: {self.log}"
            self.log.append(line.decode())
            if words in self.log[-1]:
                return self.log[-1]

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def finish(self) -> int:
        """Close the input if it is open, wait for the end, and return the exit code."""
        assert self.process.stdin
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        code = self.process.wait(timeout=PATIENCE)
        for thread in self._threads:
            thread.join(timeout=PATIENCE)
        self.rest_of_log()
        while not self._out.empty():
            line = self._out.get()
            if line is not None:
                self.states.append(json.loads(line))
        for pipe in (self.process.stdout, self.process.stderr):
            assert pipe
            pipe.close()
        self._finished = True
        return code

    def rest_of_log(self) -> str:
        while not self._err.empty():
            line = self._err.get()
            if line is not None:
                self.log.append(line.decode())
        return "".join(self.log)

    def errors(self) -> list[str]:
        """The lines of the log that are errors."""
        return [line for line in self.log if "| ERROR" in line]

    @staticmethod
    def _drain(pipe: IO[bytes] | None, into: queue.SimpleQueue[bytes | None]) -> threading.Thread:
        assert pipe

        def work() -> None:
            for line in pipe:
                into.put(line)
            into.put(None)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread


def run(
    folder: Path, engine: Engine, messages: Iterable[Message | str | bytes], **config: Any
) -> TargetProcess:
    """Run the target on messages to its end; the exit code is `process.returncode`."""
    with TargetProcess(folder, {**engine.config(), **config}) as target:
        with contextlib.suppress(BrokenPipeError):  # it may end before it has read everything
            target.feed(*messages)
        target.finish()
        return target
