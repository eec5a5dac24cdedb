from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest

from dynamodb_core.errors import ConfigError, DataError, StateError
from dynamodb_core.expressions import Range
from tap_dynamodb.bookmarks import START_OVER
from tap_dynamodb.incremental import STATE_KEY, Marks

BEGAN = datetime(2026, 11, 21, 12, 5, tzinfo=timezone.utc)
"""With the lookback of five minutes, a mark is at most noon."""
NOON = "2026-11-21T12:00:00Z"


def marks(state: Any = None, **more: Any) -> Marks:
    return Marks.load(
        {} if state is None else json.loads(json.dumps({STATE_KEY: state})),
        **{
            "table": "orders",
            "name": "updated_at",
            "began": BEGAN,
            "lookback": timedelta(minutes=5),
            **more,
        },
    )


def raw(*values: Any, name: str = "updated_at") -> list[msgspec.Raw]:
    """Items whose replication key has these values; None leaves it out."""
    items = [
        {
            "id": {"S": "1"},
            **({} if typed is None else {name: typed}),
            "M": {"M": {"S": {"N": "1"}}},
        }
        for typed in values
    ]
    return [msgspec.Raw(json.dumps(item).encode()) for item in items]


def read(one: Marks, *values: Any, part: str | None = None) -> Marks:
    one.advance(part, one.observe(raw(*values, name=one.key.name)))
    return one


def s(*texts: str) -> list[dict[str, str]]:
    return [{"S": text} for text in texts]


def n(*texts: str) -> list[dict[str, str]]:
    return [{"N": text} for text in texts]


def bookmark(*pairs: Any, **more: Any) -> list[dict[str, Any]]:
    return [{"replication_key": "updated_at", **more, "marks": [list(pair) for pair in pairs]}]


# The rule for times


@pytest.mark.parametrize(
    ("values", "mark"),
    [
        (s("2026-11-21T11:00:00Z", "2026-11-21T11:30:00Z", "2026-11-20T23:00:00Z"), 1),
        (s("2026-11-21T11:00:00Z", NOON, "2026-11-21T12:00:01Z"), 1),
        (s("2026-11-21T11:00:00Z", "2026-11-21T12:00:00.000000001Z", "9999-12-31"), 0),
        (s("2026-11-21T11:00:00Z", "2026-11-21T11:00:00.5Z"), 1),
        (s("2026-11-21T11:00:00Z", "2026-11-21 11:30:00"), 1),
        (s("2026-11-21", "2026-11-20T23:59:59Z"), 0),
        (n("1795262399", "1795262400", "1795262401"), 1),
        (n("1795262400000", "1795262399.5", "1795262400001"), 0),
        (n("1795262399", "1.7952624E9", "4102444800"), 1),
        (s("2026-11-21T12:01:00Z", "2026-11-21T12:02:00Z"), None),
        ([], None),
        ([None, {"BOOL": True}], None),
    ],
)
def test_the_mark_is_the_highest_value_seen_that_is_not_after_the_start(
    values: list[Any], mark: int | None
) -> None:
    expected = [] if mark is None else bookmark((None, values[mark]))
    for order in (values, values[::-1]):
        assert read(marks(), *order).complete() == expected
        one = marks()
        for value in order:
            read(one, value)
        assert one.complete() == expected


def test_the_old_mark_stays_where_nothing_newer_may_follow_it() -> None:
    old = bookmark((None, {"S": "2026-11-21T11:00:00Z"}))
    assert marks(old).complete() == old
    assert read(marks(old), {"S": "2026-11-21T12:30:00Z"}, None).complete() == old
    assert read(marks(old), {"S": "2026-11-21T10:59:00Z"}).complete() == old
    newer = bookmark((None, {"S": "2026-11-21T11:01:00Z"}))
    assert read(marks(old), {"S": "2026-11-21T11:01:00Z"}).complete() == newer


def test_a_run_that_goes_on_knows_what_the_run_before_it_has_seen() -> None:
    first = read(marks(), *s("2026-11-21T11:50:00Z"))
    candidates = json.loads(json.dumps(first.dump()))
    assert candidates == [[None, {"S": "2026-11-21T11:50:00Z"}]]
    second = read(marks(candidates=candidates), *s("2026-11-21T11:40:00Z"))
    assert second.complete() == bookmark((None, {"S": "2026-11-21T11:50:00Z"}))


def test_a_longer_lookback_takes_a_candidate_back() -> None:
    candidates = [[None, {"S": "2026-11-21T11:50:00Z"}]]
    assert marks(candidates=candidates, lookback=timedelta(hours=1)).complete() == []


