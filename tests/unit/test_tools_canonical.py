"""What counts of an item, by examples; by all kinds of items it is tests/property/test_tools_canonical.py."""

from __future__ import annotations

import pickle
from collections import Counter
from typing import Any

import msgspec
import orjson
import pytest

from dynamodb_core.errors import DataError
from dynamodb_core.table import Key
from dynamodb_tools import canonical
from dynamodb_tools.canonical import Canon, Row, bucket_of, key_of, number, pack, unpack

KEY = Key(("id",), ("S",))
PAIR = Key(("pk", "sk"), ("S", "N"))
CANON = Canon(KEY)


def row(value: dict[str, Any], **more: Any) -> Row:
    return row_of(orjson.dumps({"id": {"S": "k"}, "a": value}), **more)


def row_of(item: bytes, **more: Any) -> Row:
    [found] = Canon(**{"key": KEY, **more}).rows([item])
    return found


def key(key: Key, **values: dict[str, str]) -> bytes:
    return row_of(orjson.dumps(values), key=key).key


def numbered(count: int) -> list[bytes]:
    return [orjson.dumps({"id": {"S": f"item-{n:07d}"}, "n": {"N": str(n)}}) for n in range(count)]


def test_a_row_is_the_same_on_every_machine() -> None:
    """Work that was begun is gone on with, and processes meet in one bucket."""
    found = row_of(b'{"n":{"N":"1.0"},"id":{"S":"a"},"s":{"SS":["b","a"]}}')
    assert found.key == b'{"id":{"S":"a"}}'
    assert found.content.hex() == "ac6a01f7aa39a1dac39512a4eac8e64f"
    assert found.spelling.hex() == "aaac0d9927e763e7"
    assert [bucket_of(found.key, level, 1000) for level in range(3)] == [599, 881, 712]


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0", "0"),
        ("-0", "0"),
        ("0.00", "0"),
        ("0E5", "0"),
        ("1.0", "1"),
        ("1e2", "100"),
        ("+7", "7"),
        ("007", "7"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-0.50", "-0.5"),
        ("-15E-1", "-1.5"),
        ("1E-130", f"0.{'0' * 129}1"),
        ("1E125", f"1{'0' * 125}"),
        ("1E126", "1E126"),
        (f"1{'0' * 126}", "1E126"),
        ("-1E-999", "-1E-999"),
        (f"0.{'0' * 168}1", "1E-169"),
        ("9" * 60, "9" * 60),
        ("NaN", "NaN"),
        ("1E9999999999", "1E9999999999"),
        ("1\n", "1"),
    ],
)
def test_a_number_has_one_normal_form(text: str, normal: str) -> None:
    assert number(text) == normal
    assert row({"N": text}).content == row({"N": normal}).content
    assert row({"NS": [text, "8"]}).content == row({"NS": ["8", normal]}).content
    assert (row({"N": text}).spelling == b"") == (text == normal)


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"N": "1.0"}, {"N": "1.00"}),
        ({"N": "1.0"}, {"N": "1"}),
        ({"NS": ["1.0", "2"]}, {"NS": ["1", "2.0"]}),
        ({"L": [{"N": "1.0"}, {"N": "1"}]}, {"L": [{"N": "1"}, {"N": "1.0"}]}),
        ({"M": {"x": {"N": "1.0"}, "y": {"N": "1"}}}, {"M": {"x": {"N": "1"}, "y": {"N": "1.0"}}}),
    ],
)
def test_spelling_is_told_from_content(a: dict[str, Any], b: dict[str, Any]) -> None:
    first, second = row(a), row(b)
    assert first.content == second.content
    assert first.spelling != second.spelling


