"""Items that are written in each format of an export are read back as they were."""

from __future__ import annotations

import gzip
import importlib.util
import json
import tempfile
from pathlib import Path
from typing import Any

import msgspec
from hypothesis import assume, given
from hypothesis import strategies as st

from dynamodb_core import numbers
from dynamodb_core.exports.detecting import Seen, detect
from dynamodb_core.exports.kinds import DataFile, Format
from dynamodb_core.exports.lines import parser
from dynamodb_core.exports.reader import ExportReader, read_changes
from dynamodb_core.objects import Folder
from dynamodb_core.parts import Block, Part
from tests.engines import exports
from tests.property.strategies import items, keyed_items

KEYS = {"pk": "S", "sk": "N"}
WRITERS = {
    ("dynamodb_json", "full"): exports.full_line,
    ("ion", "ion"): exports.ion_line,
    ("legacy", "json"): exports.legacy_line,
    ("legacy", "data_pipeline"): exports.data_pipeline_line,
    ("legacy", "hive"): exports.hive_line,
}
if not importlib.util.find_spec("amazon"):
    del WRITERS["ion", "ion"]
ION_CHANGES = st.sampled_from(["struct", "number", "int", "typed", "wrapped", "quoted"])


def plain_numbers(typed: Any) -> Any:
    """The same typed value with every number as DynamoDB writes it: Ion keeps its value alone."""
    if isinstance(typed, list):
        return [plain_numbers(each) for each in typed]
    ((kind, value),) = typed.items()
    if kind == "N":
        value = numbers.plain_digits(value)
    elif kind == "NS":
        value = [numbers.plain_digits(each) for each in value]
    elif kind == "L":
        value = [plain_numbers(each) for each in value]
    elif kind == "M":
        value = {name: plain_numbers(each) for name, each in value.items()}
    return {kind: value}


def by_value(item: dict[str, Any]) -> dict[str, Any]:
    return {name: plain_numbers(value) for name, value in item.items()}


def decoded(raws: list[Any]) -> list[Any]:
    return [json.loads(bytes(raw)) for raw in raws]


def writable(item: exports.Item, form: str) -> bool:
    """Whether a form has room for an item's names: Hive's separators cannot be escaped."""
    return form != "hive" or not any(set("\n\r\x02\x03") & set(name) for name in item)


@st.composite
def blanks(draw: st.DrawFn, lines: list[bytes]) -> bytes:
    """Whole lines with blank ones between them, and ends as Windows has them."""
    data = b""
    for line in lines:
        data += draw(st.sampled_from([b"", b"", b"\n", b" \t\n", b"\r\n"]))
        data += line + draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return data[: draw(st.sampled_from([len(data), -1]))] if data else data


@given(data=st.data(), which=st.sampled_from(sorted(WRITERS)), some=st.lists(items.filter(bool)))
def test_items_of_every_format(
    data: st.DataObject, which: tuple[Format, str], some: list[exports.Item]
) -> None:
    form = which[0]
    some = [item for item in some if writable(item, which[1])]
    text = data.draw(blanks([WRITERS[which](item) for item in some]))
    found = decoded(parser(form, changes=False)(text))
    assert found == ([by_value(item) for item in some] if form == "ion" else some)


@given(
    some=st.lists(
        st.tuples(keyed_items(KEYS), st.none() | keyed_items(KEYS), st.integers(0, 10**18 - 1)),
        max_size=4,
    ),
    ion=st.none() | (ION_CHANGES if ("ion", "ion") in WRITERS else st.none()),
    deleted=st.booleans(),
)
def test_changes_of_every_format(
    some: list[tuple[exports.Item, exports.Item | None, int]],
    ion: exports.IonChange | None,
    *,
    deleted: bool,
) -> None:
    written = [
        exports.Change({k: new[k] for k in KEYS}, None if deleted else new, old, micros)
        for new, old, micros in some
    ]
    if ion is None:
        lines = [exports.change_line(each) for each in written]
    else:
        lines = [exports.ion_change_line(each, ion) for each in written]
    data = b"".join(line + b"\n" for line in lines)
    found = parser("ion" if ion else "dynamodb_json", changes=True)(data)

    def same(typed: exports.Item | None) -> Any:
        return by_value(typed) if typed is not None and ion else typed

    assert [
        (
            json.loads(each.keys),
            None if each.item is None else json.loads(each.item),
            None if each.old is None else json.loads(each.old),
            each.micros,
        )
        for each in found
    ] == [(same(each.keys), same(each.new), same(each.old), each.micros) for each in written]


