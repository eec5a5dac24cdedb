"""Messages from bytes."""

from __future__ import annotations

import io
import json
import logging
import os
import signal
import threading
from decimal import Decimal
from typing import Any

import pytest

from dynamodb_core.errors import DataError
from target_dynamodb import intake
from target_dynamodb.reader import MessageReader, parts
from target_dynamodb.strangers import MOST_TYPES
from tests.engines.scripted import Clock

RECORD = b'{"type":"RECORD","stream":"s","record":{"id":1}}\n'


def read(text: str | bytes, reader: MessageReader | None = None) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = []
    callbacks = dict.fromkeys(("SCHEMA", "RECORD", "STATE"), messages.append)
    data = text if isinstance(text, bytes) else text.encode()
    (reader or MessageReader()).process_lines(io.BytesIO(data), callbacks)
    return messages


def test_numbers_keep_every_digit() -> None:
    digits = "123456789012345678901234567890.12345678"
    whole = "9" * 38
    [message] = read(f'{{"type":"STATE","value":[{digits},{whole},1.50,1E-130]}}\n')
    assert message["value"] == [Decimal(digits), int(whole), Decimal("1.50"), Decimal("1E-130")]


def test_the_last_line_needs_no_end_and_empty_lines_say_nothing() -> None:
    assert len(read(b"\n" + RECORD + b"  \r\n\n" + RECORD.strip())) == 2


def test_text_files_are_read_too() -> None:
    messages: list[dict[str, Any]] = []
    reader = MessageReader()
    counts = reader.process_lines(io.StringIO(RECORD.decode()), {"RECORD": messages.append})  # type: ignore[arg-type]
    assert counts == {"RECORD": 1}
    assert messages == [json.loads(RECORD)]


def test_roads_take_records_as_json_and_are_counted() -> None:
    reader = MessageReader()
    taken: list[bytes] = []
    reader.roads["s"] = lambda record: taken.append(bytes(record))
    other = RECORD.replace(b'"s"', b'"other"')
    left = read(RECORD + other + RECORD, reader)
    assert taken == [b'{"id":1}'] * 2
    assert [message["stream"] for message in left] == ["other"]


def test_what_a_road_cannot_decode_goes_to_the_callback() -> None:
    reader = MessageReader()
    reader.roads["s"] = json.loads  # never reached with such a line
    line = b'{"type":"RECORD","stream":"s","record":{"n":NaN}}\n'
    [message] = read(line, reader)
    assert str(message["record"]["n"]) == "NaN"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"nonsense", "is cut off in its middle"),
        (b"nonsense\n", "Line 1 of the input is no JSON"),
        (RECORD + b"[]\n", "Line 2 of the input is no JSON object"),
        (RECORD + RECORD[:20], "Line 2 of the input is cut off in its middle"),
        (b'{"type":5}\n', "has the type 5, which is no text"),
        (b'{"type":""}\n', "has the type '', which is no text"),
        (b'{"type":["RECORD"]}\n', "has the type ['RECORD'], which is no text"),
        (b'{"type":null,"stream":"s"}\n', "has no type"),
        (b'{"type":"record"}\n', "Line 1 of the input has the type 'record', which Singer writes"),
        (RECORD + b'{"type":" State"}\n', "Line 2 of the input has the type ' State'"),
        (b'{"a":1}\n', "has no type"),
        (b'{"type":"STATE","value":"\xff"}\n', "is no JSON"),
        (b'{"type":"STATE","value":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n", "is no JSON"),
    ],
)
def test_a_line_that_is_no_message_is_one_clear_error(line: bytes, words: str) -> None:
    with pytest.raises(DataError) as raised:
        read(line)
    assert words in str(raised.value)
    assert "\n" not in str(raised.value)


HELLO = b'{"type":"HELLO","stream":"s","record":{"id":2}}\n'


def test_messages_of_unknown_types_are_passed_over_and_named_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    messages: list[dict[str, Any]] = []
    reader = MessageReader()
    taken: list[bytes] = []
    reader.roads["s"] = lambda record: taken.append(bytes(record))
    state, bye = b'{"type":"STATE","value":1}\n', b'{"type":"BYE","a":[NaN]}\n'
    data = io.BytesIO(HELLO + RECORD + HELLO + bye + state + HELLO)
    counts = reader.process_lines(data, {"RECORD": messages.append, "STATE": messages.append})
    assert taken == [b'{"id":1}']
    assert messages == [{"type": "STATE", "value": 1}]
    assert counts == {"RECORD": 1, "STATE": 1, "HELLO": 3, "BYE": 1}
    warned = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert [line.partition(",")[0] for line in warned] == [
        "Line 1 of the input is a message of the type HELLO",
        "Line 4 of the input is a message of the type BYE",
    ]
    assert caplog.messages[-1] == "Messages that were passed over: 3 of type HELLO, 1 of type BYE"


