from __future__ import annotations

import logging
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.capacity import Budget
from dynamodb_core.errors import AccessError, ConfigError, ServiceError, TableNotFound
from dynamodb_core.settings import AwsSettings
from tap_dynamodb import sampling, sources
from tap_dynamodb.settings import Settings
from tests.engines.scanned import Account, ScannedTable, arn
from tests.engines.scripted import Clock

if TYPE_CHECKING:
    import msgspec

NAMES = ("dev-users", "orders", "orders_archive", "prod-users", "Orders")
DENIED = AccessError("DescribeTable on table orders is refused")


def account(**more: Any) -> Account:
    return Account({name: ScannedTable() for name in NAMES}, **more)


def settings(*tables: str, **more: Any) -> Settings:
    return replace(Settings(aws=AwsSettings()), tables=tables, **more)


def found(here: Account, *tables: str, **more: Any) -> list[str]:
    return [source.table.name for source in sources.find(here.wire, settings(*tables, **more))]


def test_names_and_arns_never_list_tables() -> None:
    here = account()
    assert found(here, "orders", arn("dev-users")) == ["dev-users", "orders"]
    assert sorted(call.request["TableName"] for call in here.wire.calls) == [
        arn("dev-users"),
        "orders",
    ]
    assert set(here.wire.operations()) == {"DescribeTable"}


def test_the_reference_is_what_the_configuration_says() -> None:
    here = account()
    found = sources.find(here.wire, settings("orders", arn("dev-users")))
    assert {source.table.name: source.reference for source in found} == {
        "orders": "orders",
        "dev-users": arn("dev-users"),
    }


@pytest.mark.parametrize(
    ("patterns", "names"),
    [
        (["*"], sorted(NAMES)),
        (["*-users"], ["dev-users", "prod-users"]),
        (["orders*"], ["orders", "orders_archive"]),
        (["?rders"], ["Orders", "orders"]),
        (["[Oo]rders"], ["Orders", "orders"]),
        (["dev*", "prod*"], ["dev-users", "prod-users"]),
        (["orders", "*-users"], ["dev-users", "orders", "prod-users"]),
        (["orders", "orders*"], ["orders", "orders_archive"]),
        ([arn("orders"), "orders*"], ["orders", "orders_archive"]),
    ],
)
def test_patterns_match_whole_names_with_regard_to_case(
    patterns: list[str], names: list[str]
) -> None:
    here = account()
    assert found(here, *patterns) == names
    assert len(here.calls("DescribeTable")) == len(names)


def test_every_page_of_the_list_is_read() -> None:
    here = account()
    assert len(found(here, "*")) == 5
    assert len(here.calls("ListTables")) == 3


def test_without_a_choice_there_is_everything() -> None:
    assert found(account()) == sorted(NAMES)


@pytest.mark.parametrize(
    ("tables", "excluded", "names"),
    [
        (["*"], ["*users", "Orders"], ["orders", "orders_archive"]),
        ([], ["o*"], ["Orders", "dev-users", "prod-users"]),
        (["orders", "dev-users"], ["orders"], ["dev-users"]),
        ([arn("orders"), "dev-users"], ["order?"], ["dev-users"]),
        (["orders*"], ["orders"], ["orders_archive"]),
    ],
)
def test_excluded_tables_are_not_even_described(
    tables: list[str], excluded: list[str], names: list[str]
) -> None:
    here = account()
    assert found(here, *tables, exclude_tables=tuple(excluded)) == names
    assert len(here.calls("DescribeTable")) == len(names)


def test_a_table_that_is_named_twice_is_one() -> None:
    assert found(account(), "orders", arn("orders"), "orders") == ["orders"]


def test_a_denied_table_is_an_error_when_it_is_named() -> None:
    here = account(denied={("DescribeTable", "orders"): DENIED})
    with pytest.raises(AccessError, match="orders is refused"):
        found(here, "orders", "*")


def test_when_every_table_that_matches_is_denied_it_is_an_error() -> None:
    here = account(denied={("DescribeTable", "orders"): DENIED})
    with pytest.raises(AccessError, match="orders is refused"):
        found(here, "order?")