def test_the_bounds_are_those_of_the_mark_until_the_scan_is_complete() -> None:
    one = marks(bookmark((None, {"S": "2026-11-21T11:00:59.5Z"})))
    before = one.bounds()
    assert before == (
        Range({"S": "2026-11-21"}, {"S": "2026-11-21"}),
        Range({"S": "2026-11-21 11:00"}, {"S": "2026-11-21 ~"}),
        Range({"S": "2026-11-21T11:00"}, None),
    )
    assert read(one, *s("2026-11-21T11:30:00Z")).bounds() == before
    assert marks().bounds() == ()


def test_bounds_of_numbers_begin_with_the_second_of_the_mark() -> None:
    one = marks(bookmark((None, {"N": "1795262399999"})))
    assert [each.low["N"] for each in one.bounds()] == [
        "1795262399",
        "1795262399000",
        "1795262399000000",
        "1795262399000000000",
    ]


# Types


def test_items_without_the_attribute_or_with_another_type_are_counted_and_never_a_mark() -> None:
    one = marks(bookmark((None, {"S": "2026-11-21T11:00:00Z"})))
    values = [None, {"N": "1795262300"}, {"N": "7"}, {"NULL": True}, {"M": {"S": {"S": NOON}}}]
    read(one, *values, {"S": "2026-11-21T12:00:01Z"}, {"B": "AP8="})
    assert (one.tally.missing, one.tally.other, one.tally.beyond) == (1, 5, 1)
    assert one.complete() == bookmark((None, {"S": "2026-11-21T11:00:00Z"}))
    line = one.tally.line("updated_at")
    assert "1 items have no updated_at and 5 have" in line
    assert "1 values of updated_at are later" in line


def test_nothing_is_told_of_a_run_like_any_other() -> None:
    assert read(marks(), *s(NOON)).tally.line("updated_at") == ""


def test_without_a_type_the_first_page_decides_by_what_it_has_more_of() -> None:
    one = marks()
    assert [each.low for each in marks(start_date="2026-11-21").bounds()][:2] == [
        {"S": "2026-11-21"},
        {"N": "1795219200"},
    ]
    read(one, *s("2026-11-21T11:00:00Z", "2026-11-21T11:01:00Z"), *n("1795262399"))
    read(one, *n("1795262398", "1795262397", "1795262396"))
    assert one.complete() == bookmark((None, {"S": "2026-11-21T11:01:00Z"}))
    assert one.tally.other == 4
    assert read(marks(), *n("1795262399"), None).complete() == bookmark((None, {"N": "1795262399"}))


def test_a_known_type_counts_alone() -> None:
    one = read(marks(kind="S"), *n("7", "1795262399"))
    assert (one.tally.other, one.complete()) == (2, [])
    one = read(marks(kind="N"), {"S": "text"}, {"N": "1795262399"})
    assert (one.tally.other, one.complete()) == (1, bookmark((None, {"N": "1795262399"})))


def test_the_type_of_the_mark_goes_before_that_of_a_column() -> None:
    assert marks(bookmark((None, {"S": NOON})), kind="N").key.kind == "S"


@pytest.mark.parametrize("kind", ["B", "BOOL", "M"])
def test_other_types_are_no_replication_keys(kind: str) -> None:
    with pytest.raises(ConfigError, match=f"is of type {kind}"):
        marks(kind=kind)


# Names


@pytest.mark.parametrize("name", ["updated_at", "a.b", "größe", 'with "quotes"', "a\\b", "\t", "S"])
def test_attributes_of_any_name(name: str) -> None:
    one = read(marks(name=name), *s(NOON), None, {"L": []})
    assert (one.tally.missing, one.tally.other) == (1, 1)
    assert one.complete() == [{"replication_key": name, "marks": [[None, {"S": NOON}]]}]


@pytest.mark.parametrize("name", ["updated_at", 'with "quotes"'])
@pytest.mark.parametrize(
    "item",
    [
        b"{",
        b"[]",
        b"7",
        b'{"updated_at": 7, "with \\"quotes\\"": "text"}',
        b'{"updated_at": {"S": 7}, "with \\"quotes\\"": {"N": null}}',
    ],
)
def test_what_is_no_item_is_one_clear_line(name: str, item: bytes) -> None:
    with pytest.raises(DataError):
        marks(name=name).observe([msgspec.Raw(item)])


# Values that are no times


@pytest.mark.parametrize(
    "value", [*s("01JD7Z8W5M5K8B4V2N7Q0R3T6Y", "", "2026-02-30"), *n("17", "-1795262400")]
)
def test_a_scan_wants_times(value: dict[str, str]) -> None:
    with pytest.raises(ConfigError) as raised:
        read(marks(), {"S": NOON}, value)
    assert "orders" in raised.value.message
    assert "updated_at" in raised.value.message
    assert "index and query" in raised.value.hint
    assert not value.get("S") or value["S"] not in str(raised.value)