def test_spelling_does_not_know_the_order_of_a_set() -> None:
    assert row({"NS": ["1.0", "2.0"]}) == row({"NS": ["2.0", "1.0"]})
    assert row({"NS": ["1.0", "1"]}) == row({"NS": ["1", "1.0"]})


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"S": "1"}, {"N": "1"}),
        ({"S": "AA=="}, {"B": "AA=="}),
        ({"S": "é"}, {"S": "e\u0301"}),
        ({"SS": ["1"]}, {"NS": ["1"]}),
        ({"SS": ["a"]}, {"BS": ["a"]}),
        ({"SS": ["1"]}, {"SS": ["1.0"]}),
        ({"SS": ["a", "b"]}, {"L": [{"S": "a"}, {"S": "b"}]}),
        ({"L": [{"S": "a"}, {"S": "b"}]}, {"L": [{"S": "b"}, {"S": "a"}]}),
        ({"SS": ["a", "b"]}, {"SS": ["a,b"]}),
        ({"SS": ['a","b']}, {"SS": ["a", "b"]}),
        ({"N": "9007199254740993"}, {"N": "9007199254740992"}),
        ({"N": "1E-130"}, {"N": "0"}),
        ({"N": "1"}, {"N": "-1"}),
        ({"N": "1.2345678901234567890123456789012345678"}, {"N": "1.2345678901234567890123456789"}),
        ({"L": []}, {"M": {}}),
        ({"NULL": True}, {"BOOL": True}),
        ({"BOOL": True}, {"BOOL": False}),
        ({"M": {"S": {"S": "x"}}}, {"S": "x"}),
        ({"S": '"N":"1.0"'}, {"S": '"N":"1"'}),
        ({"M": {"N": {"S": "1.0"}}}, {"M": {"N": {"S": "1"}}}),
        ({"S": "\ufffd"}, {"S": "?"}),
    ],
)
def test_other_values_have_other_digests(a: dict[str, Any], b: dict[str, Any]) -> None:
    assert row(a).content != row(b).content
    assert row({"L": [{"M": {"x": a}}]}).content != row({"L": [{"M": {"x": b}}]}).content


def test_binaries_are_equal_by_their_bytes() -> None:
    assert row({"B": "AB=="}) == row({"B": "AA=="})
    assert row({"L": [{"B": "AB=="}]}) == row({"L": [{"B": "AA=="}]})
    assert row({"BS": ["AB==", "AAA="]}) == row({"BS": ["AAA=", "AA=="]})
    assert row({"B": "no base64"}).content != row({"B": "NO base64"}).content


@pytest.mark.parametrize("kind", ["SS", "BS"])
def test_a_set_has_no_order_however_deep(kind: str) -> None:
    def deep(members: list[str]) -> dict[str, Any]:
        inner = {"L": [{"M": {"x": {kind: members}}}, {kind: ["AA=="]}]}
        return {"M": {"m": inner, "z": {kind: members}}}

    assert row(deep(["AAAA", "BBBB"])) == row(deep(["BBBB", "AAAA"]))


def test_half_of_a_surrogate_pair_is_a_character_as_any_other() -> None:
    texts = [rb"\ud800", rb"\ud801", rb"\udc00", rb"\\ud800", rb"\ud83d\ude00", "😀".encode()]
    page = [b'{"id":{"S":"k"},"n":{"N":"1.0"},"a":{"S":"%b"}}' % text for text in texts]
    rows = CANON.rows(page)
    assert [each.key for each in rows] == [b'{"id":{"S":"k"}}'] * 6
    assert rows[4] == rows[5]
    assert len({each.content for each in rows}) == 5
    assert all(each.spelling for each in rows)
    spaced = [each.replace(b":{", b" : {").replace(b'"1.0"', b'"1.00"') for each in page]
    assert [each.content for each in CANON.rows(spaced)] == [each.content for each in rows]


def test_half_of_a_surrogate_pair_in_a_key_comes_back() -> None:
    rows = CANON.rows([rb'{"id":{"S":"\ud800"}}', rb'{"id":{"S":"\ud801"}}', b'{"id":{"S":"k"}}'])
    assert [key_of(each.key)["id"]["S"] for each in rows] == ["\ud800", "\ud801", "k"]
    assert rows[2].key == b'{"id":{"S":"k"}}'
    [first, second] = Canon(PAIR).rows(
        [rb'{"pk":{"S":"\ud800"},"sk":{"N":"1"}}', b'{"pk":{"S":"a"},"sk":{"N":"1E1"}}']
    )
    assert first.key == rb'{"pk":{"S":"\ud800"},"sk":{"N":"1"}}'
    assert second.key == b'{"pk":{"S":"a"},"sk":{"N":"10"}}'


def test_half_of_a_surrogate_pair_does_not_change_the_order_of_members() -> None:
    one, other = CANON.rows(
        [rb'{"id":{"S":"k"},"a":{"S":"\ud800"}}', rb'{"a":{"S":"\ud800"},"id":{"S":"k"}}']
    )
    assert one == other


