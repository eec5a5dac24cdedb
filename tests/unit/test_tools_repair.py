"""From a file of differences to messages, and files that are none."""

from __future__ import annotations

import json
import tracemalloc
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from dynamodb_core.errors import ConfigError, DataError
from dynamodb_core.table import Key, Table
from dynamodb_tools import output, repair_command
from dynamodb_tools import repair as repairing
from dynamodb_tools.cli import tools
from dynamodb_tools.differences_file import DifferencesFile
from dynamodb_tools.repair import Repair

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

A, B = (Table(f"dev-{name}", f"arn:{name}", name, Key(("id",), ("N",))) for name in ("a", "b"))
DIGITS = "12345678901234567890123456789012345678"


def written(path: Path, count: int = 1, text: str = "x") -> Path:
    """Write a file: of each kind of difference some."""
    with DifferencesFile(path) as file, file.pair(A, B):
        for number in range(count):
            key = json.dumps({"id": {"N": f"{number}"}}).encode()
            file.write("missing", key, {"id": {"N": f"{number}"}, "t": {"S": text}})
        key = json.dumps({"id": {"N": DIGITS}}).encode()
        file.write("differs", key, {"id": {"N": DIGITS}, "n": {"N": "1.50"}})
        file.write("extra", json.dumps({"id": {"N": f"-{DIGITS}"}}).encode())
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return written(tmp_path / "differences.jsonl")


def decoded(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines]


def test_items_are_put_and_nothing_is_deleted(path: Path) -> None:
    repair = Repair(path)
    lines = list(repair.messages())
    file = path.read_bytes().splitlines(keepends=True)
    schema, missing, differs, state = decoded(lines)
    assert (lines[0], lines[3]) == (file[0], file[4])
    assert [m["type"] for m in (schema, missing, differs, state)] == [
        *("SCHEMA", "RECORD", "RECORD", "STATE")
    ]
    assert missing.keys() == {"type", "stream", "record", "time_extracted"}
    assert missing["record"] == {"id": 0, "item": {"id": {"N": "0"}, "t": {"S": "x"}}}
    assert differs["record"]["item"]["n"] == {"N": "1.50"}
    assert b'"record":{"id":%b,' % DIGITS.encode() in lines[2]
    assert (repair.puts, repair.deletions, repair.left) == (2, 0, 1)


def test_what_b_alone_has_is_deleted_when_that_is_asked_for(path: Path) -> None:
    repair = Repair(path, deletes=True)
    lines = list(repair.messages())
    schema, _, _, extra, _ = decoded(lines)
    asked = schema["schema"]["properties"]["_sdc_deleted_at"]
    assert asked == {"type": ["null", "string"], "format": "date-time"}
    assert extra["type"] == "RECORD"
    assert extra["record"] == {"id": -int(DIGITS), "_sdc_deleted_at": extra["time_extracted"]}
    assert f"-{DIGITS}".encode() in lines[3]
    assert (repair.puts, repair.deletions, repair.left) == (2, 1, 0)


def test_a_key_of_the_name_that_says_deleted_cannot_delete(tmp_path: Path) -> None:
    a = Table("a", "", "", Key(("_sdc_deleted_at",), ("S",)))
    with DifferencesFile(tmp_path / "file") as file, file.pair(a, B):
        file.write("extra", b'{"_sdc_deleted_at":{"S":"x"}}')
    assert len(list(Repair(tmp_path / "file").messages())) == 2
    with pytest.raises(DataError, match=r"_sdc_deleted_at.* attribute of its table's key"):
        list(Repair(tmp_path / "file", deletes=True).messages())


# Files that are none


def test_no_such_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        next(Repair(tmp_path / "none").messages())


@pytest.mark.parametrize("lost", [1, 2, 30, 200, 10_000])
def test_a_file_that_is_cut_off_is_an_error_before_its_first_message(path: Path, lost: int) -> None:
    data = path.read_bytes()
    path.write_bytes(data[: -lost - len(b"\n")])
    with pytest.raises(DataError, match="cut off"):
        next(Repair(path).messages())


