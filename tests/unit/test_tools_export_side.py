"""An export as a side: rows of deletions, stages in their order, and what is said of it."""

from __future__ import annotations

import pickle
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import objects
from dynamodb_core.buckets import Buckets
from dynamodb_core.change import Change
from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.chain import stages
from dynamodb_core.exports.finding import find
from dynamodb_core.places import Places
from dynamodb_core.rates import Asked
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key
from dynamodb_tools.canonical import Canon, Row, bucket_of, pack, unpack
from dynamodb_tools.export_side import ExportSide
from dynamodb_tools.join import Counts, join
from dynamodb_tools.pages import ChangeRows
from dynamodb_tools.pairs import is_export, pairs
from dynamodb_tools.rows import DELETED, deal, put_into
from dynamodb_tools.sides import How
from tests.engines import exports

if TYPE_CHECKING:
    from pathlib import Path

KEY = Key(("id",), ("S",))
CANON = Canon(KEY)
HOW = How(Asked("read"), workers=2)
AWS = AwsSettings.from_config({"aws_region": "eu-west-1"})
FULL, HOUR = exports.AT, timedelta(hours=1)
FAN_OUT = 4


def key(number: int) -> bytes:
    return b'{"id":{"S":"k%d"}}' % number


def item(number: int, value: int) -> Any:
    return {"id": {"S": f"k{number}"}, "n": {"N": str(value)}}


def side(root: Path) -> ExportSide:
    found = find(objects.at(str(root), AWS))
    return ExportSide(str(root), stages(found), KEY, AWS, HOW)


def buckets(folder: Path, blocks: list[list[Row]]) -> Buckets:
    made = Buckets.create(folder, FAN_OUT)
    for rows in blocks:
        for row in rows:
            made.add(bucket_of(row.key, 0, FAN_OUT), pack([row]))
    made.seal()
    return made


def row(number: int, content: bytes) -> Row:
    return Row(key(number), content * 16, b"")


def gone(number: int) -> Row:
    return Row(key(number), b"", DELETED)


def test_the_row_of_a_deletion_is_packed_and_dealt_as_any_other() -> None:
    rows = [row(1, b"a"), gone(1), gone(2), row(2, b"b"), Row(key(3), b"c" * 16, b"d" * 8)]
    block = pack(rows)
    assert list(unpack(block)) == rows
    kept: dict[bytes, bytes] = {}
    assert put_into(kept, block) == 5
    assert kept == {key(1): DELETED, key(2): b"b" * 16, key(3): b"c" * 16 + b"d" * 8}
    dealt = [again for _, packed in deal(block, 1, FAN_OUT) for again in unpack(packed)]
    assert dealt == rows


@pytest.mark.parametrize("held_bytes", [1, 2000, 128 << 20])
def test_items_that_were_deleted_are_on_neither_side(tmp_path: Path, held_bytes: int) -> None:
    first = [row(n, b"a") for n in range(100)]
    a = buckets(
        tmp_path / "a", [first, [gone(n) for n in range(50)], [row(n, b"b") for n in range(10)]]
    )
    b = buckets(
        tmp_path / "b", [[row(n, b"b") for n in range(10)], first[45:], [gone(99), gone(7)]]
    )
    counts = Counts()
    found = list(join(a, b, counts, scratch=tmp_path / "again", held_bytes=held_bytes))
    assert {(each.kind, each.key) for each in found} == {
        ("missing", key(7)), ("missing", key(99)), *(("extra", key(n)) for n in range(45, 50)),
    }  # fmt: skip
    assert (counts.a, counts.b, counts.same) == (60, 63, 58)


def test_both_sides_without_the_same_item_are_the_same(tmp_path: Path) -> None:
    a = buckets(tmp_path / "a", [[row(1, b"a"), gone(1), row(2, b"a")]])
    b = buckets(tmp_path / "b", [[gone(1), row(2, b"a")]])
    counts = Counts()
    assert list(join(a, b, counts, scratch=tmp_path / "again")) == []
    assert (counts.a, counts.b, counts.same) == (1, 1, 1)


def test_changes_become_rows(tmp_path: Path) -> None:
    rows = pickle.loads(pickle.dumps(ChangeRows(CANON, FAN_OUT)))
    put = Change(b'{"id":{"S":"k1"},"n":{"N":"1"}}', b'{"id":{"S":"k1"}}', 1)
    packed = rows([put, Change(None, b'{"id":{"S":"k2"}}', 2)])
    found = [each for number, block in packed for each in unpack(block)]
    assert sorted(found) == sorted([*CANON.rows([put.item or b""]), gone(2)])
    assert all(
        bucket_of(each.key, 0, FAN_OUT) == n for n, block in packed for each in unpack(block)
    )
    assert (
        ChangeRows(Canon(KEY, sample=1e-9), FAN_OUT)([put, Change(None, b'{"id":{"S":"k2"}}', 2)])
        == []
    )


def test_a_stage_begins_when_the_one_before_is_read(tmp_path: Path) -> None:
    root = tmp_path / "bucket"
    exports.write_full(root, [item(n, 0) for n in range(40)], files=5)
    for at in (0, 1):
        since = FULL + at * HOUR
        changes = [exports.Change({"id": {"S": f"k{n}"}}, item(n, at + 1)) for n in range(20)]
        exports.write_incremental(
            root, changes, since, since + HOUR, export=f"0000000000000{at}-aaaaaaaa", files=3
        )
    whole = side(root)
    places = Places(segments=whole.segments, seed=3)
    files = [len(stage.export.files) for stage in whole.stages]
    assert whole.segments == sum(files)
    seen = []
    for block in whole.blocks(CANON, FAN_OUT, places, lambda: None):
        seen.append(block.part)
        places.advance(block)
    begins = [0, files[0], files[0] + files[1]]
    of_stage = [sum(part >= begin for begin in begins) for part in seen]
    assert of_stage == sorted(of_stage)
    assert places.complete
    assert list(whole.blocks(CANON, FAN_OUT, places, lambda: None)) == []
    assert whole.what.endswith("with 2 windows")


def test_a_copy_of_an_export_is_told_from_itself_by_its_place_alone(tmp_path: Path) -> None:
    for name in ("one", "two"):
        exports.write_full(tmp_path / name, [item(1, 1)], files=1)
    one, two = side(tmp_path / "one"), side(tmp_path / "two")
    assert one.identity == two.identity
    assert one.place != two.place
    exports.write_full(tmp_path / "three", [item(1, 2)], files=1)
    assert side(tmp_path / "three").identity != one.identity


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("orders", False),
        ("orders-*", False),
        ("a,b", False),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/orders", False),
        ("orders,arn:aws:dynamodb:eu-west-1:123456789012:table/orders", False),
        ("arn:aws:dynamodb:eu-west-1:123456789012:table/orders/export/01-ab", True),
        ("s3://bucket/prefix", True),
        ("s3://bucket", True),
        ("./folder", True),
        ("/a,b/c", True),
    ],
)
def test_what_names_an_export(text: str, is_one: bool) -> None:
    assert is_export(text) is is_one


def test_an_export_has_no_name_for_b() -> None:
    assert pairs("/a,b/[c]", "orders", list) == [("/a,b/[c]", "orders")]
    assert pairs("x", "./{table}", list) == [("x", "./x")]
    with pytest.raises(ConfigError, match="Name B itself"):
        pairs("./x", "{table}_copy", list)
