"""`dynamodb-tools compare` finds every difference and no other: by examples, and by an independent oracle."""

from __future__ import annotations

import base64
import copy
import json
import stat
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.engines.compared import Outcome, check, compare, identity
from tests.engines.tables import STRING_KEY
from tests.engines.unlike import CASES, SPELLED, binary, sides, text
from tests.property import strategies

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item, KeySchema
    from tests.engines.tables import Tables

# An example takes a good part of a second: what fails is not made smaller.
MODERATE = settings(
    max_examples=12,
    suppress_health_check=list(HealthCheck),
    phases=set(Phase) - {Phase.shrink, Phase.explain},
)


def found(outcome: Outcome) -> dict[str, tuple[str, set[str]]]:
    """Return what the file says of each item: the kind, and the paths."""
    assert outcome.lines is not None, outcome
    said = [line["difference"] for line in outcome.lines if "difference" in line]
    each = {d["key"]["id"]["S"]: (d["kind"], {p["path"] for p in d["paths"]}) for d in said}
    assert len(each) == len(said), "an item was named twice"
    return each


@pytest.mark.parametrize("processes", [0, 1, 2], ids=["here", "a process", "two a table"])
def test_every_kind_of_difference_is_found_and_no_other(
    engine: Engine, tables: Tables, tmp_path: Path, processes: int
) -> None:
    a, b = sides(CASES)
    one, other = tables.create(a), tables.create(b)
    process, show = processes > 0, ("--show", "1000")
    outcome = compare(
        engine, one, other, tmp_path, *show, process=process, processes=processes or 1
    )
    wanted = {name: (kind, paths) for name, (_, _, kind, paths) in CASES.items() if kind}
    assert found(outcome) == wanted
    assert outcome.code == 1
    kinds = Counter(kind for kind, _ in wanted.values())
    for kind in ("missing", "extra", "differs"):
        lines = [line for line in outcome.stdout.splitlines() if line.startswith(f"{kind} ")]
        assert len(lines) == kinds[kind]
    assert outcome.log.count("Traceback") == 0


def test_and_on_dynamodb_local(
    dynamodb_local: Engine, reference_tables: Tables, tmp_path: Path
) -> None:
    a, b = sides(CASES)
    outcome = compare(
        dynamodb_local, reference_tables.create(a), reference_tables.create(b), tmp_path
    )
    assert found(outcome) == {n: (kind, paths) for n, (_, _, kind, paths) in CASES.items() if kind}


def test_numbers_spelled_otherwise_are_counted_apart(
    dynamodb_local: Engine, reference_tables: Tables, tmp_path: Path
) -> None:
    """DynamoDB Local keeps the spelling of a number in a map or a list."""

    def attributes(number: str) -> dict[str, Any]:
        return {"m": {"M": {"n": {"N": number}, "l": {"L": [{"N": number}]}}}, "same": text("s")}

    cases = {name: (attributes(a), attributes(b)) for name, (a, b, _) in SPELLED.items()}
    one, other = (reference_tables.create(items) for items in sides(cases))
    paths = {"/m/n", "/m/l/0"}
    differs = {n: (k, paths) for n, (_, _, k) in SPELLED.items() if k == "differs"}
    respelled = {n: (k, paths) for n, (_, _, k) in SPELLED.items() if k == "respelled"}

    plain = compare(dynamodb_local, one, other, tmp_path)
    assert found(plain) == differs
    assert plain.code == 1
    told = compare(dynamodb_local, one, other, tmp_path, "--spelling")
    assert found(told) == differs | respelled
    check(told, reference_tables.items(one), reference_tables.items(other), STRING_KEY)

    reference_tables.wire.call(
        "DeleteItem", {"TableName": other, "Key": {"id": text("another value")}}
    )
    reference_tables.wire.call(
        "DeleteItem", {"TableName": one, "Key": {"id": text("another value")}}
    )
    same = compare(dynamodb_local, one, other, tmp_path)
    assert (same.code, found(same)) == (0, {})
    counted = compare(dynamodb_local, one, other, tmp_path, format="json").report
    assert str(len(respelled)) in json.dumps(counted)


KEYS: tuple[KeySchema, ...] = (
    (("id", "S"),),
    (("n", "N"),),
    (("b", "B"),),
    (("p", "S"), ("s", "S")),
    (("p", "S"), ("s", "N")),
    (("S", "B"), ("item", "B")),
    (("z", "N"), ("a", "S")),
)


