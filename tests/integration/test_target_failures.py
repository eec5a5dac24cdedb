"""Whatever fails while a load goes on: every STATE that was printed is true, and the next run
completes the table exactly.

The target runs behind a proxy that decides what becomes of each write, as a process of its own in which
nobody waits: see `tests/engines/hurried`.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import json
import os
import random
import signal
import zlib
from collections import Counter
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_dynamodb.target import TargetDynamoDB
from tests.engines import faults
from tests.engines.faults import Reply, html, ok, refused, role_credentials, role_refused
from tests.engines.relay import forward
from tests.engines.tap import signals_kept
from tests.integration.target_process import TargetProcess, record, schema, state

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.wire import Item
    from tests.engines.faults import FaultService, Request
    from tests.engines.tables import Tables
    from tests.integration.target_process import Message

    Ask = Callable[[], Reply]
    Fault = Callable[[Request, Ask], Reply]

STREAM = "orders"
SCHEMA = schema(STREAM, {"id": {"type": "integer"}, "version": {"type": "integer"}})
KEYS, RECORDS, STEP = 60, 400, 40
"""Each key is written several times, in a row of versions, and a STATE comes after each step."""
HURRIED = str(Path(faults.__file__).with_name("hurried"))
WRITES = ("BatchWriteItem", "PutItem", "UpdateItem")
SECRET = "hush-hush-hush"


def messages(begin: int = 0) -> Iterator[Message]:
    """Yield the load from a record on. Each STATE is due at once: what follows it drains."""
    yield SCHEMA
    for version in range(begin, RECORDS):
        yield record(STREAM, {"id": key_of(version), "version": version, "text": "x" * 100})
        if (version + 1) % STEP == 0:
            yield state({"written": version + 1})
            yield {"type": "ACTIVATE_VERSION", "stream": STREAM, "version": 1}


def key_of(version: int) -> int:
    """Return the key of a version; some keys come twice in one request's time."""
    return zlib.crc32(f"{version}".encode()) % KEYS


def versions(records: int, *, mode: str = "put") -> dict[int, int]:
    """Return the version that each key has after so many records: the newest, or with insert the oldest."""
    order = range(records) if mode != "insert" else reversed(range(records))
    return {key_of(version): version for version in order}


class Load:
    """A load of one table behind a proxy.

    Attributes:
        service: The proxy.
        writes: How many writes have been asked for.
        target: The process, once it was started.
    """

    def __init__(
        self, service: FaultService, tables: Tables, folder: Path, mode: str = "put"
    ) -> None:
        self.service = service
        self.writes = 0
        self.target: TargetProcess | None = None
        self.table = tables.create(key=(("id", "N"),))
        self._tables = tables
        self._folder = folder
        self._mode = mode
        self._fault: Fault = lambda _request, ask: ask()
        service.answers(self.answer)

    def behave(self, fault: Fault) -> None:
        """Say what becomes of writes: a function of the request, and of what asks the engine."""
        self._fault = fault

    def answer(self, request: Request) -> Reply:
        """Answer as the engine, but for writes."""

        def ask() -> Reply:
            return forward(self._tables.engine, request)

        if request.operation in WRITES:
            self.writes += 1
            return self._fault(request, ask)
        return ask()

    def run(self, **config: Any) -> TargetProcess:
        """Run a hurried process to the end of the load, or to its own."""
        engine = {**self._tables.engine.config(), "aws_endpoint_url": self.service.url}
        own = {"table_name": self.table, "write_mode": self._mode, "write_workers": 4}
        settings = {**engine, **own, **config}
        environment = {
            "HURRIED": str(self._folder / "sleeps"),
            "PYTHONPATH": os.pathsep.join(filter(None, (HURRIED, os.environ.get("PYTHONPATH")))),
        }
        with TargetProcess(self._folder, settings, **environment) as self.target:
            with contextlib.suppress(BrokenPipeError):  # it may end before it has read everything
                self.target.feed(*messages())
            self.target.finish()
            return self.target

    def kill(self, number: signal.Signals) -> None:
        assert self.target
        self.target.signal(number)

    def slept(self) -> float:
        """Return the seconds that were slept, had they been."""
        return sum(map(float, (self._folder / "sleeps").read_text().split()))

    def check(self, target: TargetProcess) -> int:
        """Require that every STATE is true; return how many records the last one speaks of."""
        items = self._tables.items(self.table)
        there = {int(item["id"]["N"]): int(item["version"]["N"]) for item in items}
        for said in target.states:
            for key, version in versions(said["written"], mode=self._mode).items():
                assert there.get(key, -1) >= version, f"{said} is not true of {key}"
        assert "Traceback" not in target.rest_of_log()
        return target.states[-1]["written"] if target.states else 0

    def complete(self, target: TargetProcess) -> None:
        """Require that the next run, which nothing disturbs, makes the table what it is to be."""
        done = self.check(target)
        lines = b"".join(json.dumps(message).encode() + b"\n" for message in messages(done))
        out = io.TextIOWrapper(io.BytesIO())
        with signals_kept(), contextlib.redirect_stdout(out):
            own = {"table_name": self.table, "write_mode": self._mode}
            again = TargetDynamoDB(config={**self._tables.engine.config(), **own})
            again.load(io.BytesIO(lines))  # type: ignore[arg-type] # bytes, as stdin has them
        states = [json.loads(line) for line in out.buffer.getvalue().splitlines()]
        assert states[-1:] == ([{"written": RECORDS}] if done < RECORDS else [])
        self.is_whole()

    def is_whole(self) -> None:
        """Require every item, exactly."""
        wanted: list[Item] = [
            {"id": {"N": f"{key}"}, "version": {"N": f"{version}"}, "text": {"S": "x" * 100}}
            for key, version in sorted(versions(RECORDS, mode=self._mode).items())
        ]
        assert sorted(self._tables.items(self.table), key=lambda i: int(i["id"]["N"])) == wanted


