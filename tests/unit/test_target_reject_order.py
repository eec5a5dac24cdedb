"""What cannot be written is safe before a STATE that passes it is handed on, and before its file goes."""

from __future__ import annotations

import io
import itertools
import json
import os
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core import batches
from dynamodb_core.errors import DataError, Error
from dynamodb_core.inbox import Inbox
from dynamodb_core.table import Key, Table
from target_dynamodb import letters
from target_dynamodb.contents import File
from target_dynamodb.encode import Encoder
from target_dynamodb.loading import Direct, Indirect, Stopped, load
from target_dynamodb.reader import MessageReader
from target_dynamodb.rejecting import Rejecting
from tests.engines.filed import Filed, batch
from tests.engines.scripted import ScriptedTable
from tests.unit.test_target_rejects import Box
from tests.unit.test_target_state import SCHEMA, lines, record, state, target, values

if TYPE_CHECKING:
    from pathlib import Path

    import msgspec

    from dynamodb_core.settings import AwsSettings
    from target_dynamodb.target import TargetDynamoDB

ASKED = {"on_error": "dead_letter", "dead_letter": "x"}
BAD = {"type": "RECORD", "stream": "orders", "record": {"v": 1}}


class Watched(Box):
    """A letterbox that notes what was printed when it was asked to be safe."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        super().__init__()
        self.printed: list[str] = []
        self.there: list[bool] = []
        self.file: Path | None = None
        self._capsys = capsys

    def sync(self) -> None:
        super().sync()
        if self.error is not None:
            raise self.error
        self.printed.append(self._capsys.readouterr().out)
        if self.file is not None:
            self.there.append(self.file.exists())


@pytest.fixture
def box(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Watched:
    made = Watched(capsys)

    def letterbox(_asked: Rejecting, _aws: AwsSettings) -> Watched:
        return made

    monkeypatch.setattr(Rejecting, "letterbox", letterbox)
    return made


def made(table: ScriptedTable | None = None, **config: Any) -> TargetDynamoDB:
    table = table or ScriptedTable("orders", (("id", "N"),))
    return target(table, **{**ASKED, **config})[0]


def test_dead_letters_are_safe_before_the_state_is_handed_on(
    box: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    other = {**SCHEMA, "schema": {"properties": {"id": {"type": "integer"}}}}
    first = [SCHEMA, record(1, v=1), BAD, state({"at": 1})]
    made().load(lines(*first, other, record(2), BAD, state({"at": 2})))
    assert box.printed == ["", '{"at":1}\n']
    assert capsys.readouterr().out == '{"at":2}\n'
    assert box.happened == ["open", "write", "sync", "write", "sync", "close"]
    kinds = [each["type"] for each in box.messages()]
    assert kinds == ["SCHEMA", "RECORD"] * 2
    assert [box.messages()[place]["schema"] for place in (0, 2)] == [
        SCHEMA["schema"],
        other["schema"],
    ]


def test_no_state_is_handed_on_when_dead_letters_cannot_be_made_safe(
    box: Watched, capsys: pytest.CaptureFixture[str]
) -> None:
    box.error = Error("No space left on device")
    with pytest.raises(Error, match="No space left"):
        made().load(lines(SCHEMA, record(1, v=1), BAD, state({"at": 1})))
    assert capsys.readouterr().out == ""


def test_they_are_made_safe_without_any_state(box: Watched) -> None:
    made().load(lines(SCHEMA, BAD))
    assert box.happened == ["open", "write", "sync", "close"]


@pytest.mark.parametrize("distinct", [True, False])
def test_they_are_safe_before_their_file_is_removed(
    box: Watched, tmp_path: Path, distinct: bool
) -> None:
    filed = Filed(tmp_path)
    box.file = filed.ours([{"id": 1, "v": 1}, {"v": 2}])
    loading = made(batch_root=str(tmp_path), processes=1)
    loading.load(lines(SCHEMA, batch("orders", box.file, distinct=distinct)))
    assert box.there == [True]
    assert not box.file.exists()
    assert len(box.messages()) == 2


def test_a_file_stays_when_they_cannot_be_made_safe(box: Watched, tmp_path: Path) -> None:
    file = Filed(tmp_path).ours([{"id": 1, "v": 1}, {"v": 2}])
    box.error = Error("No space left on device")
    with pytest.raises(Error, match="No space left"):
        made(batch_root=str(tmp_path), processes=1).load(lines(SCHEMA, batch("orders", file)))
    assert file.exists()


def test_a_record_of_which_one_map_makes_nothing_is_noted_whole_and_written_nowhere(
    box: Watched,
) -> None:
    maps = {
        "orders": {"v": "v * 10"},
        "copies": {"__source__": "orders", "__key_properties__": ["id"], "v": "1 / v"},
    }
    table = ScriptedTable("orders", (("id", "N"),))
    names = {"orders": "orders", "copies": "orders"}
    made(table, stream_maps=maps, table_names=names).load(
        lines(SCHEMA, record(1, v=1), record(2, v=0))
    )
    assert set(values(table)) == {"1"}
    _, letter = box.messages()
    assert letter["record"] == {"id": 2, "v": 0}
    assert letter["stream"] == "orders"


def test_a_state_waits_for_the_records_of_a_sink_that_another_one_has_replaced(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Two streams of one name after stream maps share a table, and the later one's sink is the known one."""
    table = ScriptedTable("orders", (("id", "N"),))
    maps = {name: {"__alias__": "orders"} for name in ("first", "second")}
    schemas = [
        {**SCHEMA, "stream": "first"},
        {**SCHEMA, "stream": "second", "schema": {"properties": {"id": {"type": "integer"}}}},
    ]
    late = {**record(1, v=1), "stream": "first"}
    loading, _ = target(table, stream_maps=maps, table_names={"orders": "orders"})
    loading.load(lines(*schemas, late, state({"at": 1})))
    assert values(table) == {"1": "1"}
    assert capsys.readouterr().out == '{"at":1}\n'


