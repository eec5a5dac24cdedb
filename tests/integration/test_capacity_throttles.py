"""Who is told of throttled calls, over real botocore and real HTTP."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from dynamodb_core import workers
from dynamodb_core.errors import Error
from dynamodb_core.settings import AwsSettings
from dynamodb_core.throttling import Throttle
from dynamodb_core.wire import BotoWire
from tests.engines import faults
from tests.engines.faults import Reply, html, ok, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engines.faults import FaultService

PAGE = ok({"Items": [{"id": {"S": "a"}}], "Count": 1})
THROTTLED = refused("ProvisionedThroughputExceededException", "too fast")


@pytest.fixture
def service() -> Iterator[FaultService]:
    with faults.running() as service:
        yield service


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore's tries follow each other without pauses."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )


def wire_to(service: FaultService) -> BotoWire:
    settings = AwsSettings(
        access_key_id="AKIDOFTHETESTS",
        secret_access_key="secret-key-of-the-tests",
        region="eu-west-1",
        endpoint_url=service.url,
    )
    return BotoWire(settings, sleep=lambda _seconds: None)


TABLE_ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/t"
SLOW = {"reason": "TableReadProvisionedThroughputExceeded", "resource": TABLE_ARN}
HOT = {"reason": "IndexReadKeyRangeThroughputExceeded", "resource": f"{TABLE_ARN}/index/i"}


def throttled_for(*reasons: dict[str, str], name: str = "ThrottlingReasons") -> Reply:
    code = "ProvisionedThroughputExceededException"
    kind = f"com.amazonaws.dynamodb.v20120810#{code}"
    answer = {"__type": kind, "message": "too fast", name: reasons}
    return Reply(json.dumps(answer).encode(), 400)


@pytest.mark.parametrize("before", [0, 3], ids=["botocore's whole way", "the shortcut"])
@pytest.mark.parametrize("name", ["ThrottlingReasons", "throttlingReasons"])
def test_each_throttled_try_is_told_with_its_reasons(
    service: FaultService, before: int, name: str
) -> None:
    """Those that botocore repeats by itself, too."""
    both = throttled_for(SLOW, HOT, name=name)
    service.replies(*[PAGE] * before, both, throttled_for(HOT, name=name), THROTTLED, PAGE)
    wire, heard = wire_to(service), list[Throttle]()
    wire.watch("t", heard.append)
    for _ in range(before + 1):
        wire.call("Scan", b"{}", table="t")
    assert heard == [Throttle(**SLOW), Throttle(**HOT), Throttle(**HOT), Throttle("", "")]
    assert [each.hot for each in heard] == [False, True, True, False]
    assert wire.throttles == 3


def test_only_what_is_about_a_table_is_told_to_who_watches_it(service: FaultService) -> None:
    wire, heard = wire_to(service), dict[str, list[Throttle]]()
    ends = [
        wire.watch(name, heard.setdefault(label, []).append)
        for label, name in (("t", "t"), ("again", "t"), ("other", "other"))
    ]

    def call(table: str) -> None:
        service.replies(throttled_for(SLOW), PAGE)
        wire.call("Scan", b"{}", table=table)

    call("t")
    assert {label: len(each) for label, each in heard.items()} == {"t": 1, "again": 1, "other": 0}
    ends[0]()
    call("t")
    call("other")
    call("unwatched")
    assert {label: len(each) for label, each in heard.items()} == {"t": 1, "again": 2, "other": 1}


@pytest.mark.parametrize(
    "reply", [refused("ValidationException"), html(503), refused("Slow", status=500)]
)
def test_what_fails_otherwise_is_not_told(service: FaultService, reply: Reply) -> None:
    service.replies(reply)
    wire, heard = wire_to(service), list[Throttle]()
    wire.watch("t", heard.append)
    with pytest.raises(Error):
        wire.call("Scan", b"{}", table="t")
    assert heard == []
    assert wire.throttles == 0


def test_threads_that_call_about_several_tables_are_told_apart(service: FaultService) -> None:
    count = iter(range(10_000))
    service.answers(lambda _request: throttled_for(SLOW) if next(count) % 2 else PAGE)
    wire = wire_to(service)
    heard: dict[str, list[str]] = {name: [] for name in "abcd"}

    def work(table: str) -> None:
        own = threading.get_ident()
        ends = wire.watch(table, lambda _: heard[table].append(str(threading.get_ident() == own)))
        for _ in range(20):
            wire.call("Scan", b"{}", table=table)
        ends()

    workers.gather(work, heard, workers=4)
    assert sum(map(len, heard.values())) == wire.throttles > 20
    assert {each for told in heard.values() for each in told} == {"True"}
