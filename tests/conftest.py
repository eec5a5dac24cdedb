"""What every test stands on: no way to AWS, and engines with tables of a test's own."""

from __future__ import annotations

from demo import guard

guard.enter()  # before anything imports boto3
guard.fence_sockets()

import fcntl
import itertools
import logging
import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from demo import engine as ministack
from demo.server import EngineError
from demo.wire import Wire
from tests.engines import dynamodb_local as reference
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine

# No example is judged by the clock: machines are shared.
settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")

_numbers = itertools.count(1)


@pytest.fixture(autouse=True)
def _own_logging() -> Iterator[None]:
    """Undo what a command that runs in this process does to the log, for the tests that follow."""
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    yield
    root.setLevel(level)
    root.handlers[:] = handlers


@pytest.fixture(scope="session")
def engine() -> Iterator[Engine]:
    """ministack on a free port, for the whole session."""
    with ministack.running() as running:
        yield running


@pytest.fixture(scope="session")
def dynamodb_local() -> Iterator[Engine]:
    """DynamoDB Local on a free port, for the whole session; the reference for what is right."""
    absent = reference.missing()
    if absent and not reference.required():
        pytest.skip(absent)
    try:
        reference.install()
    except EngineError as error:
        if reference.required():
            raise
        pytest.skip(str(error))
    with reference.running() as running:
        yield running


@pytest.fixture(scope="session")
def wire(engine: Engine) -> Iterator[Wire]:
    """The raw wire to ministack."""
    opened = Wire.of(engine)
    yield opened
    opened.close()


@pytest.fixture
def tables(engine: Engine) -> Iterator[Tables]:
    """Tables on ministack, under names that no other test uses; dropped when the test ends."""
    made = Tables(engine)
    yield made
    made.drop()


@pytest.fixture(scope="module")
def module_tables(engine: Engine) -> Iterator[Tables]:
    """Tables on ministack that the tests of a module share."""
    made = Tables(engine)
    yield made
    made.drop()


@pytest.fixture
def reference_tables(dynamodb_local: Engine) -> Iterator[Tables]:
    """Tables on DynamoDB Local, likewise."""
    made = Tables(dynamodb_local)
    yield made
    made.drop()


@pytest.fixture
def account(engine: Engine) -> Engine:
    """ministack as an account that no other test uses: ListTables shows a test's own only."""
    return engine.account(f"{os.getpid() % 10**6:06d}{next(_numbers):06d}")


@pytest.fixture
def meltano_project() -> Iterator[None]:
    """This repository's own Meltano project, for one test at a time: its runs share a catalog file."""
    ministack.HOME.mkdir(exist_ok=True)
    with (ministack.HOME / "project.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