@pytest.mark.parametrize("ordered", [False, True])
def test_a_time_that_is_not_in_utc_is_explained(ordered: bool) -> None:
    with pytest.raises(ConfigError) as raised:
        read(marks(ordered=ordered), {"S": "2026-11-21T12:00:00+02:00"})
    assert "offset +02:00" in raised.value.message
    assert "byte by byte" in raised.value.message


@pytest.mark.parametrize(
    ("values", "highest"),
    [
        (n("9", "10", "-3"), 1),
        (n("12345678901234567890123456789012345678", "12345678901234567890123456789012345679"), 1),
        (n("0.1", "0.30000000000000004", "3E-1"), 1),
        (s("b", "é", "a"), 1),
        (s("\uffff", "\U0001f600"), 1),
        (s("01JD7Z8W5M", "01JD7Z8W5N"), 1),
        (s("2026-11-21T11:00:00Z", "draft"), 1),
        (s("2026-11-21T11:00", "0001", "2026-11-21T12:30"), 0),
        (n("99999999", "100000001", "5"), 1),
    ],
)
def test_a_query_may_go_by_any_value(values: list[dict[str, str]], highest: int) -> None:
    one = read(marks(ordered=True), *values, part="pk = a")
    assert one.complete(["pk = a"]) == bookmark(("pk = a", values[highest]))
    again = marks(one.complete(["pk = a"]), ordered=True)
    assert again.bounds("pk = a") == (Range(values[highest], None),)
    assert again.bounds("pk = b") == ()


# Queries


def test_each_partition_of_a_query_has_a_mark_of_its_own() -> None:
    old = bookmark(("a", {"N": "5"}), ("b", {"N": "7"}), ("gone", {"N": "9"}))
    one = read(marks(old, ordered=True), *n("6", "8"), part="a")
    read(one, *n("3"), part="c")
    assert one.dump() == [["a", {"N": "8"}], ["c", {"N": "3"}]]
    assert one.complete(["c", "b", "a", "empty"]) == bookmark(
        ("a", {"N": "8"}), ("b", {"N": "7"}), ("c", {"N": "3"})
    )


@pytest.mark.parametrize(
    ("mark", "low"),
    [
        ({"S": "2026-11-21T11:00:59.5Z"}, {"S": "2026-11-21T11:00"}),
        ({"S": "2026-11-21 11:00:59"}, {"S": "2026-11-21 11:00"}),
        ({"S": "2026-11-21"}, {"S": "2026-11-21"}),
        ({"N": "1795262399.5"}, {"N": "1795262399"}),
        ({"N": "1795262399999"}, {"N": "1795262399999"}),
        ({"N": "-1.5"}, {"N": "-1.5"}),
        ({"S": "v0007"}, {"S": "v0007"}),
    ],
)
def test_a_query_has_one_bound(mark: dict[str, str], low: dict[str, str]) -> None:
    one = marks(bookmark(("a", mark)), ordered=True)
    assert one.bounds("a") == (Range(low, None),)


def test_times_beyond_the_start_are_no_marks_of_a_query_either() -> None:
    one = read(marks(ordered=True), *s("2026-11-21T11:00:00Z", "2026-11-21T12:04:00Z"), part="a")
    assert one.complete(["a"]) == bookmark(("a", {"S": "2026-11-21T11:00:00Z"}))


@pytest.mark.parametrize(
    "values",
    [
        s("2026-11-20 11:00:00", "2026-11-20T11:00:00Z"),
        s("2026-11-20", "2026-11-20T11:00:00Z"),
        n("1795262300", "1795262300000"),
    ],
)
def test_a_partition_whose_times_do_not_sort_by_time_is_explained(values: list[Any]) -> None:
    with pytest.raises(ConfigError, match="by a scan"):
        read(marks(ordered=True), *values, part="a")
    one = read(marks(ordered=True), values[0], part="a")
    with pytest.raises(ConfigError, match="in several ways"):
        read(one, values[1], part="a")
    read(read(marks(ordered=True), values[0], part="a"), values[1], part="b")


# The start date


def test_a_start_date_holds_where_there_is_no_mark() -> None:
    assert marks(start_date="2026-11-21", kind="S").bounds() == (Range({"S": "2026-11-21"}, None),)
    numbers = marks(start_date="2026-11-21T12:00:00.5Z", kind="N").bounds()
    assert [each.low["N"] for each in numbers][:2] == ["1795262400.5", "1795262400500"]
    with_mark = marks(bookmark((None, {"S": "2026-11-20"})), start_date="2026-11-21")
    assert with_mark.bounds() == (Range({"S": "2026-11-20"}, None),)