@pytest.fixture
def load(tables: Tables, tmp_path: Path) -> Iterator[Load]:
    with faults.running() as service:
        yield Load(service, tables, tmp_path)


def assert_one_clear_line(target: TargetProcess, *words: str) -> None:
    assert target.process.returncode == 1
    [line] = target.errors()
    for each in words:
        assert each in line
    log = target.rest_of_log()
    assert "Traceback" not in log
    assert SECRET not in log


# Faults that pass


def body(reply: Reply) -> bytes:
    """Return the engine's answer; that an item is there already is one."""
    assert reply.status == 200 or b"ConditionalCheckFailed" in reply.body, reply.body
    return reply.body


THROTTLED, UNAVAILABLE, RESET = (
    "ProvisionedThroughputExceededException",
    "503 of a load balancer",
    "reset",
)
CUT, WRONG, UNPROCESSED = "cut", "wrong checksum", "nothing processed"
PASSING: dict[str, Fault] = {
    THROTTLED: lambda _r, _ask: refused(THROTTLED),
    "ThrottlingException": lambda _r, _ask: refused("ThrottlingException"),
    "RequestLimitExceeded": lambda _r, _ask: refused("RequestLimitExceeded"),
    "500": lambda _r, _ask: refused("InternalServerError", status=500),
    "500 though written": lambda _r, ask: refused("InternalServerError", body(ask()).decode(), 500),
    UNAVAILABLE: lambda _r, _ask: html(503),
    "503 though written": lambda _r, ask: html(503, body(ask())),
    RESET: lambda _r, _ask: Reply(reset=True),
    "reset though written": lambda _r, ask: Reply(body(ask()), reset=True),
    "reset in the body": lambda _r, ask: Reply(body(ask()), sent=5),
    CUT: lambda _r, ask: Reply(body(ask())[:30], crc=None),
    "cut below its checksum": lambda _r, ask: cut(body(ask())),
    "empty": lambda _r, ask: Reply(body(ask())[:0], crc=None),
    WRONG: lambda _r, ask: Reply(body(ask()), crc=1),
    UNPROCESSED: lambda r, _ask: ok({"UnprocessedItems": json.loads(r.body)["RequestItems"]}),
}
KINDS = {
    "throttles": slice(0, 3),
    "failures": slice(3, 7),
    "connections": slice(7, 10),
    "damage": slice(10, 14),
    "unprocessed": slice(14, 15),
}


def short(ask: Ask) -> Reply:
    """Cut an answer where it looks whole."""
    whole = body(ask())
    return Reply(whole[: whole.rindex(b"}", 0, -1) + 1], crc=None)


