"""Warming a table up: what is planned, what is done, what is put back, also after a crash."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import AccessError, ConfigError, Error, ServiceError, StateError
from dynamodb_core.notes import OWN, TAG, Note, Notes
from dynamodb_core.warm_up import WarmUp, plan, put_back
from dynamodb_core.warmth import Warmth
from tests.engines.warmed import Crash, WarmedTable

if TYPE_CHECKING:
    from pathlib import Path

LOG = logging.getLogger("test.warm_up")
UNITS = {OWN: (5, 7), "by_day": (3, 4)}
RAISE = WarmUp("provisioned", write=100)


def warmth(service: WarmedTable, folder: Path | None = None) -> Warmth:
    return Warmth(service.wire, LOG, folder=folder, sleep=lambda _seconds: None)


# The setting


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (None, None),
        ({}, None),
        ({"method": "on_demand"}, WarmUp("on_demand")),
        ({"method": "provisioned", "write_units": 5}, WarmUp("provisioned", write=5)),
        (
            {"method": "warm_throughput", "read_units": 5, "accept_cost": True},
            WarmUp("warm_throughput", read=5),
        ),
    ],
)
def test_the_setting(said: Any, asked: WarmUp | None) -> None:
    assert WarmUp.of(said) == asked


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"method": "provisioned"}, "says no units"),
        ({"method": "warm_throughput", "accept_cost": True}, "says no units"),
        ({"method": "warm_throughput", "read_units": 5}, "Set accept_cost to true"),
        ({"method": "warm_throughput", "read_units": 5, "accept_cost": False}, "never be lowered"),
    ],
)
def test_what_cannot_be_asked_for(said: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        WarmUp.of(said)


# Plans


def test_writing_raises_the_table_and_its_global_indexes_and_lowers_nothing() -> None:
    table = WarmedTable({OWN: (5, 7), "by_day": (3, 4), "fast": (1, 500)}).table
    found = plan(table, RAISE)
    assert found
    assert found.request == {
        "TableName": "t",
        "ProvisionedThroughput": {"ReadCapacityUnits": 5, "WriteCapacityUnits": 100},
        "GlobalSecondaryIndexUpdates": [
            {
                "Update": {
                    "IndexName": "by_day",
                    "ProvisionedThroughput": {"ReadCapacityUnits": 3, "WriteCapacityUnits": 100},
                }
            }
        ],
    }
    assert found.note == Note(
        "provisioned",
        {OWN: (5, 7), "by_day": (3, 4)},
        {OWN: ((5, 100),), "by_day": ((3, 100),)},
    )


@pytest.mark.parametrize("index", [OWN, "by_day"])
def test_reading_raises_what_is_read_and_nothing_else(index: str) -> None:
    found = plan(WarmedTable(UNITS).table, WarmUp("provisioned", read=50), None, index)
    assert found
    assert found.note
    assert found.note.after == {index: ((50, UNITS[index][1]),)}


@pytest.mark.parametrize(
    ("billing", "asked"),
    [
        ("PROVISIONED", WarmUp("provisioned", read=3, write=4)),
        ("PAY_PER_REQUEST", WarmUp("on_demand")),
    ],
)
def test_a_table_that_has_what_is_asked_for_is_left_alone(billing: str, asked: WarmUp) -> None:
    assert plan(WarmedTable(UNITS, billing=billing).table, asked) is None


def test_there_are_no_units_to_raise_of_a_table_on_demand() -> None:
    table = WarmedTable(UNITS, billing="PAY_PER_REQUEST").table
    with pytest.raises(ConfigError, match="warm_throughput"):
        plan(table, RAISE)


def test_warm_throughput_is_raised_only_and_leaves_nothing_to_put_back() -> None:
    service = WarmedTable(UNITS, billing="PAY_PER_REQUEST")
    service.warm = {OWN: {"WriteUnitsPerSecond": 4000}, "by_day": {"WriteUnitsPerSecond": 9000}}
    asked = WarmUp("warm_throughput", read=100, write=5000)
    made = warmth(service)
    made.up(service.table, asked)
    assert service.warm == {
        OWN: {"ReadUnitsPerSecond": 100, "WriteUnitsPerSecond": 5000},
        "by_day": {"WriteUnitsPerSecond": 9000},
    }
    assert plan(service.table, asked) is None
    made.down()
    assert len(service.updates()) == 1
    assert service.tags == {}


def test_a_switch_back_gives_every_index_units_also_one_that_is_new() -> None:
    service = WarmedTable({**UNITS, "new": (1, 1)}, billing="PAY_PER_REQUEST")
    back = put_back(service.table, Note("on_demand", UNITS))
    assert back
    service._update(dict(back.request))
    assert service.billing == "PROVISIONED"
    assert service.units == {**UNITS, "new": UNITS[OWN]}


# Up and down


@pytest.mark.parametrize("asked", [RAISE, WarmUp("on_demand")])
@pytest.mark.parametrize("tagged", [True, False])
def test_what_was_raised_is_there_when_the_load_begins_and_is_put_back(
    asked: WarmUp, tagged: bool, tmp_path: Path
) -> None:
    service = WarmedTable(UNITS, tagged=tagged)
    made = warmth(service, tmp_path / "notes")
    table = made.up(service.table, asked)
    [index] = table.description["GlobalSecondaryIndexes"]
    assert (table.description["TableStatus"], index["IndexStatus"]) == ("ACTIVE", "ACTIVE")
    assert (table.billing, table.write_units) != ("PROVISIONED", 7)
    assert bool(service.tags) is tagged
    assert len([*tmp_path.rglob("t-*")]) == (not tagged)
    made.down()
    made.down()
    assert (service.billing, service.units) == ("PROVISIONED", UNITS)
    assert service.tags == {}
    assert [*tmp_path.rglob("t-*")] == []
    assert len(service.updates()) == 2


def test_a_note_in_a_file_is_nobody_elses(tmp_path: Path) -> None:
    service = WarmedTable(UNITS, tagged=False)
    warmth(service, tmp_path / "notes").up(service.table, RAISE)
    [file] = tmp_path.rglob("t-*")
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700


def test_without_a_place_for_a_note_nothing_is_changed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    service = WarmedTable(UNITS, tagged=False)
    with pytest.raises(ConfigError, match=r"neither in a tag.*dynamodb:TagResource"):
        warmth(service, tmp_path / "file").up(service.table, RAISE)
    assert service.updates() == []


def test_the_note_is_written_before_anything_is_changed_and_removed_after() -> None:
    service = WarmedTable(UNITS)
    made = warmth(service)
    made.up(service.table, RAISE)
    made.down()
    order = [
        each for each in service.wire.operations() if "Resource" not in each or "List" not in each
    ]
    order = [each for each in order if each != "DescribeTable"]
    assert order == ["TagResource", "UpdateTable", "UpdateTable", "UntagResource"]


def test_what_others_have_changed_meanwhile_stays(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    service = WarmedTable(UNITS)
    made = warmth(service)
    made.up(service.table, RAISE)
    service.units["by_day"] = (3, 60)
    made.down()
    assert service.units == {OWN: (5, 7), "by_day": (3, 60)}
    again = WarmedTable(UNITS)
    made = warmth(again)
    made.up(again.table, RAISE)
    again.billing = "PAY_PER_REQUEST"
    made.down()
    assert len(again.updates()) == 1
    assert again.tags == {}
    assert "was changed by others, and stays" in caplog.text


def test_a_table_that_cannot_be_put_back_is_an_error_and_the_note_stays() -> None:
    service = WarmedTable(UNITS)
    made = warmth(service)
    made.up(service.table, RAISE)
    refusal = ServiceError("no more decreases today", code="LimitExceededException")
    service.refusal = refusal
    with pytest.raises(Error, match=r"dynamodb_core\.cool_down"):
        made.down()
    assert service.tags[TAG].startswith("provisioned ")
    service.refusal = None
    made.down()
    assert service.units == UNITS


def test_a_second_run_puts_back_what_the_first_has_left(caplog: pytest.LogCaptureFixture) -> None:
    service = WarmedTable(UNITS)
    warmth(service).up(service.table, RAISE)
    second = warmth(service)
    second.up(service.table, WarmUp("provisioned", write=200))
    assert service.units[OWN] == (5, 200)
    second.down()
    assert service.units == UNITS
    assert "did not put it back" in caplog.text


def test_a_second_run_that_asks_for_the_same_puts_it_back_too() -> None:
    service = WarmedTable(UNITS)
    warmth(service).up(service.table, RAISE)
    second = warmth(service)
    second.up(service.table, RAISE)
    assert len(service.updates()) == 1
    second.down()
    assert service.units == UNITS


def died(service: WarmedTable, asked: WarmUp, operation: str) -> None:
    """Let a run warm up, and die before its first call of an operation."""
    service.die_before = operation
    with pytest.raises(Crash):
        warmth(service).up(service.table, asked)
    service.die_before = ""


def test_a_table_that_is_still_being_raised_is_waited_for_and_put_back() -> None:
    service = WarmedTable(UNITS)
    warmth(service).up(service.table, RAISE)
    service.busy = 20
    assert warmth(service).restore("t")
    assert service.units == UNITS


def test_what_the_first_has_raised_is_known_when_the_second_dies_before_it_switches() -> None:
    service = WarmedTable(UNITS)
    warmth(service).up(service.table, RAISE)
    died(service, WarmUp("on_demand"), "UpdateTable")
    assert service.tags[TAG].startswith("on_demand")
    assert warmth(service).restore("t")
    assert service.units == UNITS


def test_a_command_puts_back_what_a_run_has_left() -> None:
    service = WarmedTable(UNITS)
    warmth(service).up(service.table, RAISE)
    assert warmth(service).restore("t")
    assert service.units == UNITS
    assert not warmth(service).restore("t")


@pytest.mark.parametrize("asked", [RAISE, WarmUp("on_demand")])
def test_a_crash_between_note_and_change_leaves_nothing_to_put_back(asked: WarmUp) -> None:
    service = WarmedTable(UNITS)
    died(service, asked, "UpdateTable")
    assert service.tags
    assert warmth(service).restore("t")
    assert len(service.updates()) == 1  # the one that it died of
    assert service.units == UNITS
    assert service.tags == {}


# Notes


def test_a_note_of_many_indexes_goes_into_several_tags() -> None:
    many = {OWN: (40_000, 40_000)} | {f"index_{n:02}_" + "x" * 200: (n, n + 1) for n in range(20)}
    note = Note("provisioned", many, {name: ((w, r),) for name, (r, w) in many.items()})
    service = WarmedTable(UNITS)
    kept = Notes(service.wire, service.table)
    kept.write(note)
    assert len(service.tags) > 10
    assert kept.read() == note
    short = Note("on_demand", UNITS)
    kept.write(short)
    assert kept.read() == short
    assert len(service.tags) == 1
    kept.remove()
    assert service.tags == {}
    assert kept.read() is None


def test_where_tags_may_be_written_and_not_read_a_file_is_taken(tmp_path: Path) -> None:
    service = WarmedTable(UNITS)

    class Unread:
        region = "eu-west-1"

        def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
            if operation == "ListTagsOfResource":
                raise AccessError("refused")
            return service.wire.call(operation, body, table=table)

    kept = Notes(Unread(), service.table, tmp_path)  # type: ignore[arg-type]
    kept.write(Note("on_demand", UNITS))
    assert service.tags == {}
    assert kept.read() == Note("on_demand", UNITS)


def test_a_note_that_is_cut_is_an_error_and_a_file_goes_before_tags(tmp_path: Path) -> None:
    service = WarmedTable(UNITS)
    kept = Notes(service.wire, service.table, tmp_path)
    kept.write(Note("on_demand", UNITS))
    service.tags[TAG] = service.tags[TAG][:-2]
    with pytest.raises(StateError):
        kept.read()
    service.tagged = False
    kept.write(Note("provisioned", UNITS))
    service.tagged = True
    assert kept.read() == Note("provisioned", UNITS)
    kept.write(Note("on_demand", UNITS))
    assert kept.read() == Note("on_demand", UNITS)


@pytest.mark.parametrize(
    "text",
    ["", "provisioned", "raised :5/7", "provisioned :5", "on_demand x!:5/7", "on_demand :5/7="],
)
def test_a_damaged_note_is_an_error(text: str) -> None:
    with pytest.raises(StateError, match="by hand"):
        Note.parse(text)
