"""Items that are cut out of their lines unseen: whatever the lines, what comes out is what a careful read gives."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from dynamodb_core.converter import Converter
from dynamodb_core.errors import Error
from dynamodb_core.exports.kinds import DataFile
from dynamodb_core.exports.lines import cut
from dynamodb_core.exports.reader import ExportReader
from dynamodb_core.folders import Folder
from dynamodb_core.layouts import Columns, Packed, Typed
from dynamodb_core.parts import Part
from tests.engines import exports
from tests.property.strategies import items

KEYS = {"id": "S"}
LAYOUTS = {
    "plain": Columns(types={"id": "S", "n": "N"}, reserved="_dynamodb", open=True, limit=1000),
    "dropping": Columns(types={"id": "S"}, reserved=None, open=False, unknown="drop"),
    "packed": Packed(keys=KEYS, item_field="item", reserved="_dynamodb"),
    "dynamodb_json": Typed(keys=KEYS, item_field="item"),
}
GOOD = b'{"Item":{"id":{"S":"a"},"n":{"N":"1"}}}'
DEEP = b'{"Item":{"id":{"S":"a"},"x":' + b'{"L":[' * 2000 + b"]}" * 2000 + b"}}"
BAD = [
    b"",
    b"  ",
    b'{"Item":{"id":{"S":"a"}},"More":1}',
    b'{"Item":{"id":{"S":"a"}},"Item":{"id":{"S":"b"}}}',
    b'{"Item":{"id":{"S":"a"}},{"id":{"S":"b"}}}',
    b'{"Item": {"id":{"S":"a"}} }',
    b'{"Item":{"id":{"S":"a"}}}\r',
    b'{"Item":{"id":{"S":"a"}}',
    b'{"Item":{"id":{"S":"a"}}}}',
    b'{"Item":}',
    b'{"Item":{"id":\n{"S":"a"}}}',
    b'{"Item":[]}',
    b'{"Item":"a"}',
    b'{"Item":null}',
    b'{"Item":{"id":{"S":"a"},"x":{"S":"\xff"}}}',
    b'{"Item":{"id":{"S":"a"},"x":{"S":"\\q"}}}',
    b'{"Item":{"id":{"S":"a"},"x":{"S":"\\ud800"}}}',
    b'{"Item":{"id":{"S":"a"},"x":{"N":"1,2"}}}',
    b'{"Item":{"n":{"N":"1"}}}',
    b'{"Item":' + b'{"L":[' * 2000 + b"}",
    DEEP,
    b'{"id":{"S":"a"}}',
    b'{"Item":{"id":{"S":"}\\n{\\"Item\\":"}}}',
]


SPOILS = [bytes([byte]) for byte in b'{}[]",:\\ a1\n\xff'] + [b"", b"}\n", b'{"Item":']


@st.composite
def spoiled(draw: st.DrawFn) -> bytes:
    """A good line with some bytes of it taken out, put in or changed."""
    line = bytearray(exports.full_line({**draw(items), "id": {"S": "a"}}))
    for _ in range(draw(st.integers(0, 2))):
        at = draw(st.integers(0, len(line)))
        line[at : at + draw(st.integers(0, 2))] = draw(st.sampled_from(SPOILS))
    return bytes(line)


def said(lines: list[bytes], layout: Any, *, unseen: bool) -> Any:
    """Return what comes out of a file of these lines: the records, or the error."""
    data = b"\n".join(lines)
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "a.json").write_bytes(data)
        reader = ExportReader(
            Folder(Path(folder)),
            [DataFile("a.json", None, None, len(data))],
            format="dynamodb_json",
            changes=False,
            convert=lambda found: Converter(layout).convert(found).records,
            unseen=unseen,
        )
        try:
            return [json.loads(each) for block in reader(Part(0)) for each in block.payload]
        except Error as error:
            return str(error).replace(folder, "")
        except RecursionError:
            return RecursionError


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("bad", BAD, ids=lambda line: line[:40].decode("latin-1"))
def test_bad_lines_are_told_alike(name: str, bad: bytes) -> None:
    for lines in ([bad], [GOOD, bad, GOOD], [GOOD, GOOD, bad], [bad, GOOD, b""]):
        careful = said(lines, LAYOUTS[name], unseen=False)
        assert said(lines, LAYOUTS[name], unseen=True) == careful


@pytest.mark.parametrize("unseen", [False, True])
def test_what_is_nested_too_deep_is_told_by_its_line(unseen: bool) -> None:
    for name, layout in LAYOUTS.items():
        told = said([GOOD, GOOD, DEEP], layout, unseen=unseen)
        assert told.startswith("Line 3 of /a.json is nested too deep"), name


@given(lines=st.lists(spoiled(), min_size=1, max_size=4), name=st.sampled_from(sorted(LAYOUTS)))
@example(lines=[GOOD, b"", GOOD], name="plain")
@settings(max_examples=150)
def test_spoiled_lines_are_told_alike(lines: list[bytes], name: str) -> None:
    careful = said(lines, LAYOUTS[name], unseen=False)
    assert said(lines, LAYOUTS[name], unseen=True) == careful


@given(st.lists(items, min_size=1, max_size=5), st.booleans())
def test_items_are_cut_out_as_they_are(found: list[Any], ended: bool) -> None:
    lines = [exports.full_line(each) for each in found]
    data = b"\n".join(lines) + b"\n" * ended
    assert cut(data) == [line[len(b'{"Item":') : -1] for line in lines]