@pytest.mark.parametrize(
    ("like", "low"),
    [
        ({"S": "2020-01-01T00:00:00Z"}, {"S": "2026-11-21T12:00"}),
        ({"S": "2020-01-01 00:00:00"}, {"S": "2026-11-21 12:00"}),
        ({"S": "2020-01-01"}, {"S": "2026-11-21"}),
        ({"N": "1500000000"}, {"N": "1795262400"}),
        ({"N": "1500000000000"}, {"N": "1795262400000"}),
    ],
)
def test_a_query_writes_the_start_date_like_its_values(
    like: dict[str, str], low: dict[str, str]
) -> None:
    one = marks(start_date=NOON, ordered=True)
    assert one.needs_sample("a")
    assert one.bounds("a", like) == (Range(low, None),)
    assert one.bounds("a") == ()


def test_no_sample_is_needed_without_a_start_date_or_with_a_mark_or_for_a_scan() -> None:
    assert not marks(ordered=True).needs_sample("a")
    assert not marks(start_date=NOON).needs_sample()
    with_mark = marks(bookmark(("a", {"N": "5"})), ordered=True, start_date=NOON)
    assert (with_mark.needs_sample("a"), with_mark.needs_sample("b")) == (False, True)


@pytest.mark.parametrize("like", [{"N": "17"}, {"S": "01JD7Z8W5M5K8B4V2N7Q0R3T6Y"}])
def test_a_start_date_wants_times(like: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="start_date"):
        marks(start_date=NOON, ordered=True).bounds("a", like)


def test_a_start_date_that_is_none() -> None:
    with pytest.raises(ConfigError, match="yesterday"):
        marks(start_date="yesterday")


# State


def test_a_bookmark_of_another_replication_key_says_how_to_start_over() -> None:
    with pytest.raises(StateError) as raised:
        marks([{"replication_key": "changed", "marks": [[None, {"S": NOON}]]}])
    assert "changed" in raised.value.message
    assert "updated_at" in raised.value.message
    assert raised.value.hint == START_OVER


def test_a_bookmark_holds_for_its_scope() -> None:
    one = read(marks(scope="id-1, no filter"), *s(NOON)).complete()
    assert one == bookmark((None, {"S": NOON}), scope="id-1, no filter")
    assert marks(one, scope="id-1, no filter").complete() == one
    for other in ("id-2", ""):
        with pytest.raises(StateError) as raised:
            marks(one, scope=other)
        assert raised.value.hint == START_OVER


@pytest.mark.parametrize("state", [[], None])
def test_there_is_no_bookmark(state: Any) -> None:
    assert marks(state).bounds() == ()


PAIR = [None, {"S": NOON}]
BROKEN: list[Any] = [
    7,
    [7],
    [[]],
    [[None]],
    [[None, None]],
    [[None, "text"]],
    [[None, {}]],
    [[None, {"S": 7}]],
    [[None, {"S": None}]],
    [[None, {"N": "text"}]],
    [[None, {"N": "NaN"}]],
    [[None, {"N": "7"}]],
    [[None, {"S": "01JD7Z8W5M"}]],
    [[None, {"S": "2026-11-21T12:00:00+02:00"}]],
    [[None, {"B": "AP8="}]],
    [[None, {"S": NOON, "N": "1"}]],
    [[7, {"S": NOON}]],
    [[["a"], {"S": NOON}]],
    [PAIR, PAIR],
]


@pytest.mark.parametrize(
    "state",
    [
        "text",
        7,
        {"replication_key": "updated_at", "marks": [PAIR]},
        ["text"],
        [None],
        [{}],
        [{"marks": [PAIR]}],
        [{"replication_key": "updated_at"}],
        [*bookmark(PAIR), *bookmark(PAIR)],
        *([{"replication_key": "updated_at", "marks": pairs}] for pairs in BROKEN),
        bookmark(PAIR, ["a", {"N": "1795262400"}]),
    ],
)
def test_a_state_that_cannot_be_read_says_how_to_start_over(state: Any) -> None:
    with pytest.raises(StateError) as raised:
        marks(state)
    assert raised.value.hint == START_OVER


@pytest.mark.parametrize("pairs", BROKEN)
def test_so_does_a_candidate(pairs: Any) -> None:
    with pytest.raises(StateError) as raised:
        marks(candidates=pairs)
    assert raised.value.hint == START_OVER


@pytest.mark.parametrize("mark", [*n("text", "NaN", "", "1,5"), {"B": "AP8="}, {"M": "a"}])
def test_so_does_the_mark_of_a_query(mark: dict[str, str]) -> None:
    with pytest.raises(StateError) as raised:
        marks(bookmark(("a", mark)), ordered=True)
    assert raised.value.hint == START_OVER


def test_a_sort_key_of_another_type_says_how_to_start_over() -> None:
    with pytest.raises(StateError, match="which has one type, N"):
        marks(bookmark(("a", {"S": "v7"})), ordered=True, kind="N")
    with pytest.raises(StateError, match="N and S"):
        marks(bookmark((None, {"S": NOON})), candidates=[[None, {"N": "1795262400"}]])
