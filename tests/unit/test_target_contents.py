"""What is wrong with a file, or with a message that names one, is said with the file and the line."""

from __future__ import annotations

import datetime as dt
import itertools
import sys
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from isal import igzip

from dynamodb_core.errors import ConfigError, DataError, ServiceError
from dynamodb_core.inbox import Inbox
from dynamodb_core.table import Key
from target_dynamodb import contents, loader
from target_dynamodb.batch import Batch
from target_dynamodb.contents import File
from target_dynamodb.encode import Encoder
from target_dynamodb.loading import Direct, Indirect, Stopped, load
from target_dynamodb.rows import json_columns

if TYPE_CHECKING:
    from pathlib import Path

GOOD = b'{"id":"a","n":1}\n'
WHOLE = igzip.compress(GOOD * 5000, 1)
ENCODER = Encoder("orders", {"id": {"type": "string"}}, key=Key(("id",), ("S",)))


class Written:
    """Takes the place of a writer."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def put(self, identity: Any, item: bytes) -> None:
        self.bodies.append(item)


def file(folder: Path, data: bytes, *, gzip: bool = False) -> File:
    path = folder / "records"
    path.write_bytes(data)
    return File(Inbox(folder).claim(str(path)), gzip=gzip)


def loaded(source: File, stopped: Any = lambda: False) -> tuple[int, list[bytes]]:
    written = Written()
    direct = Direct(ENCODER, written)  # type: ignore[arg-type]
    return load(source, direct, stopped=stopped), written.bodies


BAD_GZIP: dict[str, tuple[bytes, str]] = {
    "cut off": (WHOLE[:-20], "is cut off"),
    "cut before its checksum": (WHOLE[:-8], "is cut off"),
    "cut in its head": (WHOLE[:5], "beyond line 0: it is cut off"),
    "cut to nothing": (b"", "beyond line 0: it is empty, which no gzip file is"),
    "a wrong checksum": (WHOLE[:-8] + bytes(4) + WHOLE[-4:], "CRC check failed"),
    "a wrong length": (WHOLE[:-4] + bytes(4), "ncorrect length"),
    "no gzip": (GOOD, "Not a gzipped file"),
    "more than it": (WHOLE + b"what follows", "Not a gzipped file"),
}
BAD_LINES: dict[str, tuple[bytes, str]] = {
    "no JSON": (GOOD + b"nonsense\n", "Line 2 of file .*records is no JSON"),
    "cut off in a line": (GOOD + GOOD[:-3], "Line 2 of file .*records is no JSON"),
    "no object": (GOOD + b"\n \n[7]\n", "Line 4 of file .*records is no JSON object"),
    "null": (b"null\n", "Line 1 of file .*records is no JSON"),
    "no text": (b'{"id":"\xff"}\n', "Line 1 of file .*records is no JSON"),
    "no key": (GOOD * 3 + b"{}\n", r"id of the key is missing \(line 4 of file .*records\)"),
    "no number": (b'{"id":"a","n":[NaN]}\n', r"key id a: .*/n/0.* \(line 1 of file .*records\)"),
    "half a character": (b'{"id":"a","n":"\\ud800"}\n', r"key id a.*\(line 1 of file .*records\)"),
}


@pytest.mark.parametrize("case", BAD_GZIP)
def test_a_damaged_file_is_never_taken_for_a_shorter_one(tmp_path: Path, case: str) -> None:
    data, words = BAD_GZIP[case]
    with pytest.raises(DataError, match=words) as caught:
        loaded(file(tmp_path, data, gzip=True))
    assert str(tmp_path / "records") in caught.value.message


@pytest.mark.parametrize("case", BAD_LINES)
def test_a_bad_record_is_named_by_its_line(tmp_path: Path, case: str) -> None:
    data, words = BAD_LINES[case]
    with pytest.raises(DataError, match=words):
        loaded(file(tmp_path, data))


@pytest.mark.parametrize("gzip", [True, False])
@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n"])
@pytest.mark.parametrize("chunk", [1, 7, 1 << 20])
def test_every_line_is_a_record_however_it_is_cut(
    tmp_path: Path, gzip: bool, end: bytes, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "CHUNK_BYTES", chunk)
    lines = [b'{"id":"%d","t":"%s"}' % (n, b"\xc3\xa9" * (n % 5)) for n in range(40)]
    data = b"\n".join(lines) + end
    count, bodies = loaded(file(tmp_path, igzip.compress(data) if gzip else data, gzip=gzip))
    assert count == 40
    assert bodies == [
        b'{"id":{"S":"%d"},"t":{"S":"%s"}}' % (n, b"\xc3\xa9" * (n % 5)) for n in range(40)
    ]


def test_gzip_files_one_after_the_other_are_one(tmp_path: Path) -> None:
    count, _ = loaded(file(tmp_path, WHOLE + WHOLE, gzip=True))
    assert count == 10_000


def test_a_line_without_end_is_refused_before_it_is_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contents, "CHUNK_BYTES", 100)
    monkeypatch.setattr(contents, "LONGEST_LINE", 1000)
    endless = file(tmp_path, igzip.compress(GOOD + b" " * 10**7), gzip=True)
    held: list[bytes] = []

    def read() -> None:
        for lines in contents.lines(endless):
            held.extend(lines)

    with pytest.raises(DataError, match=r"Line 2 of file .* is longer"):
        read()
    assert held == [GOOD.strip()]


def test_a_load_can_be_left_in_the_middle(tmp_path: Path) -> None:
    asked = itertools.count(1)
    with pytest.raises(Stopped):
        loaded(file(tmp_path, GOOD * 100), lambda: next(asked) == 3)
    assert next(asked) == 4


def test_numbers_on_the_way_through_stream_maps_keep_every_digit(tmp_path: Path) -> None:
    seen: list[Any] = []
    road = Indirect(lambda record: record, seen.append)
    data = b'{"id":1.50,"n":123456789012345678901234567890,"bad":NaN}\n{"x":1e-7}\n'
    assert load(file(tmp_path, data), road, stopped=lambda: False) == 2
    assert [[str(value) for value in record.values()] for record in seen] == [
        ["1.50", "123456789012345678901234567890", "NaN"],
        ["1E-7"],
    ]


MESSAGE = {"stream": "s", "encoding": {"format": "jsonl", "compression": "gzip"}, "manifest": ["x"]}


def test_what_a_message_says() -> None:
    assert Batch.from_message(MESSAGE) == Batch("s", ("x",), gzip=True)
    more = {"distinct_keys": True, "version": 5, "encoding": {"format": "jsonl"}}
    said = Batch.from_message({**MESSAGE, **more})
    assert said == Batch("s", ("x",), distinct_keys=True, version=5)
    assert not Batch.from_message({**MESSAGE, "distinct_keys": 1}).distinct_keys
    parquet = {"format": "parquet", "compression": "gzip"}  # inside, as it is with Parquet
    assert not Batch.from_message({**MESSAGE, "encoding": parquet}).gzip


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"encoding": {"format": "csv"}}, "unknown format csv"),
        ({"encoding": {"format": "jsonl", "compression": "lz4"}}, "unknown compression lz4"),
        ({"encoding": {}}, "does not say the format"),
        ({"encoding": "jsonl"}, "does not say the format"),
        ({"manifest": "x"}, "is no list of files"),
        ({"manifest": [1]}, "is no list of files"),
    ],
)
def test_a_message_that_cannot_be_followed(change: dict[str, Any], words: str) -> None:
    with pytest.raises(DataError, match=words):
        Batch.from_message({**MESSAGE, **change})


PROPERTIES = {
    "id": {"type": "string"},
    "n": {"type": ["number", "null"]},
    "map": {"type": ["object", "null"]},
    "list": {"type": "array"},
    "mixed": {"type": ["string", "integer", "null"]},
    "any": {},
}


@pytest.mark.parametrize(
    ("ours", "names"), [(True, {"map", "list", "mixed", "any"}), (False, {"map", "list"})]
)
def test_which_strings_of_parquet_are_json(ours: bool, names: set[str]) -> None:
    assert json_columns(PROPERTIES, ours=ours) == names


def parquet_file(folder: Path, table: dict[str, Any], **more: Any) -> File:
    pa = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet").write_table(pa.table(table), folder / "rows", **more)
    claim = Inbox(folder).claim(str(folder / "rows"))
    return File(claim, "parquet", json_columns=json_columns(PROPERTIES, ours=True))


def test_rows_of_parquet_are_what_json_would_have_been(tmp_path: Path) -> None:
    day = dt.date(2026, 1, 2)
    table = {
        "id": ["a", "b"],
        "n": [5.0, 0.1],
        "map": ['{"x":[1.50,null]}', None],
        "mixed": ['"text"', "7"],
        "struct": [{"y": 1.5, "z": [b"\x00\x01\x02"]}, None],
        "day": [day, None],
        "exact": [Decimal("1.23"), Decimal("4.56")],
        "flag": [True, False],
    }
    seen: list[Any] = []
    source = parquet_file(tmp_path, table, compression="gzip", row_group_size=1)
    assert load(source, Indirect(lambda record: record, seen.append), stopped=lambda: False) == 2
    assert seen == [
        {
            "id": "a",
            "n": 5,
            "map": {"x": [Decimal("1.50"), None]},
            "mixed": "text",
            "struct": {"y": Decimal("1.5"), "z": ["AAEC"]},
            "day": "2026-01-02",
            "exact": Decimal("1.23"),
            "flag": True,
        },
        {"id": "b", "n": Decimal("0.1"), "mixed": 7, "exact": Decimal("4.56"), "flag": False},
    ]
    assert all(type(record["n"]) is not float for record in seen)


def test_a_damaged_parquet_file_and_a_bad_row_are_named(tmp_path: Path) -> None:
    source = parquet_file(tmp_path, {"id": ["a", None], "n": [1.0, 2.0]})
    with pytest.raises(DataError, match=r"id of the key is missing \(row 2 of file .*rows\)"):
        loaded(source)
    whole = source.claim.path.read_bytes()
    for data in (whole[:-20], whole[:4], b"", b"PAR1" + bytes(100) + b"PAR1"):
        source.claim.path.write_bytes(data)
        with pytest.raises(DataError, match=r"File .*rows cannot be read beyond row 0"):
            loaded(source)
    bad = parquet_file(tmp_path, {"id": ["a"], "map": ["{"]})
    with pytest.raises(DataError, match=r"File .*rows cannot be read beyond row 0"):
        loaded(bad)


def test_without_pyarrow_parquet_is_refused_with_a_hint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = file(tmp_path, b"")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigError, match="pyarrow is not installed"):
        loaded(replace(source, format="parquet"))


class Failing(Written):
    """A writer whose writes fail when they are waited for."""

    def flush(self) -> None:
        raise ServiceError("DynamoDB is down")


def test_a_worker_says_that_a_file_is_done_when_it_is_acknowledged(tmp_path: Path) -> None:
    source = file(tmp_path, GOOD * 3)
    failing = Direct(ENCODER, Failing())  # type: ignore[arg-type]
    outcome = loader.load_one(7, source, failing, lambda: False)
    assert (outcome.number, outcome.records) == (7, 0)
    assert isinstance(outcome.error, ServiceError)
    left = loader.load_one(8, file(tmp_path, GOOD * 30), failing, lambda: True)
    assert left == loader.Outcome(8, stopped=True)
