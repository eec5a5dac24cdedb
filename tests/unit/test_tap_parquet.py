"""Records as Parquet: explicit columns, exact numbers or none, nothing guessed from the first rows."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import DataError, Error
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.spool import Spool
from tap_dynamodb.batch import Batching
from tap_dynamodb.batch_files import BatchFile
from tap_dynamodb.parquet import columns_of_layout, columns_of_schema

if TYPE_CHECKING:
    from pathlib import Path

parquet: Any = pytest.importorskip("pyarrow.parquet")

KINDS = {"s": "string", "n": "number", "b": "boolean", "j": "json"}


@pytest.fixture
def spool(tmp_path: Path) -> Spool:
    return Spool.create(tmp_path)


def batching(spool: Spool, compression: str = "gzip") -> Batching:
    return Batching(spool.folder.parent, format="parquet", compression=compression)


def written(
    spool: Spool, *pages: list[str], kinds: dict[str, str] = KINDS, compression: str = "gzip"
) -> Any:
    """Write records, as JSON, page by page; return the file as pyarrow reads it."""
    file = BatchFile(spool, batching(spool, compression), kinds)
    try:
        for page in pages:
            file.add("".join(f"{line}\n" for line in page).encode(), len(page))
        path = file.keep()
    finally:
        file.drop()
    assert path.name.endswith(".parquet")
    return parquet.ParquetFile(path)


def rows(*pages: list[str], spool: Spool, **more: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = written(spool, *pages, **more).read().to_pylist()
    return found


def test_columns_are_those_that_were_said_also_where_the_first_rows_lack_them(
    spool: Spool,
) -> None:
    found = rows(['{"s":"a"}', "{}"], ['{"s":"b","n":1.50,"b":true,"j":{"x":[1]}}'], spool=spool)
    nothing = {"n": None, "b": None, "j": None}
    assert found == [
        {"s": "a", **nothing},
        {"s": None, **nothing},
        {"s": "b", "n": 1.5, "b": True, "j": '{"x":[1]}'},
    ]
    types = {field.name: str(field.type) for field in written(spool).schema_arrow}
    assert types == {"s": "string", "n": "double", "b": "bool", "j": "string"}


@pytest.mark.parametrize(("compression", "codec"), [("gzip", "GZIP"), ("none", "UNCOMPRESSED")])
def test_the_compression_is_within_the_file(spool: Spool, compression: str, codec: str) -> None:
    file = written(spool, ['{"s":"a"}'], compression=compression)
    assert file.metadata.row_group(0).column(0).compression == codec


def test_records_that_come_one_by_one_share_a_row_group(spool: Spool) -> None:
    file = written(spool, *([f'{{"s":"{n}"}}'] for n in range(500)))
    assert file.metadata.num_rows == 500
    assert file.metadata.num_row_groups == 1


def test_row_groups_are_bounded(spool: Spool) -> None:
    text = "x" * 10_000
    file = written(spool, *([f'{{"s":"{text}"}}'] * 30 for _ in range(10)))
    assert file.metadata.num_rows == 300
    assert file.metadata.num_row_groups == 3


@pytest.mark.parametrize(
    "text", ["0", "-7", "1.50", "0.1", "9007199254740993e0", "1E+2", "1e-130", "9.9e125", "5e-324"]
)
def test_a_number_is_the_same_number_digit_by_digit_or_an_error(spool: Spool, text: str) -> None:
    line = f'{{"n":{text}}}'
    if Decimal(repr(float(text))) == Decimal(text):
        (row,) = rows([line], spool=spool)
        assert Decimal(repr(row["n"])) == Decimal(text)
    else:
        with pytest.raises(DataError, match="a number that a double cannot hold"):
            rows([line], spool=spool)


@pytest.mark.parametrize(
    "text",
    ["9007199254740993", "0.12345678901234567890", "123456789012345678901234567890", "1e400"],
)
def test_a_number_that_would_change_is_an_error_that_says_what_to_do(
    spool: Spool, text: str
) -> None:
    with pytest.raises(DataError) as error:
        rows([f'{{"n":{text}}}'], spool=spool)
    assert "Property 'n' has a number that a double cannot hold" in str(error.value)
    assert "Take the format jsonl, or set decimals to string" in str(error.value)
    assert text not in str(error.value), "no value in a log"


@pytest.mark.parametrize("line", ['{"n":"x"}', '{"s":1}', '{"b":"true"}', '{"b":1}', '{"n":[]}'])
def test_a_value_of_another_type_than_its_column_is_an_error(spool: Spool, line: str) -> None:
    with pytest.raises(DataError, match="would change it"):
        rows([line], spool=spool)


def test_a_property_without_a_column_is_an_error_and_not_lost(spool: Spool) -> None:
    with pytest.raises(DataError, match="no column for"):
        rows(['{"s":"a"}', '{"late":1}'], spool=spool)


def test_text_is_text_and_json_is_json(spool: Spool) -> None:
    value: dict[str, Any] = {
        "a": '\u0000\n"\\é\U0001f600',
        "b": [None, {}, "", 12345678901234567890123456789],
    }
    line = json.dumps({"s": value["a"], "j": value}, ensure_ascii=False)
    (row,) = rows([line], spool=spool)
    assert row["s"] == value["a"]
    assert json.loads(row["j"]) == value


def test_an_error_on_the_way_to_the_disk_is_ours(spool: Spool) -> None:
    file = BatchFile(spool, batching(spool, "none"), KINDS)
    file._draft._file.close()
    full: Any = open("/dev/full", "wb", buffering=0)  # noqa: PTH123, SIM115
    file._draft._file = full
    with full, pytest.raises(Error, match="No space left on device"):
        file.add(f'{{"s":"{"x" * 2_000_000}"}}\n'.encode(), 1)
    file.drop()


def test_columns_of_a_layout() -> None:
    types = {"s": "S", "n": "N", "b": "B", "t": "BOOL", "m": "M", "l": "L", "x": "NS"}
    texts = {"s": "string", "b": "string", "t": "boolean"}
    parts = {"m": "json", "l": "json", "x": "json"}
    found = columns_of_layout(Columns(types))
    assert found == {**texts, "n": "number", **parts, "_dynamodb": "json"}
    found = columns_of_layout(Columns(types, reserved=None, decimals="string"))
    assert found == {**texts, "n": "string", **parts}
    keys = {"pk": "S", "sk": "N"}
    assert columns_of_layout(Packed(keys)) == {
        "pk": "string",
        "sk": "number",
        "item": "json",
        "_dynamodb": "json",
    }
    assert columns_of_layout(Typed(keys, "body", decimals="string")) == {
        "pk": "string",
        "sk": "string",
        "body": "json",
    }


def test_columns_of_a_schema() -> None:
    properties: dict[str, Any] = {
        "s": {"type": ["null", "string"]},
        "n": {"type": "number"},
        "i": {"type": ["integer", "number", "null"]},
        "b": {"type": ["boolean"]},
        "o": {"type": ["object", "null"]},
        "mixed": {"type": ["string", "number"]},
        "any": {},
    }
    assert columns_of_schema(properties) == {
        "s": "string",
        "n": "number",
        "i": "number",
        "b": "boolean",
        "o": "json",
        "mixed": "json",
        "any": "json",
    }


def test_it_is_imported_only_where_it_is_wanted() -> None:
    code = "import sys, tap_dynamodb.tap; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout == b"False\n"
