"""What a worker does with a page: the same in every process, and without the SDK."""

from __future__ import annotations

import pickle
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
import pytest

from dynamodb_core import layouts
from dynamodb_core.capacity import Budget
from dynamodb_core.change import Change
from dynamodb_core.converter import Converter
from dynamodb_core.errors import ConfigError, ServiceError
from dynamodb_core.expired import Expiry
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table_reader import TableReader
from dynamodb_core.throttling import Throttle
from dynamodb_core.wire import BotoWire
from tap_dynamodb.entities import Entities
from tap_dynamodb.marks import ReplicationKey
from tap_dynamodb.pages import Page, PageConverter, Widened
from tap_dynamodb.render import LineRenderer, RecordRenderer
from tap_dynamodb.seen import Highest
from tests.engines.scanned import Account, ScannedTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dynamodb_core.layouts import Layout
    from dynamodb_core.parts import Block

RULES = [
    {"stream": "users", "where": {"id": {"prefix": "u"}}},
    {"stream": "odd", "where": {"n": {"equals": 1}, "id": {"prefix": "o"}}},
]
NOW = 1_800_000_000
ITEMS: list[dict[str, Any]] = [
    {"id": {"S": "u1"}, "n": {"N": "1"}, "at": {"S": "2026-11-21T12:00:00Z"}},
    {"id": {"S": "o1"}, "n": {"N": "1.0"}, "at": {"S": "2026-11-21T13:00:00Z"}},
    {"id": {"S": "o2"}, "n": {"N": "2"}, "gone": {"N": str(NOW - 60)}},
    {"id": {"S": "x"}, "late": {"SS": ["a", "b"]}, "gone": {"N": str(NOW + 60)}},
]
RAW = [msgspec.Raw(orjson.dumps(item)) for item in ITEMS]
COLUMNS = layouts.Columns({"id": "S", "n": "N"}, reserved="_dynamodb")


def now() -> float:
    return NOW


def converter(renderer: Callable[[str], LineRenderer | RecordRenderer]) -> PageConverter:
    return PageConverter(
        {name: renderer(name) for name in ("users", "odd", "own")},
        Entities.of(RULES, "own"),
        Expiry("gone", now=now),
        Highest(ReplicationKey("t", "at", 2**63)),
    )


def lines(name: str) -> LineRenderer:
    return LineRenderer(name, 7, Converter(COLUMNS))


def records(_name: str) -> RecordRenderer:
    return RecordRenderer(COLUMNS)


def shown(page: Page) -> Any:
    """Return all of a page but the time."""
    parts = {
        name: (
            [{**orjson.loads(line), "time_extracted": 0} for line in part.lines.splitlines()],
            *(part.count, part.records, part.late, part.reserved, dict(part.rest)),
            [bytes(item) for item in part.items],
        )
        for name, part in page.parts.items()
    }
    return parts, page.expired, page.seen


@pytest.mark.parametrize("renderer", [lines, records])
def test_a_pickled_converter_makes_the_same_pages(
    renderer: Callable[[str], LineRenderer | RecordRenderer],
) -> None:
    one = converter(renderer)
    before = shown(one(RAW))
    again = pickle.loads(pickle.dumps(one))
    assert shown(again(RAW)) == before
    parts, expired, (seen,) = before
    assert expired == 1
    assert [parts[name][1] or len(parts[name][2]) for name in ("users", "odd", "own")] == [1, 1, 1]
    assert parts["own"][3] == {"late": "SS", "gone": "N"}
    assert seen.found["S"].count == 2


def test_a_pickled_page_is_the_same_page() -> None:
    page = converter(lines)(RAW)
    assert shown(pickle.loads(pickle.dumps(page, 5))) == shown(page)
    assert type(pickle.loads(pickle.dumps(page, 5)).parts["own"].lines) is bytes


