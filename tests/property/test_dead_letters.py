"""Whatever cannot be written stands in the dead-letter file so that the target makes the same of it."""

from __future__ import annotations

import json
import logging
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dynamodb_core import batches
from dynamodb_core.errors import DataError, Error
from dynamodb_core.table import Key, Table
from target_dynamodb import exact, letters
from target_dynamodb.encode import Encoder
from target_dynamodb.rejects import Rejects
from target_dynamodb.source import Source
from tests.property import strategies as some

if TYPE_CHECKING:
    from collections.abc import Iterable

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

MOST = 10**9

log = logging.getLogger("test-dead-letters")
log.setLevel(logging.CRITICAL)

numbers = st.one_of(st.integers(), st.floats(), st.decimals(allow_nan=True).map(str))
json_values = st.recursive(
    st.one_of(st.none(), st.booleans(), numbers, st.text(max_size=8), st.just("reason")),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.text(max_size=4), st.just("reason")), inner, max_size=3),
    ),
    max_leaves=6,
)
reasons = st.one_of(
    st.text(max_size=20), st.sampled_from(('say "reason":"x"}', "half a character \ud800", "\n"))
)
lines = st.builds(
    lambda record, more, spaced: json.dumps(
        {"type": "RECORD", "stream": "s", "record": record, **more},
        separators=(", ", ": ") if spaced else (",", ":"),
    ).encode(),
    st.dictionaries(st.one_of(st.text(max_size=4), st.just("reason")), json_values, max_size=4),
    st.sampled_from(({}, {"version": 5}, {"time_extracted": "x", "z": ',"reason":"y"'})),
    st.booleans(),
)


def shown(text: str) -> str:
    """A reason as it is shown: half characters are none."""
    return text.encode(errors="replace").decode()


@given(lines, reasons, reasons)
@patient
def test_a_line_is_what_it_was_with_its_newest_reason_beside_it(
    line: bytes, reason: str, newer: str
) -> None:
    letter = letters.from_line(line + b"\r", reason)
    assert letter.startswith(line[:-1] + b',"reason":')
    assert letter.count(b"\n") == 1
    again = letters.from_line(letter, newer)
    for text, wanted in ((letter, reason), (again, newer)):
        got = json.loads(text, parse_float=str, parse_int=str, parse_constant=str)
        assert got.pop("reason") == shown(wanted)
        assert got == json.loads(line, parse_float=str, parse_int=str, parse_constant=str)
    assert again.startswith(line[:-1] + b',"reason":' + orjson.dumps(shown(newer)))


@st.composite
def refused_items(draw: st.DrawFn) -> tuple[dict[str, str], dict[str, Any]]:
    names = st.one_of(some.names, st.sampled_from(("item", "item_")))
    key = draw(st.dictionaries(names, st.sampled_from("SNB"), min_size=1, max_size=2))
    return key, draw(some.keyed_items(key))


@given(refused_items(), st.booleans(), st.booleans())
@patient
def test_an_item_that_dynamodb_refused_is_the_same_item_when_it_is_loaded_again(
    refused: tuple[dict[str, str], dict[str, Any]], ours: bool, deleted: bool
) -> None:
    key, item = refused
    table = Table("copy", "", "", Key(tuple(key), tuple(key.values())))
    source = Source("origin", arn="arn:x", id="7", region="eu-west-1") if ours else None
    if deleted:
        item = {name: item[name] for name in key}
        write = batches.delete(orjson.dumps(item))
    else:
        write = batches.put(orjson.dumps(item))
    said = json.loads(letters.as_written_schema("s", table, source))
    line = msgspec.json.decode(letters.as_written("s", table, write, "why"), type=Line)
    again = Source.from_schema("s", said["schema"])
    assert again
    assert again.as_written
    assert (again.name, again.arn) == (("origin", "arn:x") if ours else ("copy", ""))
    assert again.key == table.key
    assert said["key_properties"] == list(key)
    encoder = Encoder("s", said["schema"]["properties"], key=table.key, source=again)
    identity, body, gone = encoder.encode_json(line.record)
    assert identity == table.key.identity(item)
    assert gone == deleted
    assert some.same_item(orjson.loads(body)) == some.same_item(item)


