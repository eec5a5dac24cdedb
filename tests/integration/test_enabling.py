"""Streams that are turned on, and items that are looked up, on engines."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import tables as core_tables
from dynamodb_core.capacity import Budget
from dynamodb_core.changes.enabling import VIEW, require, stream_of
from dynamodb_core.changes.fetched import Fetched
from dynamodb_core.changes.shards import Position
from dynamodb_core.changes.streams import DynamoDBStreams
from dynamodb_core.errors import ConfigError
from dynamodb_core.fetching import Fetcher
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire

if TYPE_CHECKING:
    from dynamodb_core.change import Change
    from dynamodb_core.changes.enabling import TableStream
    from tests.engines.tables import Tables

engines = pytest.mark.parametrize("made_on", ["tables", "reference_tables"])


class Account:
    """An engine's tables, and the wires to them."""

    def __init__(self, made: Tables) -> None:
        settings = AwsSettings.from_config(made.engine.config())
        self.made = made
        self.wire = BotoWire(settings)
        self.streams = BotoWire(settings, service="dynamodbstreams")

    def create(self, view: str | None = None) -> str:
        if view is None:
            return self.made.create()
        streaming = {"StreamEnabled": True, "StreamViewType": view}
        return self.made.create(StreamSpecification=streaming)

    def off(self, name: str) -> None:
        request = {"TableName": name, "StreamSpecification": {"StreamEnabled": False}}
        self.made.wire.call("UpdateTable", request)

    def put(self, name: str, item: dict[str, Any]) -> None:
        self.made.wire.call("PutItem", {"TableName": name, "Item": item})

    def delete(self, name: str, key: dict[str, Any]) -> None:
        self.made.wire.call("DeleteItem", {"TableName": name, "Key": key})

    def require(self, name: str, **more: Any) -> TableStream:
        table = core_tables.describe(self.wire, name)
        return require(self.wire, table, streams=self.streams, **more)

    def changes(self, stream: TableStream, *, images: bool = True) -> list[Change]:
        """Return what the stream's one shard tells, waited for until it tells all there is."""
        service = DynamoDBStreams(self.streams, stream.arn, images=images)
        [shard] = service.shards()
        records = service.records(shard.id, service.iterator(shard.id, Position()), Position())
        return records.changes


@pytest.fixture
def account(made_on: str, request: pytest.FixtureRequest) -> Account:
    return Account(request.getfixturevalue(made_on))


@engines
def test_a_stream_is_turned_on_and_tells_what_is_written_from_then_on(account: Account) -> None:
    name = account.create()
    with pytest.raises(ConfigError, match=f"The stream of table {name} is not on"):
        account.require(name)
    said: list[str] = []
    stream = account.require(name, enable=True, say=said.append)
    assert (stream.enabled, stream.view, stream.made) == (True, VIEW, True)
    assert len(said) == 2
    account.put(name, {"id": {"S": "a"}})
    [change] = account.changes(stream)
    assert json.loads(change.item or b"") == {"id": {"S": "a"}}
    again = account.require(name, enable=True)
    assert (again.arn, again.made) == (stream.arn, False)


@engines
def test_a_stream_that_was_turned_off_is_followed_by_another_one_and_can_still_be_read(
    account: Account,
) -> None:
    name = account.create("NEW_IMAGE")
    before = account.require(name)
    account.put(name, {"id": {"S": "a"}})
    account.off(name)
    with pytest.raises(ConfigError, match=f"The stream of table {name} is turned off"):
        account.require(name)
    rest = account.require(name, arn=before.arn)
    assert (rest.arn, rest.enabled) == (before.arn, False)
    assert len(account.changes(rest)) == 1
    after = account.require(name, enable=True)
    assert after.arn != before.arn
    assert account.require(name, arn=before.arn).arn == before.arn
    assert stream_of(core_tables.describe(account.wire, name)) == account.require(name)


@engines
def test_several_that_turn_a_stream_on_at_once_get_the_same_one(account: Account) -> None:
    name = account.create()
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: account.require(name, enable=True), range(4)))
    assert len({stream.arn for stream in found}) == 1


@engines
@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_items_that_the_stream_does_not_tell_are_looked_up(account: Account, view: str) -> None:
    name = account.create(view)
    with pytest.raises(ConfigError, match=f"is {view}"):
        account.require(name)
    stream = account.require(name, fetch=True)
    for number in range(3):
        account.put(name, {"id": {"S": "a"}, "n": {"N": f"{number}"}})
        account.put(name, {"id": {"S": f"gone {number}"}})
        account.delete(name, {"id": {"S": f"gone {number}"}})
    table = core_tables.describe(account.wire, name)
    fetched = Fetched(Fetcher(account.wire, name, table.key, Budget(None)))
    told = account.changes(stream, images=False)
    assert len(told) == 9
    full = fetched(told)
    written = [json.loads(change.item) for change in full if change.item is not None]
    assert written == [{"id": {"S": "a"}, "n": {"N": "2"}}] * 3
    assert [json.loads(each.keys or b"") for each in full if each.item is None] == [
        {"id": {"S": f"gone {number}"}} for number in range(3)
    ]
    assert fetched.gone == 3
    assert sum(change.old is not None for change in full) == (5 if view == "OLD_IMAGE" else 0)