def test_what_was_refused_passes_by_stream_maps_options_and_metadata(
    capsys: pytest.CaptureFixture[str],
) -> None:
    table = Table("orders", "", "", Key(("id",), ("N",)))
    item = {"id": {"N": "1"}, "v": {"N": "7"}, "_sdc_sequence": {"N": "5"}, "set": {"NS": ["1"]}}
    other = {"type": "SCHEMA", "stream": "orders", **SCHEMA}
    letter = letters.as_written("orders", table, batches.put(orjson.dumps(item)), "why")
    said = letters.as_written_schema("orders", table, None)
    scripted = ScriptedTable("orders", (("id", "N"),))
    loading, _ = target(
        scripted,
        stream_maps={"orders": {"v": "v * 10"}},
        stream_options={"orders": {"constants": {"late": True}}},
        add_record_metadata=True,
    )
    given = b"".join(
        [lines(other, record(2, v=2)).read(), said, letter, lines(state({"at": 1})).read()]
    )
    loading.load(io.BytesIO(given))  # type: ignore[arg-type]
    written = {each["id"]["N"]: each for each in scripted.items.values()}
    assert written["1"] == item
    assert written["2"]["v"] == {"N": "20"}
    assert "_sdc_received_at" in written["2"]
    assert "late" in written["2"]
    assert capsys.readouterr().out == '{"at":1}\n'