@given(which=st.sampled_from(sorted(WRITERS)), item=items.filter(bool))
def test_a_line_is_seen_to_be_what_it_is(which: tuple[Format, str], item: exports.Item) -> None:
    assume(writable(item, which[1]))
    assert detect(WRITERS[which](item)) == Seen(which[0], changes=False)


@given(
    some=st.lists(items.filter(bool), max_size=6),
    which=st.sampled_from(sorted(WRITERS)),
    compression=st.sampled_from(["gzip", "members", "zstd", "none"]),
    most=st.sampled_from([4 << 20, 4096]),
    stop=st.integers(0, 9),
)
def test_a_read_that_is_broken_off_anywhere_and_gone_on_with_misses_nothing(
    some: list[exports.Item],
    which: tuple[Format, str],
    compression: exports.Compression,
    most: int,
    stop: int,
) -> None:
    some = [item for item in some if writable(item, which[1])]
    with tempfile.TemporaryDirectory() as folder:
        lines = [WRITERS[which](item) for item in some]
        written = exports.write_plain(Path(folder), lines, files=1, compression=compression)
        path = written.data[0]
        size = path.stat().st_size
        file = DataFile(path.name, len(some), None, size)
        reader = ExportReader(
            Folder(written.folder),
            [file],
            format=which[0],
            changes=False,
            convert=decoded,
            most_line=most,
        )
        blocks: list[Block[Any]] = []
        with reader:
            for block in reader(Part(0)):
                blocks.append(block)
                if len(blocks) == stop:
                    break
            if not (blocks and blocks[-1].finished):
                place = blocks[-1].place if blocks else None
                blocks += reader(Part(0, place))
        assert blocks[-1].finished
        assert blocks[-1].place is None
        found = [item for block in blocks for item in block.payload]
        assert found == ([by_value(item) for item in some] if which[0] == "ion" else some)
        assert sum(block.count for block in blocks) == len(some)


@given(some=st.lists(items.filter(bool), max_size=4))
def test_items_as_changes(some: list[exports.Item]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = gzip.compress(b"".join(exports.full_line(item) + b"\n" for item in some))
        Path(folder, "a.json.gz").write_bytes(data)
        file = DataFile("a.json.gz", len(some), None, len(data))
        found = [
            change
            for block in read_changes(
                Folder(Path(folder)), file, format="dynamodb_json", changes=False
            )
            for change in block
        ]
    assert [json.loads(each.item or b"") for each in found] == some
    assert all(each[1:] == (None, None, None, None, False) for each in found)


@given(
    line=st.one_of(
        st.binary(max_size=40),
        items.map(exports.full_line).flatmap(
            lambda line: st.integers(0, len(line) - 1).map(lambda at: line[:at])
        ),
    ),
    form=st.sampled_from(["dynamodb_json", "legacy"]),
)
def test_what_is_no_line_is_refused_or_json(line: bytes, form: Format) -> None:
    """Whatever lines hold, what comes out is JSON on UTF-8, or nothing does."""
    try:
        found = parser(form, changes=False)(line)
    except Exception as error:  # noqa: BLE001 - its type is looked at
        assert type(error).__name__ == "LineError"  # noqa: PT017
        return
    for raw in found:
        msgspec.json.decode(bytes(raw).decode())