def smaller(typed: Any) -> Any:
    """Return a value changed a little, somewhere in it."""
    [(kind, value)] = typed.items()
    if kind == "S":
        return {"S": value + "x"}
    if kind == "N":
        return {"S": value}
    if kind == "B":
        return {"B": binary(base64.b64decode(value) + b"\x00")}
    if kind == "BOOL":
        return {"BOOL": not value}
    if kind == "M" and value:
        name = min(value)
        return {"M": {**value, name: smaller(value[name])}}
    if kind == "L" and value:
        return {"L": [*value[:-1], smaller(value[-1])]}
    if kind in ("SS", "BS", "NS") and len(value) > 1:
        return {kind: value[1:]}
    return {"L": [typed]}


def turned(typed: Any) -> Any:
    """Return a value that is the same to DynamoDB, written in the opposite order."""
    [(kind, value)] = typed.items()
    if kind in ("SS", "NS", "BS"):
        return {kind: value[::-1]}
    if kind == "M":
        return {"M": {name: turned(value[name]) for name in reversed(value)}}
    if kind == "L":
        return {"L": [turned(each) for each in value]}
    if kind == "N" and set(value) <= set("123456789"):
        return {"N": f"{value}.0"}
    return typed


@st.composite
def two_tables(draw: st.DrawFn, keys: tuple[KeySchema, ...]) -> tuple[KeySchema, Any, Any]:
    """A key, and the items of two tables that have much in common."""
    key = draw(st.sampled_from(keys))
    made = draw(st.lists(strategies.keyed_items(dict(key)), max_size=20))
    items = {identity(item, key): item for item in made if "'': " not in str(item)}
    a, b = [], []
    for item in items.values():
        names = [name for name in item if name not in dict(key)]
        other = copy.deepcopy(item)
        change = draw(
            st.sampled_from(("same", "turned", "missing", "extra", "value", "gone", "more", "null"))
        )
        if change == "turned":
            other = {n: turned(item[n]) if n in names else item[n] for n in reversed(item)}
        elif change == "value" and names:
            name = draw(st.sampled_from(names))
            other[name] = smaller(item[name])
        elif change == "gone" and names:
            del other[draw(st.sampled_from(names))]
        elif change == "null" and names:
            other[draw(st.sampled_from(names))] = {"NULL": True}
        elif change == "more":
            little = draw(st.sampled_from((text(""), {"NULL": True}, {"M": {}})))
            other = {draw(strategies.names): little} | other
        if change != "extra":
            a.append(item)
        if change != "missing":
            b.append(other)
    return key, a, draw(st.permutations(b))


@MODERATE
@given(made=two_tables(KEYS))
def test_any_two_tables(
    dynamodb_local: Engine,
    reference_tables: Tables,
    tmp_path_factory: pytest.TempPathFactory,
    made: tuple[KeySchema, list[Item], list[Item]],
) -> None:
    key, *items = made
    one, other = (reference_tables.create(side, key=key) for side in items)
    outcome = compare(dynamodb_local, one, other, tmp_path_factory.mktemp("any"), "--spelling")
    check(outcome, reference_tables.items(one), reference_tables.items(other), key)


# ministack leaves a numeric key as it was written, and finds it by that spelling alone.
@MODERATE
@given(made=two_tables(tuple(key for key in KEYS if "N" not in dict(key).values())))
def test_any_two_tables_on_ministack(
    engine: Engine,
    tables: Tables,
    tmp_path_factory: pytest.TempPathFactory,
    made: tuple[KeySchema, list[Item], list[Item]],
) -> None:
    key, *items = made
    one, other = (tables.create(side, key=key) for side in items)
    outcome = compare(engine, one, other, tmp_path_factory.mktemp("any"), "--spelling")
    check(outcome, tables.items(one), tables.items(other), key)