@pytest.mark.parametrize("renderer", [lines, records])
def test_a_wider_layout_holds_from_the_next_page_on(
    renderer: Callable[[str], LineRenderer | RecordRenderer],
) -> None:
    one = converter(renderer)
    assert one(RAW).parts["own"].late
    wider = COLUMNS.widened({"late": "SS", "gone": "N"})
    one.widen("own", wider)
    assert not one(RAW).parts["own"].late
    assert not pickle.loads(pickle.dumps(one))(RAW).parts["own"].late
    assert one(RAW).parts["users"].late == {"at": "S"}


def test_streams_that_are_not_asked_for_are_left_out() -> None:
    one = PageConverter({"users": lines("users")}, Entities.of(RULES, "own"))
    page = one(RAW)
    assert list(page.parts) == ["users"]
    assert (page.expired, page.seen) == (0, ())


# The reader


def doubled(blocks: Iterator[Block[Page]]) -> Iterator[Block[Page]]:
    for block in blocks:
        yield block
        yield block


def reader(account: Account, **more: Any) -> TableReader:
    return TableReader(ReadPlan("t", 1), account.wire, Budget(None), converter(lines), **more)


def test_a_part_is_read_from_its_place_to_its_end() -> None:
    account = Account({"t": ScannedTable(ITEMS, page=2)})
    with reader(account) as one:
        blocks = list(one(Part(0)))
        assert [block.finished for block in blocks] == [False, True]
        assert next(one(Part(0, blocks[0].place))).place == blocks[1].place


def test_what_becomes_of_a_part_is_decided_in_the_worker() -> None:
    account = Account({"t": ScannedTable(ITEMS, page=2)})
    with reader(account, finish=doubled) as one:
        assert len(list(one(Part(0)))) == 4


def test_the_budget_hears_of_throttled_calls_as_long_as_it_is_read() -> None:
    account = Account({"t": ScannedTable(ITEMS, page=2)})
    budget = Budget(None)
    account.wire.throttle("t", Throttle())
    with TableReader(ReadPlan("t", 1), account.wire, budget, converter(lines)):
        account.wire.throttle("t", Throttle())
        account.wire.throttle("other", Throttle())
    account.wire.throttle("t", Throttle())
    assert budget.throttles == 1


def test_news_go_to_the_converter() -> None:
    account = Account({"t": ScannedTable(ITEMS)})
    with reader(account) as one:
        one.tell(Widened("own", COLUMNS.widened({"late": "SS", "gone": "N"})))
        (block,) = one(Part(0))
        assert not block.payload.parts["own"].late


def test_a_part_has_a_name() -> None:
    account = Account({"t": ScannedTable(ITEMS)})
    assert reader(account).name(0) == "segment 0 of 1 of table t"


NO_BUDGET: Any = None
"""Locks travel only on the way to a worker process of our own."""

IN_A_WORKER = """\
import pickle, sys
reader = pickle.load(sys.stdin.buffer)
reader.name(0)
print(*sorted(each for each in sys.modules if each.partition(".")[0] in ("singer_sdk", "click")))
"""