def test_a_denied_table_is_left_out_with_a_warning_under_a_pattern(
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = account(denied={("DescribeTable", "orders"): DENIED})
    with caplog.at_level(logging.WARNING, "tap-dynamodb"):
        assert found(here, "orders*") == ["orders_archive"]
    (warning,) = caplog.messages
    assert warning.startswith("Table orders is left out")
    assert "refused" in warning


def test_a_denied_list_is_an_error() -> None:
    here = account(denied={("ListTables", ""): AccessError("ListTables is refused")})
    assert found(here, "orders") == ["orders"]
    with pytest.raises(AccessError, match="ListTables is refused"):
        found(here, "orders*")


def test_a_failing_service_is_an_error_also_under_a_pattern() -> None:
    here = account(denied={("DescribeTable", "orders"): ServiceError("It failed")})
    with pytest.raises(ServiceError, match="It failed"):
        found(here, "*")


def test_a_table_that_does_not_exist_is_an_error_when_it_is_named() -> None:
    with pytest.raises(TableNotFound, match="nowhere"):
        found(account(), "orders", "nowhere")


def test_a_table_that_is_gone_since_it_was_listed_is_left_out_with_a_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    here = account(denied={("DescribeTable", "orders"): TableNotFound("orders is gone")})
    with caplog.at_level(logging.WARNING, "tap-dynamodb"):
        assert found(here, "orders*") == ["orders_archive"]
    assert "orders is left out" in caplog.messages[0]


@pytest.mark.parametrize(
    ("tables", "excluded"), [(["nothing-*"], ()), (["dev-*"], ("*",)), (["orders"], ("orders",))]
)
def test_when_no_table_is_left_to_read_it_is_an_error(
    tables: list[str], excluded: tuple[str, ...]
) -> None:
    with pytest.raises(ConfigError, match="No table is left to read of"):
        found(account(), *tables, exclude_tables=excluded)


def test_settings_for_tables_that_are_not_read_are_told(caplog: pytest.LogCaptureFixture) -> None:
    chosen = settings(
        "orders",
        table_options={"order": {}, "ord*": {}, arn("orders"): {}, "users": {}},
        stream_names={"orders": "a", "oders": "b"},
    )
    here = account()
    tables = [source.table for source in sources.find(here.wire, chosen)]
    with caplog.at_level(logging.WARNING, "tap-dynamodb"):
        sources.warn_of_strangers(chosen, tables)
    assert caplog.messages == [
        f"{setting} names {name}, which is no table that is read here"
        for setting, name in (
            ("table_options", "order"),
            ("table_options", "users"),
            ("stream_names", "oders"),
        )
    ]


@pytest.mark.parametrize(
    ("chosen", "told"),
    [
        (settings("orders"), False),
        (settings("ord*"), False),
        (settings(arn("orders")), False),
        (settings(), False),
        (settings("users"), True),
        (settings("ord*", exclude_tables=("orders",)), True),
    ],
)
def test_a_catalog_of_another_choice_is_told(
    chosen: Settings, told: bool, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "tap-dynamodb"):
        annotation = {"name": "orders", "arn": arn("orders")}
        sources.warn_of_another_choice(chosen, "orders", annotation)
        sources.warn_of_another_choice(chosen, "made by hand", {})
    assert len(caplog.messages) == told


def test_a_pattern_that_matches_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "tap-dynamodb"):
        assert found(account(), "nothing-*", "orders*") == ["orders", "orders_archive"]
    assert caplog.messages == ["No table here matches nothing-*"]


# The choice


def test_a_choice_is_enough() -> None:
    sources.require_choice(settings("*"), ["a"])


def test_no_choice_lists_what_there_is_and_says_how_to_choose() -> None:
    with pytest.raises(ConfigError) as raised:
        sources.require_choice(settings(), ["b", "a"])
    assert str(raised.value) == (
        "No tables are chosen. There are 2 here: b, a. "
        'Set tables, for example ["b"], or ["*"] to read them all.'
    )


def test_a_long_list_is_cut() -> None:
    with pytest.raises(ConfigError) as raised:
        sources.require_choice(settings(), [f"t{n}" for n in range(25)])
    assert "There are 25 here" in raised.value.message
    assert "t19 and 5 more" in raised.value.message
    assert "t20" not in raised.value.message


