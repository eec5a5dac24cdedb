"""The tap into PostgreSQL, loaded by MeltanoLabs' target-postgres: what a person's tables become."""

from __future__ import annotations

import base64
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.engines.tables import Tables
from tests.engines.tap import Command

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.postgres import Postgres
    from tests.engines.tap import Output

DIGITS = "12345678901234567890123456789012345678"
ODD_NAMES = (
    *("a.b", "a b", "a-b", "a/b", "a~1b", "a:b", "a$b", "a#b", "a%b", "a'b", 'a"b', "a\\b", "a\nb"),
    *(
        "userId",
        "userid",
        "USERID",
        "select",
        "$ref",
        "__proto__",
        "_sdc_deleted_at",
        "0",
        " ",
        "ä",
    ),
    *("\u00e9", "e\u0301", "名前", "😀", "\u2028", "n" * 255, "{}", "[0]", "?", ";--", "item"),
)
"""Names that are columns only with trouble, or not at all."""


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    """Tables of an account that no other test uses."""
    made = Tables(account)
    yield made
    made.drop()


@pytest.fixture
def tap(account: Engine, tmp_path: Path) -> Command:
    return Command(tmp_path, account.config())


def many_names(items: int, names: int) -> list[Item]:
    """Return items with `names` names of their own each, values of every type among them."""
    made: list[Item] = []
    for number in range(items):
        item: Item = {"part": {"S": f"part {number % 7}"}, "at": {"N": str(10**37 + number)}}
        for own in range(names):
            name = f"{ODD_NAMES[own % len(ODD_NAMES)]}{number}"[:255] if own < 12 else ""
            item[name or f"attribute_{number}_{own}"] = value(number * names + own)
        made.append(item)
    for number, name in enumerate(ODD_NAMES):
        made[number][name] = value(number)
    return made


def value(number: int) -> dict[str, Any]:
    """Return a value of one of many kinds."""
    binary = base64.b64encode(bytes([number % 256, 0, 255])).decode()
    kinds: list[dict[str, Any]] = [
        {"S": f"text {number} 😀 \\ \" ' {{}}"},
        {"N": DIGITS},
        {"N": f"-0.{DIGITS}"},
        {"N": f"{number}E+87"},
        {"N": f"{number}.5E-120"},
        {"B": binary},
        {"BOOL": number % 2 == 0},
        {"NULL": True},
        {"SS": [f"b{number}", "a", ""]},
        {"NS": [DIGITS, str(number), "-1.5"]},
        {"BS": [binary]},
        {"L": []},
        {
            "M": {
                "a.b": {"N": DIGITS},
                "in": {"L": [{"M": {"deep": {"B": binary}}}, {"NULL": True}]},
            }
        },
    ]
    return kinds[number % len(kinds)]


def plain(typed: dict[str, Any]) -> Any:
    """Say what a typed value is as JSON, by the table in docs/types.md; sets in order."""
    ((kind, given),) = typed.items()
    if kind == "N":
        return Decimal(given)
    if kind == "M":
        return {name: plain(inner) for name, inner in given.items()}
    if kind == "L":
        return [plain(inner) for inner in given]
    if kind == "NS":
        return sorted(map(Decimal, given))
    if kind in ("SS", "BS"):
        return sorted(given)
    return None if kind == "NULL" else given


def comparable(loaded: Any, typed: dict[str, Any]) -> Any:
    """Put a loaded set into order, as DynamoDB's sets have none; leave all else."""
    (kind,) = typed
    if kind == "NS":
        return sorted(map(Decimal, loaded))
    return sorted(loaded) if kind in ("SS", "BS") else loaded


def read(tap: Command, table: str, **config: Any) -> Output:
    """Run the tap over one table."""
    output = tap({"tables": [table], **config})
    assert output.code == 0, output.log
    return output


def load(postgres: Postgres, output: Output, schema: str, **config: Any) -> None:
    postgres.load(output.stdout, schema, activate_version=False, load_method="upsert", **config)