def test_types_without_end_are_not_kept_in_mind(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    lines = [b'{"type":"%d%s"}' % (n, b"x" * 1000) for n in range(1000)]
    assert read(b"\n".join(lines)) == []
    assert len(caplog.messages) == MOST_TYPES + 2
    assert all(len(line) < 300 for line in caplog.messages[:-1])
    assert caplog.messages[-1].endswith(f"{1000 - MOST_TYPES} of type other types")


def test_nothing_is_said_where_all_is_known(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read(RECORD)
    assert not caplog.messages


def test_a_long_line_over_many_chunks_is_read_once() -> None:
    reading, writing = os.pipe()
    text = "x" * 5_000_000
    line = json.dumps({"type": "STATE", "value": text}).encode() + b"\n"

    def write() -> None:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(line * 2)

    writer = threading.Thread(target=write)
    writer.start()
    messages: list[dict[str, Any]] = []
    with os.fdopen(reading, "rb") as pipe:
        counts = MessageReader().process_lines(pipe, {"STATE": messages.append})
    writer.join()
    assert counts == {"STATE": 2, "RECORD": 0}
    assert [message["value"] for message in messages] == [text, text]


def test_a_stop_in_the_middle_of_a_line_ends_without_a_complaint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A signal while the rest of a line is on its way once made the line an error."""
    monkeypatch.setattr(intake, "IDLE_SECONDS", 0.01)
    reading, writing = os.pipe()
    reader = MessageReader()
    reader.on_idle = reader.stop
    os.write(writing, RECORD + RECORD[:20])
    records: list[dict[str, Any]] = []
    with os.fdopen(reading, "rb") as pipe, os.fdopen(writing, "wb"):
        counts = reader.process_lines(pipe, {"RECORD": records.append})
    assert len(records) == counts["RECORD"] == 1


def test_the_alarm_is_looked_at_after_every_message() -> None:
    clock = Clock(now=10.0)
    reader = MessageReader(clock)
    reader.alarm = 12.0
    calls: list[int] = []

    def on_alarm() -> None:
        calls.append(len(taken))
        reader.alarm = 14.0

    taken: list[object] = []

    def take(record: object) -> None:
        taken.append(record)
        clock.now += 1

    reader.on_alarm = on_alarm
    reader.roads["s"] = take
    read(RECORD * 5, reader)
    assert calls == [2, 4, 5]


def test_stop_ends_the_reading_at_the_next_message() -> None:
    reader = MessageReader()
    taken: list[object] = []

    def take(record: object) -> None:
        taken.append(record)
        reader.stop()

    reader.roads["s"] = take
    assert read(RECORD * 5, reader) == []
    assert len(taken) == 1


def test_silence_is_noticed_and_a_signal_wakes_the_reader() -> None:
    reader = MessageReader()
    reading, writing = os.pipe()
    before = signal.signal(signal.SIGUSR1, lambda *_: reader.stop())
    silent: list[int] = []

    def on_idle() -> None:
        silent.append(len(silent))
        os.kill(os.getpid(), signal.SIGUSR1)  # from now on nothing but the signal can end the wait

    reader.on_idle = on_idle
    try:
        with os.fdopen(reading, "rb") as pipe:
            os.write(writing, RECORD)
            counts = reader.process_lines(pipe, {"RECORD": lambda _: None})
    finally:
        signal.signal(signal.SIGUSR1, before)
        os.close(writing)
    assert silent == [0]
    assert counts["RECORD"] == 1


def test_parts_names_all_that_is_missing() -> None:
    assert parts({"a": 1, "b": 2}, "RECORD", "b", "a") == [2, 1]
    with pytest.raises(DataError, match="A RECORD message has no stream and no record"):
        parts({"type": "RECORD"}, "RECORD", "stream", "record")
    with pytest.raises(DataError, match="The stream of a RECORD message is no text"):
        parts({"stream": ["s"]}, "RECORD", "stream")