def test_no_tables_at_all_is_said_too() -> None:
    with pytest.raises(ConfigError, match="There are 0 here: none"):
        sources.require_choice(settings(), [])


# The sample


def items(count: int) -> list[dict[str, Any]]:
    return [{"id": {"S": str(n)}, f"a{n % 3}": {"N": "1"}} for n in range(count)]


def sampled(size: int, count: int = 100, **more: Any) -> tuple[Account, list[msgspec.Raw]]:
    here = Account({"t": ScannedTable(items(count), page=1000)})
    (source,) = sources.find(here.wire, settings("t"))
    return here, sampling.sample(here.wire, source, settings("t", sample_size=size, **more))


@pytest.mark.parametrize(("size", "scans"), [(1, 1), (2, 2), (3, 3), (4, 4), (10, 4), (1000, 4)])
def test_a_sample_is_bounded_and_comes_from_several_places(size: int, scans: int) -> None:
    here, seen = sampled(size)
    requests = [call.request for call in here.calls("Scan")]
    assert [request["Segment"] for request in requests] == list(range(scans))
    assert {request["TotalSegments"] for request in requests} == {scans}
    assert size <= sum(request["Limit"] for request in requests) < size + scans
    assert len(seen) == min(sum(request["Limit"] for request in requests), 100)


def test_a_small_budget_has_a_small_sample() -> None:
    here, seen = sampled(1000, 2000, read_capacity=1)  # items of 100 bytes, 8 KB a unit, 10 s
    assert [call.request["Limit"] for call in here.calls("Scan")] == [205] * 4
    assert len(seen) == 820


def test_a_sample_of_none_reads_nothing() -> None:
    here, seen = sampled(0)
    assert here.calls("Scan") == []
    assert seen == []


def test_a_sample_reads_no_second_page() -> None:
    here = Account({"t": ScannedTable(items(100), page=2)})
    (source,) = sources.find(here.wire, settings("t"))
    seen = sampling.sample(here.wire, source, settings("t"))
    assert len(here.calls("Scan")) == 4
    assert len(seen) == 8


@pytest.mark.parametrize(
    ("item_format", "scans"), [("plain", 4), ("packed", 0), ("dynamodb_json", 0)]
)
def test_only_plain_is_sampled(item_format: str, scans: int) -> None:
    here = Account({"t": ScannedTable(items(100))})
    chosen = settings("t", item_format=item_format)
    found = sources.find(here.wire, chosen)
    schema = sampling.schemas(here.wire, found, ["own"], chosen)[0]["own"]
    assert len(here.calls("Scan")) == scans
    columns = {"id", "a0", "a1", "a2"} if item_format == "plain" else {"id", "item"}
    assert columns <= schema["properties"].keys()


def test_schemas_are_in_the_order_of_the_tables() -> None:
    here = account()
    chosen = settings("*", item_format="dynamodb_json")
    found = sources.find(here.wire, chosen)
    names = [source.table.name for source in found]
    schemas = sampling.schemas(here.wire, found, names, chosen)
    assert [
        schema["x-dynamodb-table"]["name"] for by_name in schemas for schema in by_name.values()
    ] == [source.table.name for source in found]


@pytest.mark.parametrize(
    ("reference", "name"),
    [("orders", "orders"), (arn("a-b.c_d"), "a-b.c_d")],
)
def test_the_name_of_a_reference(reference: str, name: str) -> None:
    assert sources.table_name(reference) == name


def test_a_sample_of_items_that_nobody_has_measured_is_careful_with_a_small_budget(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """DescribeTable counts a new table's items after hours: these have 100 KB."""
    clock = Clock()
    monkeypatch.setattr(sampling, "Budget", partial(Budget, clock=clock, sleep=clock.sleep))
    table = ScannedTable(items(2000), page=1000, units=50.0, more={"TableSizeBytes": 0})
    here = Account({"t": table})
    began, chosen = clock.now, settings("t", read_capacity=5)
    (source,) = sources.find(here.wire, chosen)
    sampling.sample(here.wire, source, chosen)
    assert [call.request["Limit"] for call in here.calls("Scan")] == [4, 1, 1, 1]
    assert (
        clock.now - began >= 4 * table.units / 5 - 1
    )  # it leaves no debt to the read that follows
