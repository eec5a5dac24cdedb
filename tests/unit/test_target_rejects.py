"""Records that cannot be written: when they are counted, named, safe, and too many."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import batches
from dynamodb_core.errors import ConfigError, DataError, Error
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from target_dynamodb import letters
from target_dynamodb.letter_file import LetterFile
from target_dynamodb.letterbox import LetterObjects
from target_dynamodb.loader import Way
from target_dynamodb.rejected import Rejected, Rejecter
from target_dynamodb.rejecting import MOST_ERRORS, Rejecting
from target_dynamodb.rejects import SHOWN, Rejects, TooManyRejects
from target_dynamodb.settings import Settings
from target_dynamodb.source import Source

if TYPE_CHECKING:
    from pathlib import Path

log = logging.getLogger("test-rejects")
TABLE = Table("copy", "", "", Key(("id",), ("S",)))
SCHEMA = json.dumps({"type": "SCHEMA", "stream": "s", "schema": {}})
WRITE = batches.put(b'{"id":{"S":"a"}}')


class Box:
    """A letterbox in memory that notes what is done to it."""

    def __init__(self, *, most_bytes: int = 10**6, apart: bool = False) -> None:
        self.most_bytes = most_bytes
        self.apart = apart
        self.happened: list[str] = []
        self.pieces: list[bytes] = []
        self.error: Error | None = None

    def __str__(self) -> str:
        return "the box"

    def open(self) -> None:
        self.happened.append("open")

    def write(self, piece: bytes) -> None:
        if self.error is not None:
            raise self.error
        self.happened.append("write")
        self.pieces.append(piece)

    def sync(self) -> None:
        self.happened.append("sync")

    def close(self) -> None:
        self.happened.append("close")

    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in b"".join(self.pieces).splitlines()]


def made(box: Box, most: int = 100) -> Rejects:
    rejects = Rejects(box, log, most=most)
    rejects.open()
    rejects.schema("s", SCHEMA)
    box.happened.clear()
    return rejects


def add(rejects: Rejects, count: int = 1, schema: bytes | None = None) -> None:
    for _ in range(count):
        error = DataError(f"record {rejects.count}", "Change it")
        rejects.add("s", letters.from_record("s", b"{}", error.message), error, schema=schema)


def test_records_are_written_and_safe_when_that_is_asked_for() -> None:
    box = Box()
    rejects = made(box)
    rejects.sync()
    assert box.happened == []
    add(rejects, 2)
    assert box.happened == []
    rejects.sync()
    rejects.sync()
    assert box.happened == ["write", "sync"]
    add(rejects)
    rejects.close()
    assert box.happened == ["write", "sync", "write", "sync", "close"]
    assert [each["type"] for each in box.messages()] == ["SCHEMA", *["RECORD"] * 3]
    assert box.messages()[1]["reason"] == "record 0"


def test_many_bytes_do_not_wait() -> None:
    box = Box(most_bytes=120)
    rejects = made(box)
    add(rejects, 4)
    assert box.happened == ["write", "write"]
    rejects.sync()
    assert box.happened == ["write", "write", "sync"]  # what was written is not yet safe


def test_a_schema_stands_once_before_its_records_and_again_when_another_came_between() -> None:
    box = Box()
    rejects = made(box)
    other = letters.as_written_schema("s", TABLE, None)
    add(rejects)
    add(rejects, schema=other)
    add(rejects)
    add(rejects, schema=other)
    rejects.sync()
    add(rejects, schema=other)
    rejects.sync()
    add(rejects)
    rejects.sync()
    kinds = [each["type"][0] for each in box.messages()]
    assert "".join(kinds) == "SRRSRRRSR"


def test_each_piece_that_stands_alone_has_its_schema() -> None:
    box = Box(apart=True)
    rejects = made(box)
    for _ in range(2):
        add(rejects)
        rejects.sync()
    assert [each["type"] for each in box.messages()] == ["SCHEMA", "RECORD"] * 2


def test_after_an_error_nothing_is_safe_any_more(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()
    rejects = made(box)
    add(rejects)
    rejects.sync()
    add(rejects, 2)
    box.error = Error("No room")
    for _ in range(2):
        with pytest.raises(Error, match="No room"):
            rejects.sync()
        box.error = None  # there is room again: but something may be missing
    box.happened.clear()
    rejects.close()
    assert box.happened == ["close"]
    assert "3 records could not be written; 1 of them are in the box" in caplog.text


def test_the_first_are_named_and_all_are_counted(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()
    rejects = made(box, most=1000)
    add(rejects, SHOWN + 5)
    assert len(caplog.messages) == SHOWN + 1
    assert caplog.messages[3] == "Cannot be written, and goes to the box: record 3. Change it."
    rejects.close()
    rejects.close()
    assert caplog.messages[-1] == "25 records could not be written; they are in the box"
    assert len(caplog.messages) == SHOWN + 2


def test_without_such_records_nothing_is_said(caplog: pytest.LogCaptureFixture) -> None:
    box = Box()
    made(box).close()
    assert caplog.messages == []
    assert box.happened == ["close"]


def test_one_more_than_there_may_be_is_noted_and_ends_the_run() -> None:
    box = Box()
    rejects = made(box, most=2)
    add(rejects, 2)
    for _ in range(2):
        with pytest.raises(TooManyRejects, match="max_errors is 2"):
            add(rejects)
    assert not issubclass(TooManyRejects, DataError)  # or it would be taken for a record's own
    rejects.sync()
    assert len(box.messages()) == 5


def test_a_refused_write_is_of_a_stream_of_its_table() -> None:
    box = Box()
    rejects = made(box)
    streams: dict[str, Source | None] = {}
    refused = rejects.refused_by(TABLE, streams)
    streams["first"] = None
    streams["last"] = Source("origin", arn="arn:o")
    refused(WRITE, DataError("it is cursed", "Change it"))
    rejects.sync()
    said, letter = box.messages()
    assert said["stream"] == letter["stream"] == "last"
    assert said["schema"]["x-dynamodb-table"]["arn"] == "arn:o"
    assert letter["record"] == {"id": "a", "item": {"id": {"S": "a"}}}
    assert letter["reason"] == "it is cursed"


def test_a_worker_sends_back_what_cannot_be_written_with_the_number_of_its_file() -> None:
    sent: list[Rejected] = []
    rejecter = Rejecter(sent.append)
    rejecter.begin(4, Way("s", {}, TABLE, Source("origin")))
    rejecter.unfit(b'{"id":1.50}', DataError("no text"))
    rejecter.begin(5, None)
    rejecter.refused(WRITE, DataError("cursed"))
    unfit, refused = sent
    assert unfit[:3] == (
        4,
        "s",
        b'{"type":"RECORD","stream":"s","record":{"id":1.50},"reason":"no text"}\n',
    )
    assert unfit.schema is None
    assert (refused.number, refused.stream) == (5, "s")
    assert refused.schema == letters.as_written_schema("s", TABLE, Source("origin"))
    assert json.loads(refused.line)["record"]["item"] == {"id": {"S": "a"}}


def test_an_item_field_never_has_the_name_of_a_key() -> None:
    table = Table("copy", "", "", Key(("item", "item_"), ("N", "B")))
    said = json.loads(letters.as_written_schema("s", table, None))
    write = batches.put(b'{"item_":{"B":"AA=="},"item":{"N":"5"},"more":{"S":"x"}}')
    letter = json.loads(letters.as_written("s", table, write, "why"))
    assert said["schema"]["x-dynamodb-table"]["item_field"] == "item__"
    assert letter["record"]["item"] == 5
    assert letter["record"]["item_"] == "AA=="
    assert letter["record"]["item__"]["more"] == {"S": "x"}


ASKED = {"on_error": "dead_letter", "dead_letter": "x.jsonl"}


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        ({}, Rejecting()),
        ({"dead_letter": "x.jsonl"}, Rejecting()),
        ({"on_error": "stop", "dead_letter": "x.jsonl", "max_errors": 5}, Rejecting("", 5)),
        ({"on_error": None, "dead_letter": None, "max_errors": None}, Rejecting("", MOST_ERRORS)),
        (ASKED, Rejecting("x.jsonl", MOST_ERRORS)),
        ({**ASKED, "max_errors": 1}, Rejecting("x.jsonl", 1)),
    ],
)
def test_what_the_settings_ask_for(config: dict[str, Any], wanted: Rejecting) -> None:
    assert Rejecting.from_config(config) == wanted
    assert Settings.from_config(config).rejecting == wanted


def test_a_dead_letter_file_wants_a_name() -> None:
    with pytest.raises(ConfigError, match="does not say where"):
        Rejecting.from_config({"on_error": "dead_letter", "dead_letter": ""})


def test_where_dead_letters_go(tmp_path: Path) -> None:
    assert isinstance(Rejecting(str(tmp_path / "x")).letterbox(AwsSettings()), LetterFile)
    objects = Rejecting("s3://bucket-of-ours/a").letterbox(AwsSettings())
    assert isinstance(objects, LetterObjects)
    objects.open()
    assert str(objects) == "s3://bucket-of-ours/a"
    with pytest.raises(ConfigError, match="no place for files"):
        Rejecting("ftp://x/y").letterbox(AwsSettings()).open()


def test_a_dry_run_has_no_dead_letters() -> None:
    asked = Rejecting("x.jsonl")
    assert Rejects.of(Settings(rejecting=asked), log)
    assert Rejects.of(Settings(rejecting=asked, dry_run=True), log) is None
    assert Rejects.of(Settings(), log) is None
