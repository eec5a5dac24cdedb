"""`dynamodb-tools compare`: what is left out, where the tables are, several pairs, tables that change meanwhile."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines.compared import between, check, compare
from tests.engines.tables import STRING_KEY, Tables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.compared import Outcome
    from tests.engines.faults import Request


def item(number: int, **more: Any) -> Item:
    return {"id": {"S": f"{number:04}"}, "n": {"N": str(number)}, **more}


def changed(items: list[Item]) -> list[Item]:
    """The items of another table: of ten one is missing, one has another value, one is extra."""
    others = []
    for number, each in enumerate(items):
        if number % 10 == 1:
            continue
        others.append({**each, "n": {"N": "-1"}} if number % 10 == 2 else each)
        if number % 10 == 3:
            others.append({**each, "id": {"S": f"more {number}"}})
    return others


MANY = [item(number) for number in range(2000)]
OTHERS = changed(MANY)


@pytest.fixture(scope="module")
def two(module_tables: Tables) -> tuple[str, str]:
    return module_tables.create(MANY), module_tables.create(OTHERS)


def keys(outcome: Outcome) -> dict[str, str]:
    """Return the kind of each difference by its key."""
    assert outcome.lines is not None, outcome
    said = [line["difference"] for line in outcome.lines if "difference" in line]
    return {each["key"]["id"]["S"]: each["kind"] for each in said}


def counts(outcome: Outcome) -> dict[str, int]:
    """Return what a report in JSON has counted."""
    return {name: count for name, count in outcome.report["counts"].items() if count}


def test_attributes_that_are_ignored(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    a = [item(n, at={"N": "1"}, by={"S": "a"}, m={"M": {"at": {"N": "1"}}}) for n in range(4)]
    b = [
        {**a[0], "at": {"N": "2"}},
        {n: v for n, v in a[1].items() if n not in ("at", "by")},
        {**a[2], "m": {"M": {"at": {"N": "2"}}}, "at": {"N": "2"}},
        {**a[3], "n": {"N": "-1"}, "by": {"S": "b"}},
    ]
    one, other = tables.create(a), tables.create(b)
    ignored = compare(engine, one, other, tmp_path, ignore=["at", "by"])
    wanted = check(ignored, a, b, STRING_KEY, ("at", "by"))
    assert {each.key: {place[0] for place in each.places} for each in wanted} == {
        ("0002",): {"/m/at"},
        ("0003",): {"/n"},
    }
    spelled = compare(engine, one, other, tmp_path, "--ignore", "at,by")
    assert spelled.found(STRING_KEY) == ignored.found(STRING_KEY)
    nothing = compare(engine, one, other, tmp_path, ignore=["at", "by", "n", "m"])
    assert nothing.code == 0
    assert "at" in nothing.stdout  # what is left out is said


def test_keys_alone(engine: Engine, two: tuple[str, str], tmp_path: Path) -> None:
    outcome = compare(engine, *two, tmp_path, "--keys-only")
    kinds = Counter(keys(outcome).values())
    assert (outcome.code, kinds) == (1, {"missing": 200, "extra": 200})
    assert compare(engine, *two, tmp_path, keys_only=False).code == 1


def test_a_difference_of_content_is_none_of_keys(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    one, other = tables.create([item(1)]), tables.create([item(1, more={"S": "x"})])
    assert compare(engine, one, other, tmp_path).code == 1
    assert compare(engine, one, other, tmp_path, "--keys-only").code == 0


def test_a_sample_has_the_same_items_on_both_sides(
    engine: Engine, tables: Tables, two: tuple[str, str], tmp_path: Path
) -> None:
    whole = compare(engine, *two, tmp_path)
    check(whole, MANY, OTHERS, STRING_KEY)
    everything = keys(whole)
    assert keys(compare(engine, *two, tmp_path, "--sample", "100")) == everything
    part = keys(compare(engine, *two, tmp_path, "--sample", "25"))
    assert part.items() <= everything.items()
    assert 60 < len(part) < 250  # 150 of 600, and 8 times the deviation to either side
    less = keys(compare(engine, *two, tmp_path, "--sample", "10"))
    assert less.items() <= part.items()
    assert set(part.values()) == {"missing", "extra", "differs"}
    copy = tables.create(MANY[::-1])
    for percent in ("0.1", "1", "37.5", "99.9"):
        same = compare(engine, two[0], copy, tmp_path, "--sample", percent)
        assert (same.code, keys(same)) == (0, {})
    assert "99.9" in same.stdout


def test_a_filter_counts_on_both_sides(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    a = [item(n, s={"S": "open" if n % 2 else "shut"}) for n in range(40)]
    b = [*a[:10], *({**each, "n": {"N": "-1"}} for each in a[10:20]), *a[22:]]
    b.append(item(99, s={"S": "open"}))
    b.append(item(98, s={"S": "shut"}))
    one, other = tables.create(a), tables.create(b)
    only = {"expression": "#s = :s", "names": {"#s": "s"}, "values": {":s": "open"}}
    wanted = check(
        compare(engine, one, other, tmp_path, filter=only),
        [each for each in a if each["s"]["S"] == "open"],
        [each for each in b if each["s"]["S"] == "open"],
        STRING_KEY,
    )
    assert Counter(each.kind for each in wanted) == {"missing": 1, "extra": 1, "differs": 5}
    option = compare(engine, one, other, tmp_path, "--filter", json.dumps(only))
    assert option.found(STRING_KEY) == wanted
    wrong = compare(engine, one, other, tmp_path, filter={**only, "expression": "#s == :s"})
    assert (wrong.code, wrong.lines) == (2, None)


def test_tables_by_arn_and_read_consistently(
    engine: Engine, two: tuple[str, str], module_tables: Tables, tmp_path: Path
) -> None:
    arns = [module_tables.wire.describe(name)["TableArn"] for name in two]
    for a, b in ((arns[0], arns[1]), (two[0], arns[1]), (arns[0], two[1])):
        outcome = compare(engine, a, b, tmp_path, "--consistent-read", aws_region=None)
        check(outcome, MANY, OTHERS, STRING_KEY)


@contextlib.contextmanager
def elsewhere(engine: Engine, name: str, items: list[Item]) -> Iterator[None]:
    """A table of a name that is taken, in another account or region."""
    made = Tables(engine)
    made.wire.create_table(made.note(name), STRING_KEY)
    made.wire.put(name, items)
    yield
    made.drop()


def test_tables_of_one_name_in_two_accounts_and_regions(
    engine: Engine, account: Engine, tables: Tables, tmp_path: Path
) -> None:
    a, b = MANY[:60], OTHERS[:60]
    name = tables.create(a)
    far = replace(account, region="us-east-1")
    own = {
        "aws_region": "us-east-1",
        "aws_access_key_id": far.access_key_id,
        "aws_secret_access_key": "dummy",
    }
    option = ",".join(f"{each}={value}" for each, value in own.items())
    with elsewhere(far, name, b):
        check(compare(engine, name, name, tmp_path, b=own), a, b, STRING_KEY)
        check(compare(engine, name, name, tmp_path, a=own), b, a, STRING_KEY)
        check(compare(engine, name, name, tmp_path, "--b", option, process=True), a, b, STRING_KEY)
    wrong = compare(engine, name, name, tmp_path, b={"aws_nothing": "x"})
    assert (wrong.code, wrong.lines) == (2, None)


def test_tables_of_one_name_in_two_regions(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    a, b = MANY[:30], OTHERS[:30]
    name = tables.create(a)
    other = {"aws_region": "us-east-1"}
    with elsewhere(replace(engine, region="us-east-1"), name, b):
        check(compare(engine, name, name, tmp_path, b=other), a, b, STRING_KEY)


def test_tables_of_two_engines(
    engine: Engine,
    dynamodb_local: Engine,
    tables: Tables,
    reference_tables: Tables,
    tmp_path: Path,
) -> None:
    one, other = tables.create(MANY[:100]), reference_tables.create(OTHERS[:100])
    there = {"aws_endpoint_url": dynamodb_local.endpoint_url}
    check(compare(engine, one, other, tmp_path, b=there), MANY[:100], OTHERS[:100], STRING_KEY)


@pytest.fixture
def pairs(account: Engine) -> Iterator[Tables]:
    made = Tables(account)
    for name, items in {
        "orders-1": MANY[:20],
        "orders-1_copy": MANY[:20],
        "orders-2": MANY[:20],
        "orders-2_copy": OTHERS[:20],
        "others": MANY[:5],
    }.items():
        made.wire.create_table(made.note(name), STRING_KEY)
        made.wire.put(name, items)
    yield made
    made.drop()


def test_several_pairs_and_the_worst_exit_code(
    account: Engine, pairs: Tables, tmp_path: Path
) -> None:
    outcome = compare(account, "orders-*", "{table}_copy", tmp_path)
    assert outcome.code == 1
    assert outcome.lines is not None
    schemas = [line["stream"] for line in outcome.lines if line["type"] == "SCHEMA"]
    assert len(schemas) == len(set(schemas)) == 2  # a copy is compared with no copy of its own
    wanted = {"missing": 2, "extra": 2, "differs": 2}
    assert Counter(each.kind for each in outcome.found(STRING_KEY).elements()) == wanted
    pairs.wire.create_table(pairs.note("orders-3"), STRING_KEY)
    worst = compare(account, "orders-*", "{table}_copy", tmp_path)
    assert worst.code == 2, worst
    same = compare(account, "orders-1", "{table}_copy", tmp_path)
    assert same.code == 0


class Looks:
    """Does something before each look at items by their keys."""

    def __init__(self, do: Callable[[int], object]) -> None:
        self.count = 0
        self._do = do

    def __call__(self, request: Request) -> None:
        if request.operation == "BatchGetItem":
            self.count += 1
            self._do(self.count)


def test_since_reports_what_lasts(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    """What is written on A and on its way to B arrives while the comparison waits."""
    a = [item(number) for number in range(12)]
    late = [{**a[0], "n": {"N": "7"}}, item(50)]
    lasting = {**a[1], "n": {"N": "8"}}
    one = tables.create([late[0], lasting, *a[2:], late[1]])
    other = tables.create([*a[:11], item(51)])

    def arrive(count: int) -> None:
        if count == 1:
            tables.wire.put(other, late)

    looks = Looks(arrive)
    with between(engine, looks) as here:
        outcome = compare(here, one, other, tmp_path, "--since", "0.2", format="json")
    assert looks.count
    wanted = {"0001": "differs", "0011": "missing", "0051": "extra"}
    assert (outcome.code, keys(outcome)) == (1, wanted)
    different = {"differs": 1, "missing": 1, "extra": 1}
    assert counts(outcome) == {"a": 13, "b": 12, "same": 9, "settled": 2} | different
    check(outcome, tables.items(one), tables.items(other), STRING_KEY)
    with between(engine, Looks(lambda _: tables.wire.put(other, [lasting]))) as here:
        again = compare(here, one, other, tmp_path, "--since", "0", ignore=["nothing"])
    assert keys(again) == {"0011": "missing", "0051": "extra"}


def test_what_is_deleted_meanwhile_settles_too(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    one, other = tables.create([item(1), item(2)]), tables.create([item(1), item(3)])

    def delete(count: int) -> None:
        if count == 1:
            tables.wire.call("DeleteItem", {"TableName": one, "Key": {"id": {"S": "0002"}}})
            tables.wire.call("DeleteItem", {"TableName": other, "Key": {"id": {"S": "0003"}}})

    with between(engine, Looks(delete)) as here:
        outcome = compare(here, one, other, tmp_path, "--since", "0.1")
    assert (outcome.code, keys(outcome)) == (0, {})


def test_what_never_stands_still_is_not_called_the_same(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    one, other = tables.create([item(1), item(2)]), tables.create([item(1), item(3)])
    tables.wire.call("DeleteItem", {"TableName": one, "Key": {"id": {"S": "0002"}}})
    tables.wire.call("DeleteItem", {"TableName": other, "Key": {"id": {"S": "0003"}}})
    tables.wire.put(one, [item(1, more={"S": "other"})])

    def write(count: int) -> None:
        tables.wire.put(one, [item(1, more={"N": str(count)})])

    looks = Looks(write)
    with between(engine, looks) as here:
        outcome = compare(here, one, other, tmp_path, "--since", "0.05", format="json")
    assert (outcome.code, keys(outcome)) == (2, {})
    assert counts(outcome) == {"a": 1, "b": 1, "moving": 1}
    assert outcome.report["identical"] is None
    assert 5 <= looks.count < 20


def test_without_since_what_has_become_the_same_is_no_difference(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    one, other = tables.create([item(1), item(2)]), tables.create([item(1, m={"M": {}}), item(2)])
    with between(engine, Looks(lambda _: tables.wire.put(other, [item(1)]))) as here:
        outcome = compare(here, one, other, tmp_path, format="json")
    assert (outcome.code, keys(outcome)) == (0, {})
    assert counts(outcome) == {"a": 2, "b": 2, "same": 1, "settled": 1}