def cut(whole: bytes) -> Reply:
    return Reply(whole[:-3], crc=zlib.crc32(whole))


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_that_passes_is_not_seen(load: Load, kind: str) -> None:
    """A dozen writes meet one, no request more often than twice."""
    met: Counter[bytes] = Counter()
    of_this_kind = list(PASSING.values())[KINDS[kind]]

    def fault(request: Request, ask: Ask) -> Reply:
        if met.total() == 12 or met[request.body] == 2:
            return ask()
        met[request.body] += 1
        return of_this_kind[met.total() % len(of_this_kind)](request, ask)

    load.behave(fault)
    target = load.run()
    assert target.process.returncode == 0, target.log
    assert met.total() == 12
    assert target.states[-1] == {"written": RECORDS}
    load.is_whole()
    assert not target.errors()
    assert "Traceback" not in target.rest_of_log()


def test_throttling_for_minutes_is_waited_for(load: Load) -> None:
    load.behave(
        lambda request, ask: PASSING[THROTTLED](request, ask) if load.writes < 60 else ask()
    )
    target = load.run()
    assert target.process.returncode == 0, target.log
    assert load.slept() > 120
    assert target.states[-1] == {"written": RECORDS}
    load.is_whole()
    summary = [line for line in target.log if "Written: " in line][-1]
    assert "throttled" in summary


# Faults that stay


def since(first: int, fault: Fault) -> Callable[[Load], Fault]:
    """Return a fault that every write meets from the so manieth on."""
    return lambda load: lambda request, ask: fault(request, ask) if load.writes >= first else ask()


def vanished(load: Load) -> Fault:
    """Drop the table in the middle."""

    def fault(_request: Request, ask: Ask) -> Reply:
        if load.writes >= 5:
            return refused("ResourceNotFoundException", "Requested resource not found")
        return ask()

    return fault


DENIED = "User: arn:aws:iam::1:user/u is not authorized to perform: dynamodb:BatchWriteItem"
STAYING: dict[str, tuple[Callable[[Load], Fault], tuple[str, ...]]] = {
    "access denied": (
        since(5, lambda _r, _ask: refused("AccessDeniedException", DENIED)),
        ("BatchWriteItem", "AccessDeniedException", "is not authorized", "Check the credentials"),
    ),
    "expired": (
        since(5, lambda _r, _ask: refused("ExpiredTokenException", f"of {SECRET} is expired")),
        ("ExpiredTokenException", "Check the credentials"),
    ),
    "no table": (vanished, ("does not exist", "Check its name")),
    "throttled for ever": (
        since(4, PASSING[THROTTLED]),
        ("ProvisionedThroughputExceededException", "Run again to go on"),
    ),
    "500 for ever": (
        since(4, PASSING["500"]),
        ("failed with InternalServerError", "Run again to go on"),
    ),
    "503 for ever": (since(4, PASSING[UNAVAILABLE]), ("503", "Run again to go on")),
    "reset for ever though written": (
        since(4, PASSING["reset though written"]),
        ("did not reach DynamoDB", "the network"),
    ),
    "cut for ever": (
        since(4, PASSING[CUT]),
        ("is no whole JSON object, 4 times", "run again to go on"),
    ),
    "cut behind a brace": (
        since(4, lambda _r, ask: short(ask)),
        ("BatchWriteItem", "is no JSON", "Run again to go on"),
    ),
    "a wrong checksum for ever": (
        since(4, PASSING[WRONG]),
        ("does not fit its checksum, 4 times", "run again to go on"),
    ),
    "a captive portal": (since(4, lambda _r, _ask: html(200)), ("is no whole JSON object",)),
    "a proxy's own page": (
        since(4, lambda _r, _ask: html(407)),
        ("407", "not by DynamoDB", "proxies on the way"),
    ),
    "a refused batch": (
        since(4, lambda _r, _ask: refused("ValidationException", "The item is odd")),
        ("DynamoDB refuses the item with key", "The item is odd"),
    ),
}


@pytest.mark.parametrize("name", STAYING)
def test_a_fault_that_stays_is_one_line_and_the_next_run_goes_on(load: Load, name: str) -> None:
    fault, words = STAYING[name]
    load.behave(fault(load))
    target = load.run(aws_session_token=SECRET)
    assert_one_clear_line(target, *words)
    assert 0 < load.check(target) < RECORDS
    load.complete(target)


# Credentials of a role

ROLE = {"aws_assume_role_arn": "arn:aws:iam::123456789012:role/writer"}


