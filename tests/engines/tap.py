"""The tap as others run it: as a command with pipes, or as a class with a wire of the test's own."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dynamodb_core.wire import Wire
    from tap_dynamodb.tap import TapDynamoDB

COMMAND = (sys.executable, "-m", "tap_dynamodb")
PATIENCE = 60.0
"""Longest wait for a process, in seconds; only a failing test waits so long."""

Message = dict[str, Any]


@dataclass
class Output:
    """What a run wrote: its messages, its log, and its exit code."""

    messages: list[Message]
    log: str = ""
    code: int = 0
    stdout: bytes = field(default=b"", repr=False)

    def of(self, kind: str, stream: str | None = None) -> list[Message]:
        """Return the messages of one type, of one stream or of all."""
        return [
            message
            for message in self.messages
            if message["type"] == kind and stream in (None, message.get("stream"))
        ]

    def records(self, stream: str | None = None) -> list[dict[str, Any]]:
        """Return the records, numbers exact."""
        return [message["record"] for message in self.of("RECORD", stream)]

    def schema(self, stream: str | None = None) -> dict[str, Any]:
        """Return the last schema."""
        schema: dict[str, Any] = self.of("SCHEMA", stream)[-1]["schema"]
        return schema

    @property
    def state(self) -> dict[str, Any]:
        """The last STATE."""
        state: dict[str, Any] = self.of("STATE")[-1]["value"]
        return state

    def check(self, most: int = 1000) -> None:
        """Check what is true of every run: schemas only grow, and come before what needs them."""
        known: dict[str, dict[str, Any]] = {}
        for message in self.messages:
            if message["type"] == "SCHEMA":
                properties = message["schema"]["properties"]
                before = known.setdefault(message["stream"], {})
                assert {name: properties.get(name) for name in before} == before
                known[message["stream"]] = properties
                assert len(properties.keys() - {"_dynamodb"}) <= most
            elif message["type"] == "RECORD":
                unknown = message["record"].keys() - known[message["stream"]].keys()
                assert not unknown, f"{unknown} came before their schema"

    @property
    def errors(self) -> list[str]:
        """The lines of the log that are errors."""
        return [line for line in self.log.splitlines() if "| ERROR" in line]


def parse(stdout: bytes) -> list[Message]:
    """Read messages, numbers exact; a line that is none is an error."""
    return [json.loads(line, parse_float=Decimal) for line in stdout.split(b"\n") if line]


class Command:
    """Runs the command in a folder of the test's own, against one engine."""

    def __init__(self, folder: Path, connection: Mapping[str, Any]) -> None:
        self._folder = folder
        self._connection = connection
        self._count = 0

    def arguments(
        self,
        config: Mapping[str, Any],
        *more: str,
        catalog: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
    ) -> list[str]:
        """Return the command line; configuration, catalog and state are written to files."""
        self._count += 1
        line = [*COMMAND, "--config", self._file("config", {**self._connection, **config})]
        if catalog is not None:
            line += ["--catalog", self._file("catalog", catalog)]
        if state is not None:
            line += ["--state", self._file("state", state)]
        return [*line, *more]

    def __call__(
        self,
        config: Mapping[str, Any],
        *more: str,
        catalog: Mapping[str, Any] | None = None,
        state: Mapping[str, Any] | None = None,
        environment: Mapping[str, str | None] | None = None,
    ) -> Output:
        """Run the command to its end; None takes a variable out of its environment."""
        variables = {**os.environ, **(environment or {})}
        done = subprocess.run(
            self.arguments(config, *more, catalog=catalog, state=state),
            env={name: value for name, value in variables.items() if value is not None},
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        text = {"--discover", "--about", "--help", "--version"} & {*more}
        return Output(
            [] if text else parse(done.stdout), done.stderr.decode(), done.returncode, done.stdout
        )

    def discover(self, config: Mapping[str, Any]) -> dict[str, Any]:
        """Return the catalog that the command prints."""
        output = self(config, "--discover")
        assert output.code == 0, output.log
        catalog: dict[str, Any] = json.loads(output.stdout)
        return catalog

    @contextlib.contextmanager
    def started(
        self, config: Mapping[str, Any], state: Mapping[str, Any] | None = None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """Run the command for the length of a `with` block, with pipes in the test's hands."""
        log = self._folder / "log.txt"
        with log.open("wb") as errors:
            process = subprocess.Popen(
                self.arguments(config, state=state), stdout=subprocess.PIPE, stderr=errors
            )
        # What hangs is ended, so that a test that waits for it fails instead of hanging too.
        net = threading.Timer(PATIENCE, process.kill)
        net.start()
        try:
            yield process
        finally:
            net.cancel()
            if process.poll() is None:
                process.kill()
            process.wait(PATIENCE)
            assert process.stdout is not None
            process.stdout.close()

    def log(self) -> str:
        """Return the log of the last `started` command."""
        return (self._folder / "log.txt").read_text()

    def _file(self, label: str, content: Mapping[str, Any]) -> str:
        path = self._folder / f"{label}{self._count}.json"
        path.write_text(json.dumps(content, default=str))
        return str(path)


class _Log(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(f"| {record.levelname} | {record.getMessage()}")


@contextlib.contextmanager
def signals_kept() -> Iterator[None]:
    """Keep this process's answers to signals; a tap that is made in it would set its own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def make(
    wire: Wire, config: Mapping[str, Any], *, own: Mapping[str, Any] | None = None, **arguments: Any
) -> TapDynamoDB:
    """Return a tap that speaks through `wire`; it has discovered, and leaves signals alone.

    Args:
        wire: Carries the calls.
        config: The configuration.
        own: More that it has of the test's own, as `clock`, `wait` and `wire_to`.
        arguments: `catalog` and `state`.
    """
    from tap_dynamodb.tap import TapDynamoDB as Tap  # noqa: PLC0415 - it takes a second

    wired = type("WiredTap", (Tap,), {"wire": wire, **(own or {})})
    with signals_kept():
        tap: TapDynamoDB = wired(config=dict(config), **arguments)
    return tap


def sync(
    wire: Wire,
    config: Mapping[str, Any],
    *,
    limit: int | None = None,
    fails: type[BaseException] | tuple[type[BaseException], ...] = (),
    **arguments: Any,
) -> Output:
    """Run the tap in this process and return what it wrote, also when it failed as it should.

    Args:
        wire: Carries the calls.
        config: The configuration.
        limit: A record limit; one that is never reached leads over the SDK's road all the same.
        fails: Errors that end the run and are expected; the run must raise one of them then.
        arguments: `catalog`, `state` and `own`.
    """
    handler, root = _Log(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw, encoding="utf-8")
    failed = not fails
    try:
        with contextlib.redirect_stdout(out):
            tap = make(wire, config, **arguments)
            for stream in tap.streams.values():
                stream.ABORT_AT_RECORD_COUNT = limit
            tap.sync_all()
    except fails:
        failed = True
    finally:
        root.removeHandler(handler)
        root.setLevel(level)
    assert failed, "the run came to its end"
    out.flush()
    stdout = raw.getvalue()
    return Output(parse(stdout), "\n".join(handler.lines), stdout=stdout)


NEVER = 10**9
"""A record limit that no table here reaches."""
