"""The SDK's standard suite for taps, on the engine, in each item format."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import get_tap_test_class
from singer_sdk.testing.config import SuiteConfig
from singer_sdk.testing.runners import TapTestRunner

from demo.wire import Wire
from tap_dynamodb.tap import TapDynamoDB
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import signals_kept

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine

SUITE = SuiteConfig(max_records_limit=100)
KEYS = {"suite_people": (("id", "S"),), "suite-readings": (("site", "S"), ("at", "N"))}
EVERY: dict[str, Any] = {
    "text": {"S": "x"},
    "number": {"N": "1.5"},
    "yes": {"BOOL": True},
    "binary": {"B": "AP8="},
    "texts": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2.5"]},
    "map": {"M": {"a": {"S": "x"}}},
    "list": {"L": [{"N": "1"}]},
}
ITEMS: dict[str, list[dict[str, Any]]] = {
    "suite_people": [{"id": {"S": f"p{n}"}, **EVERY} for n in range(40)],
    "suite-readings": [{"site": {"S": "s"}, "at": {"N": str(n)}, **EVERY} for n in range(40)],
}
MEMORY = Account({name: ScannedTable(ITEMS[name], KEYS[name]) for name in KEYS})


class InMemory(TapDynamoDB):
    """The same tables without an engine: the suite wants streams when tests are collected."""

    wire = MEMORY.wire


def suite(item_format: str, account: str) -> Any:
    """Return the suite's class for one item format; its runner reads the engine's tables."""
    config = {"tables": [*KEYS], "item_format": item_format}
    with signals_kept():
        collected: Any = get_tap_test_class(InMemory, config=config, suite_config=SUITE)

    class Suite(collected):  # type: ignore[misc]
        @pytest.fixture(scope="class", autouse=True)
        @classmethod
        def signals(cls) -> Iterator[None]:
            with signals_kept():
                yield

        @pytest.fixture(scope="class")
        @classmethod
        def runner(cls, engine: Engine) -> Iterator[TapTestRunner]:
            ours = engine.account(account)
            wire = Wire.of(ours)
            for name, key in KEYS.items():
                wire.create_table(name, key)
                wire.put(name, ITEMS[name])
            runner = TapTestRunner(
                TapDynamoDB,
                config={**config, **ours.config()},
                suite_config=SUITE,
                parse_env_config=False,
            )
            runner.sync_all()
            yield runner
            for name in KEYS:
                wire.call("DeleteTable", {"TableName": name})
            wire.close()

    return Suite


class TestPlain(suite("plain", "770000000001")):  # type: ignore[misc]
    """Attributes as columns."""


class TestPacked(suite("packed", "770000000002")):  # type: ignore[misc]
    """One object for all attributes but the key."""


class TestDynamoDBJson(suite("dynamodb_json", "770000000003")):  # type: ignore[misc]
    """The typed item."""
