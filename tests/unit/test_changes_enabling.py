"""Which stream a table has, and what is done or said where it has none that will do."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core.changes.enabling import VIEW, TableStream, require, require_view, stream_of
from dynamodb_core.errors import AccessError, ConfigError, ServiceError, StreamNotFound
from dynamodb_core.table import Table
from tests.engines.scripted import Clock, ScriptedWire

ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
ON = (
    "aws dynamodb update-table --table-name orders --stream-specification "
    f"StreamEnabled=true,StreamViewType={VIEW} --region eu-west-1"
)
OFF = (
    "aws dynamodb update-table --table-name orders --stream-specification StreamEnabled=false "
    "--region eu-west-1"
)


def described(
    label: str = "", view: str | None = None, status: str = "ACTIVE", name: str = "orders"
) -> dict[str, Any]:
    """A table with a stream of a label, which is off where it has no view."""
    description: dict[str, Any] = {
        "TableName": name,
        "TableArn": ARN,
        "TableStatus": status,
        "KeySchema": [{"AttributeName": "id", "KeyType": "HASH"}],
        "AttributeDefinitions": [{"AttributeName": "id", "AttributeType": "S"}],
    }
    if label:
        description |= {"LatestStreamArn": f"{ARN}/stream/{label}", "LatestStreamLabel": label}
    if view is not None:
        description["StreamSpecification"] = {"StreamEnabled": True, "StreamViewType": view}
    return description


def table(label: str = "", view: str | None = None) -> Table:
    return Table.from_description(described(label, view))


class Service:
    """A table whose stream is turned on, and on after some looks.

    Args:
        refused: What UpdateTable raises, one time after the other; then it is carried out.
        looks: What DescribeTable says, one time after the other; the last again and again.
        statuses: What DescribeStream says likewise; an exception is raised.
    """

    def __init__(
        self,
        *looks: dict[str, Any],
        refused: tuple[Exception, ...] = (),
        statuses: tuple[Any, ...] = ("ENABLED",),
    ) -> None:
        self.clock = Clock()
        self.wire = ScriptedWire(self._answer)
        self.said: list[str] = []
        self._looks = list(looks)
        self._refused = list(refused)
        self._statuses = list(statuses)

    def _answer(self, operation: str, request: dict[str, Any]) -> Any:
        if operation == "UpdateTable":
            return self._refused.pop(0) if self._refused else {}
        if operation == "DescribeStream":
            assert request == {"StreamArn": f"{ARN}/stream/new", "Limit": 1}
            said = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
            return (
                said
                if isinstance(said, Exception)
                else {"StreamDescription": {"StreamStatus": said}}
            )
        return {"Table": self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]}

    def require(self, given: Table, **more: Any) -> TableStream:
        return require(
            self.wire,
            given,
            **{"streams": self.wire, "say": self.said.append, **more},
            clock=self.clock,
            sleep=self.clock.sleep,
        )


def test_the_stream_of_a_table_is_read_from_its_description() -> None:
    assert stream_of(table()) is None
    assert stream_of(table("one", "KEYS_ONLY")) == TableStream(
        f"{ARN}/stream/one", "one", enabled=True, view="KEYS_ONLY"
    )
    assert stream_of(table("one")) == TableStream(f"{ARN}/stream/one", "one", enabled=False)
    without_label = {**described("one"), "StreamSpecification": {"StreamEnabled": False}}
    del without_label["LatestStreamLabel"]
    assert stream_of(Table.from_description(without_label)) == stream_of(table("one"))


@pytest.mark.parametrize("view", ["NEW_IMAGE", "NEW_AND_OLD_IMAGES"])
@pytest.mark.parametrize("enable", [True, False])
def test_a_stream_that_is_on_needs_no_call(view: str, enable: bool) -> None:
    service = Service()
    found = service.require(table("one", view), enable=enable)
    assert found == stream_of(table("one", view))
    assert service.wire.calls == []


def test_a_stream_that_is_off_is_an_error_that_says_how_to_turn_it_on() -> None:
    service = Service()
    with pytest.raises(ConfigError) as raised:
        service.require(table())
    assert raised.value.message == "The stream of table orders is not on"
    how = f"Set changes.enable_stream, and the tap turns it on, or do it: {ON}"
    assert raised.value.hint == how
    with pytest.raises(ConfigError) as raised:
        service.require(table("one"))
    assert raised.value.message == "The stream of table orders is turned off"
    assert raised.value.hint == (
        f"What it still holds is read with {ARN}/stream/one as changes.stream. For a new one: {how}"
    )
    assert service.wire.calls == []


def test_a_stream_is_turned_on_where_that_is_allowed_and_waited_for() -> None:
    service = Service(
        described(),
        described("new", VIEW, status="UPDATING"),
        described("new", VIEW),
        statuses=(StreamNotFound("not yet"), "ENABLING", "ENABLED"),
    )
    made = service.require(table(), enable=True, old_image=True)
    assert made == TableStream(f"{ARN}/stream/new", "new", enabled=True, view=VIEW, made=True)
    assert service.wire.operations() == [
        "UpdateTable",
        *("DescribeTable", "DescribeTable"),
        *("DescribeTable", "DescribeStream") * 3,
    ]
    assert service.wire.calls[0].request == {
        "TableName": ARN,
        "StreamSpecification": {"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    }
    assert len(service.clock.slept) == 4
    assert len(service.said) == 2


def test_a_stream_that_was_off_is_waited_for_until_it_is_another_one() -> None:
    service = Service(described("old", VIEW), described("new", VIEW))
    assert service.require(table("old"), enable=True).label == "new"


def test_without_a_way_to_streams_the_table_is_believed() -> None:
    service = Service(described("new", VIEW))
    assert service.require(table(), enable=True, streams=None).made
    assert service.wire.operations() == ["UpdateTable", "DescribeTable"]


BUSY = ServiceError("Table is being updated", code="ResourceInUseException")
ON_ALREADY = ServiceError("Table already has an enabled stream", code="ValidationException")


def test_a_busy_table_is_asked_again_and_one_that_is_busy_for_long_is_an_error() -> None:
    service = Service(described("new", VIEW), refused=(BUSY, BUSY))
    assert service.require(table(), enable=True).made
    assert service.wire.operations().count("UpdateTable") == 3
    service = Service(described(), refused=(BUSY,) * 100)
    with pytest.raises(ServiceError, match="being updated"):
        service.require(table(), enable=True)


def test_a_stream_that_somebody_else_turns_on_will_do_if_it_tells_enough() -> None:
    service = Service(described("new", "NEW_IMAGE"), refused=(ON_ALREADY,))
    assert service.require(table(), enable=True).view == "NEW_IMAGE"
    service = Service(described("new", "KEYS_ONLY"), refused=(ON_ALREADY,))
    with pytest.raises(ConfigError, match="is KEYS_ONLY"):
        service.require(table(), enable=True)


def test_what_refuses_the_stream_is_told() -> None:
    service = Service(described(), refused=(ServiceError("No", code="ValidationException"),))
    with pytest.raises(ServiceError, match="No"):
        service.require(table(), enable=True)
    service = Service(described(), refused=(AccessError("UpdateTable is refused"),))
    with pytest.raises(AccessError) as raised:
        service.require(table(), enable=True)
    assert "dynamodb:UpdateTable" in raised.value.hint
    assert ON in raised.value.hint


@pytest.mark.parametrize(
    "service",
    [
        Service(described("old", VIEW)),
        Service(described("new", VIEW, status="UPDATING")),
        Service(described("new", VIEW), statuses=("ENABLING",)),
        Service(described("new")),
    ],
)
def test_a_stream_that_does_not_come_on_is_not_waited_for_for_ever(service: Service) -> None:
    with pytest.raises(ServiceError, match="is not on after 600 seconds"):
        service.require(table("old"), enable=True)
    assert 600 < sum(service.clock.slept) < 610


@pytest.mark.parametrize("view", ["KEYS_ONLY", "OLD_IMAGE"])
def test_a_stream_without_new_images_is_refused_unless_items_are_fetched(view: str) -> None:
    given = table("one", view)
    service = Service()
    with pytest.raises(ConfigError) as raised:
        service.require(given, enable=True)
    assert raised.value.message == (
        f"The stream of table orders is {view}: it does not tell items as they were written"
    )
    for words in ("changes.fetch", "cannot be changed", f"{OFF}; {ON}"):
        assert words in raised.value.hint
    assert service.require(given, fetch=True).view == view
    assert service.wire.calls == []


@pytest.mark.parametrize(
    ("view", "fetch", "enough"),
    [
        ("KEYS_ONLY", True, False),
        ("NEW_IMAGE", False, False),
        ("NEW_IMAGE", True, False),
        ("OLD_IMAGE", True, True),
        ("NEW_AND_OLD_IMAGES", False, True),
        ("", False, True),
    ],
)
def test_old_images_want_a_view_that_has_them(view: str, fetch: bool, enough: bool) -> None:
    stream = TableStream(f"{ARN}/stream/one", "one", enabled=True, view=view)
    if enough:
        require_view(table(), stream, old_image=True, fetch=fetch)
        return
    with pytest.raises(ConfigError, match=r"changes\.old_image is set.* is " + view):
        require_view(table(), stream, old_image=True, fetch=fetch)


def test_a_stream_that_is_asked_for_is_one_of_the_table_and_may_be_off() -> None:
    service = Service()
    latest, older = f"{ARN}/stream/one", f"{ARN}/stream/2025-11-22T04:17:07.874"
    assert service.require(table("one", VIEW), arn=latest).enabled
    assert not service.require(table("one"), arn=latest).enabled
    assert service.require(table("one", VIEW), arn=older) == TableStream(
        older, "2025-11-22T04:17:07.874", enabled=False
    )
    with pytest.raises(ConfigError, match="is KEYS_ONLY"):
        service.require(table("one", "KEYS_ONLY"), arn=latest)
    assert service.wire.calls == []


@pytest.mark.parametrize("arn", [ARN, f"{ARN}s/stream/one", "one", f"{ARN}/index/i"])
def test_a_stream_of_another_table_is_refused(arn: str) -> None:
    with pytest.raises(ConfigError) as raised:
        Service().require(table("one", VIEW), arn=arn)
    assert raised.value.message == f"{arn} (changes.stream) is no stream of table orders"
    assert raised.value.hint == f"A stream of this table begins with {ARN}/stream/"