def test_the_reader_knows_the_line_of_the_message_that_it_hands_over() -> None:
    reader = MessageReader()
    seen: list[tuple[bytes, bytes]] = []

    def road(given: msgspec.Raw) -> None:
        seen.append((bytes(given), reader.line))

    def callback(message: dict[str, Any]) -> None:
        seen.append((json.dumps(message["record"]).encode(), reader.line))

    reader.roads["s"] = road
    texts = [
        b'{"type":"RECORD","stream":"%b","record":{"n":%d}}' % (stream, n)
        for n, stream in enumerate((b"s", b"t", b"s", b"s", b"t"))
    ]
    reading, writing = os.pipe()  # of which several lines are read at once
    with os.fdopen(reading, "rb") as pipe:
        with os.fdopen(writing, "wb") as end:
            end.write(b"\n\n".join(texts))
        reader.process_lines(pipe, {"RECORD": callback})
    assert [line for _, line in seen] == texts
    for given, line in seen:
        assert json.loads(line)["record"] == json.loads(given)


class Written:
    """Takes writes."""

    def __init__(self) -> None:
        self.identities: list[Any] = []

    def put(self, identity: Any, _item: bytes) -> None:
        self.identities.append(identity)


ENCODER = Encoder("s", {"id": {"type": "string"}}, key=Key(("id",), ("S",)))


def loaded(folder: Path, data: bytes, **more: Any) -> tuple[int, int, list[tuple[bytes, str]]]:
    (folder / "file").write_bytes(data)
    rejected: list[tuple[bytes, str]] = []
    writer = Written()
    count = load(
        File(Inbox(folder).claim(str(folder / "file"))),
        Direct(ENCODER, writer),  # type: ignore[arg-type]
        reject=lambda record, error: rejected.append((record, str(error))),
        **{"stopped": lambda: False, **more},
    )
    return count, len(writer.identities), rejected


def test_the_records_of_a_file_that_cannot_be_written_are_handed_over_as_they_came(
    tmp_path: Path,
) -> None:
    bad = [b'{"n":1.50}', b'{"id":"b", "n":NaN}', b' {"id":"c","t":"\\ud800"}\r']
    data = b"\n".join([b'{"id":"a"}', *bad, b"", b'{"id":"d"}\n'])
    count, taken, rejected = loaded(tmp_path, data)
    assert (count, taken) == (2, 2)
    assert [record for record, _ in rejected] == bad
    for (_, words), number in zip(rejected, (2, 3, 4), strict=True):
        assert f"(line {number} of file {tmp_path}/file)" in words


@pytest.mark.parametrize("line", [b'{"id":"b"', b"[1]", b"null", b"7"])
def test_a_line_that_is_no_record_ends_the_load(tmp_path: Path, line: bytes) -> None:
    with pytest.raises(DataError, match=r"Line 2 of file .* is no JSON"):
        loaded(tmp_path, b'{"x":1}\n' + line + b"\n")


def test_a_load_of_which_nothing_can_be_written_can_be_left(tmp_path: Path) -> None:
    asked = itertools.count(1)
    with pytest.raises(Stopped):
        loaded(tmp_path, b'{"x":1}\n' * 100, stopped=lambda: next(asked) == 3)
    assert next(asked) == 4


def test_what_fails_when_it_is_handed_over_is_no_fault_of_the_record(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b'{"id":"a"}\n')

    def give(_made: Any) -> None:
        raise DataError("the writer has ended")

    with pytest.raises(DataError, match="the writer has ended"):
        load(
            File(Inbox(tmp_path).claim(str(tmp_path / "file"))),
            Indirect(lambda given: given, give),
            stopped=lambda: False,
            reject=lambda *_: pytest.fail("it is none"),
        )


def test_rows_are_handed_over_as_json(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = {"id": ["a", None], "n": [1.0, float("inf")], "b": [b"\x00", b"\x01"]}
    parquet.write_table(pa.table(rows), tmp_path / "rows")
    rejected: list[bytes] = []
    count = load(
        File(Inbox(tmp_path).claim(str(tmp_path / "rows")), "parquet"),
        Direct(ENCODER, Written()),  # type: ignore[arg-type]
        stopped=lambda: False,
        reject=lambda given, error: rejected.append(given + str(error)[-20:].encode()),
    )
    assert count == 1
    [text] = rejected
    assert text.startswith(b'{"n":Infinity,"b":"AQ=="}')