def test_keys_that_would_be_equal_when_joined(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    key = (("p", "S"), ("s", "S"))
    pairs = [("a", "b$"), ("a$", "b"), ("a", '"b'), ('a"', "b"), ('a","b', "c"), ("a", 'b","c')]
    pairs += [("1", "11"), ("11", "1"), ("b", "a"), ("a", "b"), ("\x00a", "b"), ("a", "\x00b")]
    items = [{"p": text(p), "s": text(s), "n": {"N": str(n)}} for n, (p, s) in enumerate(pairs)]
    one, other = tables.create(items[::2], key=key), tables.create(items[1::2], key=key)
    outcome = compare(engine, one, other, tmp_path)
    wanted = check(outcome, items[::2], items[1::2], key)
    assert Counter(each.kind for each in wanted) == {"missing": 6, "extra": 6}


def test_tables_of_any_size_against_each_other(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    """None, one, and many; all the same, all missing, all extra, and nothing in common."""
    many = [{"id": text(f"{n:05}"), "n": {"N": str(n)}} for n in range(1200)]
    others = [{"id": text(f"other {n}"), "n": {"N": str(n)}} for n in range(700)]
    for a, b in (
        ([], []),
        (many[:1], []),
        ([], many),
        (many, many[600:]),
        (many, others),
        (many, many),
    ):
        outcome = compare(
            engine, tables.create(a), tables.create(b), tmp_path, "--segments", "7", format="json"
        )
        check(outcome, a, b, STRING_KEY)
        counts = outcome.report["counts"]
        assert (counts["a"], counts["b"]) == (len(a), len(b))


def test_an_item_collection_of_12000_items(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    key = (("p", "S"), ("s", "N"))
    items = [{"p": text("one"), "s": {"N": str(n)}, "t": text(f"t{n}")} for n in range(12_000)]
    others = [*items[:4000], {**items[4000], "t": text("other")}, *items[4002:]]
    others.append({"p": text("one"), "s": {"N": "-1"}})
    one, other = tables.create(items, key=key), tables.create(others, key=key)
    outcome = compare(engine, one, other, tmp_path, process=True, format="json")
    wanted = check(outcome, items, others, key)
    assert Counter(each.kind for each in wanted) == {"missing": 1, "extra": 1, "differs": 1}
    counts = outcome.report["counts"]
    assert {name: count for name, count in counts.items() if count} == {
        "a": 12_000,
        "b": 12_000,
        "same": 11_998,
        "missing": 1,
        "extra": 1,
        "differs": 1,
    }


def test_the_file_is_whole_private_and_a_stream(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    a, b = sides(CASES)
    outcome = compare(engine, tables.create(a), tables.create(b), tmp_path, "--show", "0")
    assert outcome.lines is not None
    types = [line["type"] for line in outcome.lines]
    kinds = Counter(kind for _, _, kind, _ in CASES.values() if kind)
    assert types[0] == "SCHEMA"
    assert types[-1] == "STATE"
    assert Counter(types) == {
        "SCHEMA": 1,
        "STATE": 1,
        "EXTRA": kinds["extra"],
        "RECORD": kinds["missing"] + kinds["differs"],
    }
    assert stat.S_IMODE((tmp_path / "differences.jsonl").stat().st_mode) == 0o600
    assert {path.name for path in tmp_path.iterdir() if path.is_file()} == {
        "differences.jsonl",
        "config.json",
    }
    assert not [path for path in tmp_path.rglob("work/**/*") if path.is_file()]


def test_the_first_differences_are_shown_and_all_are_counted(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    a = [{"id": text(f"{n:03}"), "v": {"N": "1"}} for n in range(150)]
    b = [{**item, "v": {"N": "2"}} for item in a]
    one, other = tables.create(a), tables.create(b)
    shown = compare(engine, one, other, tmp_path, "--show", "3", output=None)
    lines = [line for line in shown.stdout.splitlines() if line.startswith("differs")]
    assert (shown.code, shown.lines) == (1, None)
    assert len(lines) <= 4  # three of them, and their number
    assert all("/v" in line and "N 1" in line and "N 2" in line for line in lines[:3])
    assert "150" in shown.stdout
    report = compare(engine, one, other, tmp_path, "--show", "3", output=None, format="json")
    assert report.code == 1
    assert "150" in json.dumps(report.report)


def test_what_cannot_be_compared_is_refused(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    one = tables.create([{"id": text("a")}])
    arn = tables.wire.describe(one)["TableArn"]
    number = tables.create(key=(("id", "N"),))
    sorted_ = tables.create(key=(("id", "S"), ("s", "S")))
    named = tables.create(key=(("ID", "S"),))
    for a, b, word in (
        (one, one, "same"),
        (one, arn, "same"),
        (arn, one, "same"),
        (one, number, "key"),
        (sorted_, one, "key"),
        (one, named, "key"),
        (one, tables.name(), "not"),
        (tables.name(), one, "not"),
    ):
        outcome = compare(engine, a, b, tmp_path)
        assert outcome.code == 2, (a, b, outcome)
        assert outcome.lines is None
        assert word in outcome.log, outcome
        assert "Traceback" not in outcome.log