class Line(msgspec.Struct):
    record: msgspec.Raw
    stream: str
    reason: str


class Full(Error):
    """There is no room."""


class Box:
    """A letterbox in memory, which may be full after some pieces."""

    most_bytes = 200

    def __init__(self, *, apart: bool, room: int) -> None:
        self.apart = apart
        self.pieces: list[bytes] = []
        self.synced = 0
        self._room = room

    def open(self) -> None:
        pass

    def write(self, piece: bytes) -> None:
        if len(self.pieces) >= self._room:
            raise Full("full")
        self.pieces.append(piece)

    def sync(self) -> None:
        self.synced = len(self.pieces)

    def close(self) -> None:
        pass


def told(pieces: Iterable[bytes]) -> list[tuple[str, int, int]]:
    """What a loader reads: of each record its stream, which SCHEMA it came with, its number."""
    schemas: dict[str, int] = {}
    found = []
    for line in b"".join(pieces).splitlines():
        message = json.loads(line)
        if message["type"] == "SCHEMA":
            schemas[message["stream"]] = message["schema"]
        else:
            found.append((message["stream"], schemas[message["stream"]], message["record"]["n"]))
    return found


steps = st.lists(
    st.one_of(
        st.tuples(st.just("schema"), st.sampled_from("ab"), st.integers(0, 2)),
        st.tuples(st.just("add"), st.sampled_from("ab"), st.just(None)),
        st.tuples(st.just("refused"), st.sampled_from("ab"), st.just(None)),
        st.tuples(st.just("sync"), st.just(""), st.just(None)),
    ),
    max_size=40,
)


@given(steps, st.booleans(), st.sampled_from((1, 3, MOST)))
@patient
def test_every_record_stands_after_its_schema_and_what_is_synced_is_there(
    steps: list[tuple[str, str, int | None]], apart: bool, room: int
) -> None:
    box = Box(apart=apart, room=room)
    rejects = Rejects(box, log, most=MOST)
    rejects.open()
    now: dict[str, int] = {}
    wanted: list[tuple[str, int, int]] = []
    safe: list[tuple[str, int, int]] = []
    for stream in "ab":
        rejects.schema(stream, json.dumps({"type": "SCHEMA", "stream": stream, "schema": 0}))
        now[stream] = 0
    full = False
    for number, (what, stream, value) in enumerate(steps):
        try:
            if what == "schema":
                assert value is not None
                now[stream] = value
                said = {"type": "SCHEMA", "stream": stream, "schema": value}
                rejects.schema(stream, json.dumps(said))
            elif what == "sync":
                rejects.sync()
                assert not full
                assert box.synced == len(box.pieces)
                assert sorted(told(box.pieces)) == sorted(wanted)
                safe = list(wanted)
            else:
                line = letters.from_record(stream, b'{"n":%d}' % number, "why")
                other = {"type": "SCHEMA", "stream": stream, "schema": 9}
                schema = orjson.dumps(other) + b"\n" if what == "refused" else None
                wanted.append((stream, 9 if schema else now[stream], number))
                rejects.add(stream, line, DataError("why"), schema=schema)
        except Full:
            full = True
    rejects.close()
    got = told(box.pieces)
    assert set(safe) <= set(got)
    assert len(set(got)) == len(got)
    if room == MOST:
        assert sorted(got) == sorted(wanted)
    if apart:
        for piece in box.pieces:  # each can be loaded alone
            assert told([piece])
    assert rejects.count == len(wanted)
    for place in {each[:2] for each in wanted}:  # those of one SCHEMA stay in their order
        numbers = [n for *where, n in got if tuple(where) == place]
        assert numbers == sorted(numbers)


no_numbers = st.sampled_from(("NaN", "Infinity", "-Infinity")).map(Decimal)
exact_numbers = st.one_of(
    st.decimals(allow_nan=False, allow_infinity=False), no_numbers, st.integers()
)


@given(st.lists(exact_numbers, max_size=4))
@patient
def test_rows_as_json_keep_every_digit(values: list[Any]) -> None:
    record = {str(place): value for place, value in enumerate(values)}
    again = exact.reread(exact.encode(record))
    assert list(map(str, again.values())) == list(map(str, map(Decimal, values)))
