"""BATCH messages, what waits for the loader, and what is left behind, on the parent's side."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.spool import ENDED, Spool
from tap_dynamodb.batch import Batching
from tap_dynamodb.emit import Emitter, TargetGone
from tap_dynamodb.outbox import SAY_SECONDS, Address, Outbox
from tests.engines import batches

if TYPE_CHECKING:
    from collections.abc import Iterator

LOG = logging.getLogger("tests.outbox")
USERS = Address("users", None, distinct=True)
MAPPED = Address("mapped", 7, distinct=False)


class Here:
    """An outbox whose messages are kept, whose clock stands still, and that never sleeps."""

    def __init__(self, root: Path, **more: Any) -> None:
        self.root = root
        self.now = 0.0
        self.waits = 0
        self.out = io.TextIOWrapper(io.BytesIO())
        self.emitter = Emitter()
        self.emitter.wait = self._wait  # type: ignore[method-assign]
        self.outbox = Outbox(Batching(root, **more), self.emitter, LOG, lambda: self.now)

    def _wait(self, seconds: float) -> None:
        self.waits += 1
        self.now += seconds

    def written(self, data: bytes, to: Address = USERS) -> Path:
        """Write a file as a worker does, and announce it."""
        draft = self.outbox.open().spool.draft(".jsonl.gz")
        draft.write(data)
        path = draft.keep()
        self.outbox.announce(to, path)
        return path

    @property
    def messages(self) -> list[dict[str, Any]]:
        buffer: Any = self.out.buffer
        return [json.loads(line) for line in buffer.getvalue().splitlines()]

    @property
    def folder(self) -> Path:
        (folder,) = self.root.iterdir()
        return folder


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Any]:
    made: list[Here] = []

    def here(**more: Any) -> Here:
        made.append(Here(tmp_path / "batch", **more))
        stack.enter_context(contextlib.redirect_stdout(made[-1].out))
        return made[-1]

    with contextlib.ExitStack() as stack:
        yield here
    for each in made:
        each.outbox.abandon()


def test_nothing_is_made_before_it_is_opened(make: Any) -> None:
    here = make()
    here.outbox.flush()
    here.outbox.end()
    assert not here.root.exists()
    first, again = here.outbox.open(), here.outbox.open()
    assert first.spool.folder == again.spool.folder == here.folder


def test_a_message_says_what_a_loader_must_know(make: Any) -> None:
    here = make(compression="none")
    one, other = here.written(b"1"), here.written(b"2", MAPPED)
    encoding = {"format": "jsonl", "compression": "none"}
    assert here.messages == [
        {
            "type": "BATCH",
            "stream": "users",
            "encoding": encoding,
            "manifest": [f"file://{one}"],
            "distinct_keys": True,
        },
        {
            "type": "BATCH",
            "stream": "mapped",
            "encoding": encoding,
            "manifest": [f"file://{other}"],
            "version": 7,
        },
    ]
    assert here.outbox.messages == {"users": 1, "mapped": 1}


def test_records_of_the_parent_are_announced_when_they_are_flushed(make: Any) -> None:
    here = make()
    here.outbox.open()
    here.outbox.add(USERS, b"", 0)
    assert not here.outbox.holds
    here.outbox.add(USERS, b'{"n":1}\n', 1)
    here.outbox.add(MAPPED, b'{"n":2}\n', 1)
    here.outbox.add(USERS, b'{"n":3}\n{"n":4}\n', 2)
    assert here.outbox.holds
    assert not here.messages
    here.outbox.flush()
    assert not here.outbox.holds
    found = {message["stream"]: batches.records(message) for message in here.messages}
    assert found == {"users": [{"n": 1}, {"n": 3}, {"n": 4}], "mapped": [{"n": 2}]}
    here.outbox.flush()
    assert len(here.messages) == 2


def test_a_file_of_the_parent_that_is_full_is_announced_at_once(make: Any) -> None:
    here = make(size=2)
    here.outbox.open()
    for number in range(5):
        here.outbox.add(USERS, b'{"n":%d}\n' % number, 1)
    assert [len(batches.records(message)) for message in here.messages] == [2, 2]
    assert here.outbox.holds


def test_it_is_full_while_more_bytes_wait_than_allowed(make: Any) -> None:
    here = make(pending_bytes=10)
    paths = [here.written(b"12345"), here.written(b"67890")]
    assert not here.outbox.is_full()
    paths.append(here.written(b"1"))
    assert here.outbox.is_full()
    draft = here.outbox.open().spool.draft(".jsonl")  # a worker's: it waits for its turn as well
    draft.write(b"x" * 1_000_000)
    paths[1].unlink()
    assert not here.outbox.is_full()
    here.written(b"12345")
    assert here.outbox.is_full()
    draft.drop()


def test_without_a_limit_it_is_never_full(make: Any) -> None:
    here = make(pending_bytes=0)
    here.written(b"1" * 10_000)
    assert not here.outbox.is_full()


def test_it_says_every_minute_what_it_waits_for(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    here = make(pending_bytes=1 << 20)
    path = here.written(b"1" * (3 << 19))
    assert here.outbox.is_full()
    while here.now < 2.5 * SAY_SECONDS:
        here.outbox.wait()
    assert len(caplog.messages) == 2
    assert caplog.messages[0] == (
        f"Waiting for the loader: 1.5 MiB of files in {here.root} were not removed yet, and "
        "batch_pending_bytes allows 1.0. A loader that does not remove files when it has loaded "
        "them needs batch_pending_bytes: 0"
    )
    path.unlink()
    assert not here.outbox.is_full()
    here.now += 2 * SAY_SECONDS
    here.written(b"1" * (3 << 19))
    assert here.outbox.is_full()
    here.outbox.wait()  # a new wait, that is short yet
    assert len(caplog.messages) == 2


def test_at_its_end_everything_is_announced_and_left(make: Any) -> None:
    here = make()
    kept = here.written(b"1")
    here.outbox.add(USERS, b'{"n":1}\n', 1)
    folder = here.folder
    here.outbox.end()
    here.outbox.end()
    here.outbox.abandon()
    files = {path for message in here.messages for path in batches.files(message)}
    assert len(files) == 2
    assert set(folder.glob("[!.]*")) == files >= {kept}
    assert (folder / ENDED).exists()


def test_at_its_end_nothing_is_left_of_what_was_taken(make: Any) -> None:
    here = make()
    here.written(b"1").unlink()
    here.outbox.end()
    assert not list(here.root.iterdir())


def test_breaking_off_it_leaves_what_was_announced(make: Any) -> None:
    here = make()
    kept = here.written(b"1")
    here.outbox.add(MAPPED, b'{"n":1}\n', 1)
    unheard = here.outbox.open().spool.draft(".jsonl.gz")
    unheard.write(b"2")
    unheard.keep()
    here.outbox.abandon()
    here.outbox.abandon()
    assert list(here.folder.glob("[!.]*")) == [kept]
    assert not (here.folder / ENDED).exists()
    Outbox(Batching(here.root), here.emitter, LOG).open().spool.abandon()  # the next run
    assert not list(here.root.iterdir())


def test_breaking_off_it_leaves_nothing_where_nobody_is_left_to_take_it(make: Any) -> None:
    here = make()
    here.written(b"1")
    here.emitter.gone = True
    here.outbox.abandon()
    assert not list(here.root.iterdir())


def test_it_says_what_it_sweeps(make: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    here = make()
    dead = Spool.create(here.root)
    draft = dead.draft(".jsonl")
    draft.write(b"1" * (1 << 20))
    dead.abandon(keep={draft.keep()})
    here.outbox.open()
    assert caplog.messages == [
        f"Removed what earlier runs had left in {here.root}: 1.0 MiB of one run"
    ]
    assert not dead.folder.exists()


@pytest.mark.skipif(os.getuid() == 0 and not Path("/proc/self").exists(), reason="wants /proc")
def test_a_folder_that_cannot_be_made_is_an_error_of_the_configuration() -> None:
    outbox = Outbox(Batching(Path("/proc/batch")), Emitter(), LOG)
    with pytest.raises(ConfigError, match="The folder /proc/batch cannot be used for files"):
        outbox.open()


# The reader of stdout


@contextlib.contextmanager
def pipe() -> Iterator[tuple[int, Any]]:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as out, contextlib.redirect_stdout(out):
        yield reading, out


def test_a_reader_that_goes_ends_the_wait() -> None:
    emitter = Emitter()
    with pipe() as (reading, _out):
        emitter.wait(0)
        assert not emitter.gone
        os.close(reading)
        with pytest.raises(TargetGone, match="The target ended"):
            emitter.wait(3600)
        assert emitter.gone


def test_a_reader_that_is_busy_does_not_end_the_wait() -> None:
    emitter = Emitter()
    with pipe() as (reading, out):
        os.set_blocking(out.fileno(), False)
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(out.fileno(), b"x" * 65_536)
        emitter.wait(0)
        os.close(reading)


def test_a_file_for_stdout_has_no_reader(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w") as out, contextlib.redirect_stdout(out):
        Emitter().wait(0)


def test_a_stdout_without_descriptor_is_waited_for_all_the_same() -> None:
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        Emitter().wait(0)


def test_a_reader_that_is_gone_is_remembered_from_a_write_too() -> None:
    emitter = Emitter()
    with pipe() as (reading, _out):
        os.close(reading)
        with pytest.raises(TargetGone):
            emitter.write_object({"type": "BATCH"})
        assert emitter.gone
