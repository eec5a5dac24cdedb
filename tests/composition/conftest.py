"""The neighbours that the pair is tested together with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo.server import EngineError
from tests.engines import postgres as server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engines.postgres import Postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """PostgreSQL on a free port, for the whole session; a test takes a schema of its own."""
    try:
        server.install()
    except EngineError as error:
        if server.required():
            raise
        pytest.skip(f"PostgreSQL and target-postgres could not be installed: {error}")
    with server.running() as running:
        yield running