def test_packed_takes_five_thousand_attribute_names_with_one_schema(
    postgres: Postgres, own: Tables, tap: Command
) -> None:
    items = many_names(items=260, names=20)
    names = {name for item in items for name in item} - {"part", "at"}
    assert len(names) >= 5_000
    table = own.create(items, key=(("part", "S"), ("at", "N")))

    output = read(tap, table, item_format="packed")
    assert len(output.of("SCHEMA")) == 1
    load(postgres, output, "packed")

    columns = postgres.columns("packed", table)
    assert {name: columns[name] for name in ("part", "at", "item", "_dynamodb")} == {
        "part": "text",
        "at": "numeric",
        "item": "jsonb",
        "_dynamodb": "jsonb",
    }
    rows = {
        (row["part"], row["at"]): row
        for row in postgres.query(f"SELECT part, at, item, _dynamodb FROM packed.{table}")
    }
    assert len(rows) == len(items)
    for item in items:
        row = rows[item["part"]["S"], Decimal(item["at"]["N"])]
        rest = {name: typed for name, typed in item.items() if name not in ("part", "at")}
        assert row["item"].keys() == rest.keys()
        for name, typed in rest.items():
            assert comparable(row["item"][name], typed) == plain(typed), name
        assert "B" in row["_dynamodb"]["types"].values()


def test_numbers_and_binaries_of_plain_columns_are_exact(
    postgres: Postgres, own: Tables, tap: Command
) -> None:
    numbers = [DIGITS, f"-{DIGITS}", f"0.{DIGITS}", "1E-130", "9.99E+125", "0", "-1.50"]
    table = own.create(
        [
            {"id": {"B": base64.b64encode(bytes([n, 0, 255])).decode()}, "n": {"N": number}}
            | {"data": {"B": base64.b64encode(bytes(range(n, 256))).decode()}}
            for n, number in enumerate(numbers)
        ],
        key=(("id", "B"),),
    )
    load(
        postgres,
        read(tap, table, binary_encoding="base16"),
        "plain",
        interpret_content_encoding=True,
    )
    columns = postgres.columns("plain", table)
    assert [columns[name] for name in ("id", "n", "data")] == ["bytea", "numeric", "bytea"]
    rows = postgres.query(f"SELECT id, n, data FROM plain.{table} ORDER BY id")
    assert rows == [
        {
            "id": f"\\x{bytes([n, 0, 255]).hex()}",
            "n": Decimal(number),
            "data": f"\\x{bytes(range(n, 256)).hex()}",
        }
        for n, number in enumerate(numbers)
    ]


def test_decimals_as_strings_are_text(postgres: Postgres, own: Tables, tap: Command) -> None:
    items: list[Item] = [
        {"id": {"N": str(10**37 + n)}, "n": {"N": DIGITS}, "map": {"M": {"n": {"N": DIGITS}}}}
        for n in range(3)
    ]
    table = own.create(items, key=(("id", "N"),))
    load(postgres, read(tap, table, decimals="string"), "decimals")
    columns = postgres.columns("decimals", table)
    assert [columns[name] for name in ("id", "n", "map")] == ["text", "text", "jsonb"]
    assert postgres.query(f"SELECT id, n FROM decimals.{table} ORDER BY id") == [
        {"id": str(10**37 + n), "n": DIGITS} for n in range(3)
    ]


def test_a_late_attribute_adds_its_column_while_running(
    postgres: Postgres, own: Tables, tap: Command
) -> None:
    items: list[Item] = [{"id": {"S": f"{n:03d}"}, "n": {"N": str(n)}} for n in range(40)]
    table = own.create(items)
    catalog = tap.discover({"tables": [table]})
    own.wire.call(
        "PutItem",
        {"TableName": table, "Item": {"id": {"S": "late"}, "late": {"N": DIGITS}}},
    )
    output = tap({"tables": [table]}, catalog=catalog)
    assert output.code == 0, output.log
    schemas = [message["schema"]["properties"] for message in output.of("SCHEMA")]
    assert ["late" in properties for properties in schemas] == [False, True]
    load(postgres, output, "late")
    assert postgres.columns("late", table)["late"] == "numeric"
    assert postgres.query(f"SELECT late FROM late.{table} WHERE late IS NOT NULL") == [
        {"late": Decimal(DIGITS)}
    ]
    assert postgres.query(f"SELECT count(*) FROM late.{table}") == [{"count": Decimal(41)}]