def test_a_key_is_typed_and_in_its_order() -> None:
    written = key(PAIR, sk={"N": "1E1"}, pk={"S": "a"}, other={"S": "x"})
    assert written == b'{"pk":{"S":"a"},"sk":{"N":"10"}}'
    reverse = Key(("sk", "pk"), ("N", "S"))
    assert key(reverse, sk={"N": "1E1"}, pk={"S": "a"}) == b'{"sk":{"N":"10"},"pk":{"S":"a"}}'
    nasty = Key(('say "%b"',), ("B",))
    assert key_of(key(nasty, **{'say "%b"': {"B": "AB=="}})) == {'say "%b"': {"B": "AA=="}}


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (("a$", "b"), ("a", "$b")),
        (("x", "y"), ("y", "x")),
        (('a"},"sk":{"S":"b', "c"), ("a", 'b"},"sk":{"S":"c')),
    ],
)
def test_no_joining_makes_two_keys_equal(a: tuple[str, str], b: tuple[str, str]) -> None:
    texts = Key(("pk", "sk"), ("S", "S"))
    first, second = ({"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in (a, b))
    assert key(texts, **first) != key(texts, **second)


@pytest.mark.parametrize(
    ("item", "words"),
    [
        (b'{"x":{"S":"a"}}', "Key attribute id is missing"),
        (b'{"id":{"N":"1"}}', "of type N, the table's key wants S"),
        (b'["id"]', "is none"),
        (b"7", "is none"),
        (b'{"id":', "no JSON"),
        (b'{"id":{"S":"\xff"}}', "no JSON"),
    ],
)
def test_what_is_no_item_is_an_error(item: bytes, words: str) -> None:
    with pytest.raises(DataError, match=words):
        CANON.rows([b'{"id":{"S":"a"}}', item])


def test_what_is_ignored_does_not_count() -> None:
    item = b'{"id":{"S":"a"},"n":{"N":"1.0"},"x":{"M":{"n":{"S":"deep"}}}}'
    other = b'{"id":{"S":"a"},"x":{"M":{"n":{"S":"deep"}}}}'
    deeper = b'{"id":{"S":"a"},"x":{"M":{}}}'
    ignore = frozenset(("n", "never"))
    assert row_of(item, ignore=ignore) == row_of(other)
    assert row_of(deeper, ignore=ignore).content != row_of(other).content
    assert Canon(KEY, ignore).item(orjson.loads(item)) == orjson.loads(other)


def test_only_keys_are_kept_where_nothing_else_counts() -> None:
    found = row_of(b'{"id":{"S":"a"},"n":{"N":"1.0"}}', keys_only=True)
    assert found == Row(b'{"id":{"S":"a"}}', b"", b"")


def test_rows_are_in_the_order_of_the_items() -> None:
    page = numbered(3 * canonical.CHUNK + 1)
    page[canonical.CHUNK + 1] = b'{"id":{"S":"odd"},"n":{"N":"1.0"}}'
    raw = msgspec.json.decode(b"[%b]" % b",".join(page), type=list[msgspec.Raw])
    rows = CANON.rows(raw)
    assert rows == [row_of(item) for item in page]
    assert sum(bool(each.spelling) for each in rows) == 1
    assert CANON.rows([]) == []
    assert CANON.packed([], 4) == []


def test_a_sample_is_the_same_everywhere_and_of_its_size() -> None:
    page = numbered(20_000)
    chosen = {each.key for each in Canon(KEY, sample=5).rows(page)}
    assert 800 < len(chosen) < 1200
    assert {each.key for each in Canon(KEY, sample=5, keys_only=True).rows(page[::-1])} == chosen
    assert chosen < {each.key for each in Canon(KEY, sample=20).rows(page)}
    assert not Canon(KEY, sample=0).rows(page)
    spread = Counter(bucket_of(each, 0, 8) for each in chosen)
    assert len(spread) == 8
    assert max(spread.values()) < 2 * min(spread.values())


@pytest.mark.parametrize("fan_out", [3, 16, 64, 256])
def test_a_bucket_that_is_dealt_out_again_spreads(fan_out: int) -> None:
    keys = [b'{"id":{"S":"item-%07d"}}' % n for n in range(50_000)]
    first = Counter(bucket_of(each, 0, fan_out) for each in keys)
    assert len(first) == fan_out
    assert max(first.values()) < 2 * len(keys) / fan_out
    held = [each for each in keys if bucket_of(each, 0, fan_out) == 1]
    levels = [[bucket_of(each, level, fan_out) for each in held] for level in (1, 2, 9)]
    for level in levels:
        assert len(set(level)) > fan_out * 0.4
        assert max(Counter(level).values()) < 2 * len(held) / fan_out + 8
    assert len(set(map(tuple, levels))) == 3


def test_a_packed_row_takes_little() -> None:
    made = row({"S": "x" * 1000})
    assert len(pack([made])) == 4 + 16 + len(made.key)
    assert list(unpack(b"")) == []
    assert pack([]) == b""


def test_it_can_be_sent_to_another_process() -> None:
    canon = Canon(PAIR, frozenset(("x",)), keys_only=True, sample=12.5)
    assert pickle.loads(pickle.dumps(canon)) == canon