def test_the_last_end_of_line_may_be_missing(path: Path) -> None:
    whole = list(Repair(path).messages())
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert list(Repair(path).messages()) == whole


def test_a_long_end_is_found(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairing, "_TAIL_BYTES", 16)
    assert len(list(Repair(path).messages())) == 4


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "no JSON",
        '{"type":"STATE","value":{}}',
        '{"type":"STATE","value":null}',
        '{"type":"RECORD","value":{"compared":[]}}',
        "[1]",
        '{"id":{"S":"x"}}',
    ],
)
def test_another_kind_of_file_is_an_error(path: Path, text: str) -> None:
    path.write_text(text)
    with pytest.raises(DataError, match="cannot be taken for a file of differences"):
        list(Repair(path).messages())


@pytest.mark.parametrize(
    ("line", "why"),
    [
        (b'{"type":"RECORD","stream":"dev_a","rec', "line 3 is no message"),
        (b"\xff", "line 3 is no message"),
        (b"17", "line 3 is no message"),
        (b'{"type":"OTHER"}', "line 3 is of the type OTHER"),
        (b'{"type":"RECORD","stream":"other","record":{}}', "line 3 is a RECORD without"),
        (b'{"type":"EXTRA","stream":"other","record":{}}', "line 3 is a EXTRA without"),
        (b'{"type":"RECORD","stream":"dev_a"}', "line 3 is a RECORD without"),
        (b'{"type":"RECORD","stream":"dev_a","record":7}', "line 3 is a RECORD without"),
        (b'{"type":"SCHEMA","stream":"dev_a","schema":[]}', "a SCHEMA of it"),
        (b'{"type":"SCHEMA","stream":"dev_a","schema":{"properties":{}}}', "a SCHEMA of it"),
    ],
)
def test_a_damaged_line_is_an_error_and_no_state_follows(path: Path, line: bytes, why: str) -> None:
    lines = path.read_bytes().splitlines()
    lines[2:3] = [line]
    path.write_bytes(b"\n".join(lines))
    found: list[bytes] = []
    with pytest.raises(DataError, match=why):
        found.extend(Repair(path).messages())
    assert all(message["type"] != "STATE" for message in decoded(found))


def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    small, large = (written(tmp_path / f"{n}", n, "x" * 10_000) for n in (20, 2_000))
    peaks = []
    for path in (small, large):
        tracemalloc.start()
        for _ in Repair(path, deletes=True).messages():
            pass
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert large.stat().st_size > 16 << 20
    assert peaks[1] < peaks[0] + (4 << 20)


# The command


def run(*arguments: str) -> tuple[int, bytes, str]:
    result = CliRunner().invoke(tools, ["repair", *arguments])
    return result.exit_code, result.stdout_bytes, result.stderr


def test_the_command_prints_the_messages_and_says_what_they_do(path: Path) -> None:
    code, out, said = run(str(path))
    assert code == 0
    assert out == b"".join(Repair(path).messages())
    assert "2 items to put, 0 items to delete; 1 item that B alone has left there" in said
    assert "--deletes" in said
    code, out, said = run(str(path), "--deletes")
    assert code == 0
    assert out == b"".join(Repair(path, deletes=True).messages())
    assert said.strip().endswith("2 items to put, 1 item to delete")


def test_the_command_prints_piece_by_piece(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pieces: list[bytes] = []
    monkeypatch.setattr(repair_command, "PIECE_BYTES", 1)
    monkeypatch.setattr(output, "write", pieces.append)
    assert run(str(path))[0] == 0
    assert [piece for piece in pieces if piece] == list(Repair(path).messages())


def test_an_error_of_the_command_is_a_line_and_exit_code_1(tmp_path: Path) -> None:
    code, out, said = run(str(tmp_path / "none"))
    assert (code, out) == (1, b"")
    assert "No such file" in said
