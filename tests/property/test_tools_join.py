"""What a join finds is what two dictionaries say, whatever the sides hold, and however little it may hold."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.buckets import Buckets
from dynamodb_tools.join import Counts, Found, join
from dynamodb_tools.rows import CONTENT_BYTES, SPELLING_BYTES, Row, bucket_of, pack

KEYS = st.one_of(
    st.integers(0, 60).map(lambda n: b'{"pk":{"N":"%d"}}' % n),
    st.binary(min_size=1, max_size=3),
)
CONTENTS = st.sampled_from([b"1" * CONTENT_BYTES, b"2" * CONTENT_BYTES])
SPELLINGS = st.sampled_from([b"", b"", b"1" * SPELLING_BYTES, b"2" * SPELLING_BYTES])
ROWS = st.lists(st.builds(Row, KEYS, CONTENTS, SPELLINGS), max_size=150)
BARE = st.lists(st.builds(Row, KEYS, st.just(b""), st.just(b"")), max_size=150)
SIDES = st.one_of(st.tuples(ROWS, ROWS), st.tuples(BARE, BARE), ROWS.map(lambda rows: (rows, rows)))


def dealt_out(folder: Path, rows: list[Row], fan_out: int, buffered_bytes: int) -> Buckets:
    buckets = Buckets.create(folder, fan_out, buffered_bytes=buffered_bytes)
    for row in rows:
        buckets.add(bucket_of(row.key, 0, fan_out), pack([row]))
    buckets.seal()
    return buckets


def expected(a: list[Row], b: list[Row]) -> list[Found]:
    mine, theirs = ({row.key: (row.content, row.spelling) for row in rows} for rows in (a, b))
    found = []
    for key in mine.keys() | theirs.keys():
        one, other = mine.get(key), theirs.get(key)
        states = b"".join(one or ()), b"".join(other or ())
        if other is None:
            found.append(Found("missing", key, *states))
        elif one is None:
            found.append(Found("extra", key, *states))
        elif one[0] != other[0]:
            found.append(Found("differs", key, *states))
        elif one != other:
            found.append(Found("respelled", key, *states))
    return found


@given(
    sides=SIDES,
    held=st.sampled_from([1, 500, 3_000, 1 << 20]),
    fan_out=st.sampled_from([1, 2, 3, 64]),
    buffered=st.sampled_from([1, 200, 1 << 20]),
)
def test_a_join_finds_what_two_dictionaries_say(
    sides: tuple[list[Row], list[Row]], held: int, fan_out: int, buffered: int
) -> None:
    wanted = expected(*sides)
    kinds = Counter(found.kind for found in wanted)
    mine, theirs = ({row.key for row in rows} for rows in sides)
    counts = Counts(
        a=len(mine),
        b=len(theirs),
        same=len(mine | theirs) - len(wanted),
        **{kind: kinds[kind] for kind in ("missing", "extra", "differs", "respelled")},
    )
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        a, b = (
            dealt_out(root / side, rows, fan_out, buffered)
            for side, rows in zip("ab", sides, strict=True)
        )
        for _again in range(2):  # the sides stay as they are
            counted = Counts()
            scratch = root / "scratch"
            found = list(join(a, b, counted, scratch=scratch, held_bytes=held))
            assert sorted(found) == sorted(wanted)
            assert counted == counts
            assert not scratch.exists()