def test_a_worker_process_needs_nothing_of_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import takes as long as all else that a worker needs to begin."""
    monkeypatch.setenv("PYTHONPATH", ":".join(sys.path))
    wire = BotoWire(AwsSettings(region="eu-west-1"))
    one = TableReader(ReadPlan("t", 1), wire, NO_BUDGET, converter(lines), finish=doubled)
    done = subprocess.run(
        [sys.executable, "-c", IN_A_WORKER],
        input=pickle.dumps(one),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split() == []


def test_a_refused_read_is_about_the_configuration() -> None:
    account = Account({"t": ScannedTable(ITEMS)})
    account.denied["Scan", "t"] = ServiceError("No such thing", code="ValidationException")
    with (
        reader(account) as one,
        pytest.raises(ConfigError, match="DynamoDB refuses to read table t"),
    ):
        list(one(Part(0)))


def test_changes_go_to_the_stream_of_their_item_and_deletions_where_it_may_have_been() -> None:
    whole = Change(orjson.dumps(ITEMS[0]), b'{"id":{"S":"u1"}}', 1)
    known = Change(None, b'{"id":{"S":"o1"}}', 2, old=orjson.dumps(ITEMS[1]))
    unknown = Change(None, b'{"id":{"S":"u9"}}', 3)
    pages = PageConverter(
        {name: records(name) for name in ("users", "odd", "own")},
        Entities.of(RULES, "own"),
        keys={"id": "S"},
    )
    page = pickle.loads(pickle.dumps(pages)).changes([whole, known, unknown])
    ids = {name: [each["id"] for each in part.records] for name, part in page.parts.items()}
    assert ids == {"users": ["u1", "u9"], "odd": ["o1", "u9"], "own": ["u9"]}


def test_changes_of_rules_about_keys_alone_go_to_one_stream() -> None:
    pages = PageConverter(
        {name: lines(name) for name in ("users", "own")},
        Entities.of(RULES[:1], "own"),
        keys={"id": "S"},
    )
    page = pages.changes([Change(None, b'{"id":{"S":"u9"}}', 3)])
    assert {name: part.count for name, part in page.parts.items()} == {"users": 1, "own": 0}


def test_items_that_have_expired_are_left_out_of_changes_and_deletions_are_not() -> None:
    pages = PageConverter(
        {"own": lines("own")}, Entities.of([], "own"), Expiry("gone", now=now), keys={"id": "S"}
    )
    gone, alive = (Change(orjson.dumps(item), None, 1) for item in ITEMS[2:])
    page = pages.changes([gone, alive, Change(None, b'{"id":{"S":"x"}}', 2)])
    assert (page.expired, page.parts["own"].count) == (1, 2)


@pytest.mark.parametrize("renderer", [lines, records])
def test_changes_have_the_columns_of_a_wider_layout_from_the_next_page_on(
    renderer: Callable[[str], LineRenderer | RecordRenderer],
) -> None:
    pages = PageConverter({"own": renderer("own")}, Entities.of([], "own"), keys={"id": "S"})
    change = Change(orjson.dumps(ITEMS[3]), b'{"id":{"S":"x"}}', 1)
    assert pages.changes([change]).parts["own"].late
    pages.widen("own", COLUMNS.widened({"late": "SS", "gone": "N"}))
    assert not pages.changes([change]).parts["own"].late


@pytest.mark.parametrize("old_image", [True, False])
def test_changes_tell_the_item_before_where_that_is_asked_for_in_every_process(
    old_image: bool,
) -> None:
    pages = PageConverter(
        {"own": records("own")}, Entities.of([], "own"), keys={"id": "S"}, old_image=old_image
    )
    change = Change(None, b'{"id":{"S":"x"}}', 1, old=orjson.dumps(ITEMS[0]))
    for one in (pages, pickle.loads(pickle.dumps(pages))):
        [record] = one.changes([change]).parts["own"].records
        assert ("_sdc_old_image" in record) is old_image


def test_deletions_do_not_make_a_page_compile_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Layout] = []

    def note(layout: Layout) -> Converter:
        made.append(layout)
        return Converter(layout)

    monkeypatch.setattr("tap_dynamodb.changed.Converter", note)
    pages = PageConverter({"own": lines("own")}, Entities.of([], "own"), keys={"id": "S"})
    for number in range(5):
        pages.changes([Change(None, b'{"id":{"S":"x"}}', number)])
    assert len(made) == 1


def test_items_of_a_snapshot_stay_marked_when_columns_are_added() -> None:
    renderer = LineRenderer("own", 7, Converter(COLUMNS), snapshot=5)
    pages = PageConverter({"own": renderer}, Entities.of([], "own"), keys={"id": "S"})
    pages.tell(Widened("own", COLUMNS.widened({"late": "SS", "gone": "N", "at": "S"})))
    for one in (pages, pickle.loads(pickle.dumps(pages))):
        part = one(RAW).parts["own"]
        assert part.lines.count(b'"_sdc_deleted_at":null,"_sdc_sequence":5}') == len(RAW)