def in_(minutes: float) -> str:
    moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def signed_by_a_role(load: Load, last: Reply) -> list[str]:
    """Put STS beside a load; return who signs each write, as it comes in.

    What STS grants at first is renewed at the next call, as it holds for few minutes; after eight
    writes it says `last`.
    """
    signers: list[str] = []
    numbers = itertools.count()

    def answer(request: Request) -> Reply:
        if request.operation == "AssumeRole":
            soon = role_credentials(f"ASIA{next(numbers)}", in_(5))
            return soon if load.writes < 8 else last
        if request.operation == "BatchWriteItem":
            signers.append(request.access_key_id)
        return load.answer(request)

    load.service.answers(answer)
    return signers


def test_a_roles_credentials_are_renewed_while_the_load_goes_on(load: Load) -> None:
    signers = signed_by_a_role(load, role_credentials("ASIALAST", in_(60)))
    target = load.run(**ROLE, aws_endpoint_url_sts=load.service.url)
    assert target.process.returncode == 0, target.log
    assert len(set(signers)) > 2
    assert signers[-1] == "ASIALAST"
    assert target.states[-1] == {"written": RECORDS}
    load.is_whole()


def test_a_role_that_is_taken_away_ends_the_load(load: Load) -> None:
    signed_by_a_role(load, role_refused("AccessDenied", "is not authorized: sts:AssumeRole"))
    target = load.run(**ROLE, aws_endpoint_url_sts=load.service.url)
    assert_one_clear_line(target, "role/writer cannot be assumed", "Check aws_assume_role_arn")
    assert 0 < load.check(target) < RECORDS
    load.complete(target)


# Signals, at any moment


def at(load: Load, moment: int, number: signal.Signals, *, written: bool) -> Fault:
    """Return what signals the target at a write, which the engine carries out or not."""

    def fault(_request: Request, ask: Ask) -> Reply:
        if load.writes != moment:
            return ask()
        if written:
            body(ask())
        load.kill(number)
        return Reply(reset=True) if number == signal.SIGKILL or not written else ask()

    return fault


def disturbed(load: Load, rng: random.Random, until: int, share: float, end: Fault) -> Fault:
    """Return a fault that disturbs a share of the writes before a moment, and then is another one.

    No request is disturbed more than twice, so that the load goes on.
    """
    names = sorted(PASSING.keys() - {UNPROCESSED})
    met: Counter[bytes] = Counter()

    def fault(request: Request, ask: Ask) -> Reply:
        if load.writes < until and met[request.body] < 2 and rng.random() < share:
            met[request.body] += 1
            return PASSING[rng.choice(names)](request, ask)
        return end(request, ask)

    return fault


@pytest.mark.parametrize(
    ("mode", "seed"), [*(("put", n) for n in range(5)), ("insert", 5), ("merge", 6), ("merge", 7)]
)
def test_after_a_kill_at_any_moment_the_next_run_completes_the_table(
    tables: Tables, tmp_path: Path, mode: str, seed: int
) -> None:
    rng = random.Random(seed)
    with faults.running() as service:
        load = Load(service, tables, tmp_path, mode)
        moment = rng.randint(1, 20 if mode == "put" else 200)
        end = at(load, moment, signal.SIGKILL, written=rng.random() < 0.5)
        load.behave(disturbed(load, rng, moment, 0.3, end))
        target = load.run()
        assert target.process.returncode == -signal.SIGKILL, (load.writes, target.errors())
        assert load.check(target) < RECORDS
        load.complete(target)


@pytest.mark.parametrize("seed", range(3))
def test_a_signal_in_the_middle_of_faults_drains_and_prints_what_is_true(
    load: Load, seed: int
) -> None:
    rng = random.Random(seed)
    moment = rng.randint(2, 15)
    end = at(load, moment, signal.SIGTERM, written=rng.random() < 0.5)
    after = disturbed(load, rng, moment + 6, 0.4, lambda _request, ask: ask())

    def fault(request: Request, ask: Ask) -> Reply:
        return (end if load.writes == moment else after)(request, ask)

    load.behave(fault)
    target = load.run()
    assert target.process.returncode == 128 + signal.SIGTERM, target.log
    assert any("SIGTERM: reading has ended" in line for line in target.log)
    assert not target.errors()
    load.complete(target)
