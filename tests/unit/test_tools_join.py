"""The bounds of a join; that it finds the right keys is tests/property/test_tools_join.py."""

from __future__ import annotations

import tracemalloc
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dynamodb_core.buckets import Buckets
from dynamodb_core.errors import Error
from dynamodb_tools.join import Counts, Found, join
from dynamodb_tools.rows import Row, bucket_of, pack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

MIB = 1 << 20
FAN_OUT = 4


def row(key: str, content: str = "") -> Row:
    return Row(key.encode(), blake2b((content or key).encode(), digest_size=16).digest(), b"")


def dealt_out(folder: Path, rows: Iterable[Row]) -> Buckets:
    buckets = Buckets.create(folder, FAN_OUT, buffered_bytes=64 * 1024)
    for each in rows:
        buckets.add(bucket_of(each.key, 0, FAN_OUT), pack([each]))
    buckets.lengths()
    buckets.seal()
    return buckets


def spread(side: str, count: int) -> Iterable[Row]:
    return (row(f'{{"pk":{{"S":"{side}{n:040d}"}}}}') for n in range(count))


def collection(side: str, count: int) -> Iterable[Row]:
    """The items of one partition, with a long key."""
    hot = "h" * 1000
    return (row(f'{{"pk":{{"S":"{hot}"}},"sk":{{"N":"{side}{n}"}}}}') for n in range(count))


@pytest.mark.parametrize(
    ("rows", "of_a", "of_b"),
    [
        (spread, 20_000, 20_000),
        (spread, 0, 40_000),
        (spread, 20_000, 0),
        (collection, 12_000, 12_000),
    ],
    ids=["disjoint", "all extra", "all missing", "one partition"],
)
def test_memory_is_bounded_when_nothing_is_in_common(
    tmp_path: Path, rows: Callable[[str, int], Iterable[Row]], of_a: int, of_b: int
) -> None:
    a, b = dealt_out(tmp_path / "a", rows("1", of_a)), dealt_out(tmp_path / "b", rows("2", of_b))
    counts = Counts()
    found = 0
    tracemalloc.start()
    try:
        for _each in join(a, b, counts, scratch=tmp_path / "scratch", held_bytes=MIB // 2):
            found += 1
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert found == of_a + of_b
    assert counts == Counts(a=of_a, b=of_b, missing=of_a, extra=of_b)
    assert most < 5 * MIB // 4


def test_rows_take_no_more_memory_than_is_believed(tmp_path: Path) -> None:
    """With all that may be held in one bucket, and nothing dealt out again."""
    a = dealt_out(tmp_path / "a", spread("1", 20_000))
    b = dealt_out(tmp_path / "b", spread("2", 20_000))
    held = 5 * MIB // 2  # of 10,000 rows
    tracemalloc.start()
    try:
        for _each in join(a, b, Counts(), scratch=tmp_path / "scratch", held_bytes=held):
            assert not (tmp_path / "scratch").exists()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert MIB < most < held


def test_a_bucket_that_is_too_large_is_dealt_out_again_and_no_trace_of_it_stays(
    tmp_path: Path,
) -> None:
    a = dealt_out(tmp_path / "a", spread("", 3_000))
    b = dealt_out(tmp_path / "b", [*spread("", 2_999), row("zzz")])
    seen: set[str] = set()
    opened: list[int] = []
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir())) if descriptors.exists() else 0

    def look() -> None:
        seen.update(path.name for path in (tmp_path / "scratch").glob("*"))
        if before:
            opened.append(len(list(descriptors.iterdir())) - before)

    counts = Counts()
    scratch = tmp_path / "scratch"
    found = list(join(a, b, counts, scratch=scratch, held_bytes=10_000, look=look))
    assert [each.kind for each in sorted(found)] == ["extra", "missing"]
    assert counts == Counts(a=3_000, b=3_000, same=2_999, missing=1, extra=1)
    assert {"a-1", "b-1", "a-2", "b-2"} <= seen
    assert not scratch.exists()
    assert not before or max(opened) <= 2 * FAN_OUT + 4


@pytest.mark.parametrize("held_bytes", [1, MIB])
def test_of_a_key_that_comes_twice_the_last_row_counts(tmp_path: Path, held_bytes: int) -> None:
    others = list(spread("", 300))
    a = dealt_out(tmp_path / "a", [row("x", "old"), *others, row("x", "new"), row("y"), row("y")])
    b = dealt_out(tmp_path / "b", [row("x", "new"), row("y", "new"), *others, row("y", "old")])
    counts = Counts()
    found = list(join(a, b, counts, scratch=tmp_path / "scratch", held_bytes=held_bytes))
    assert found == [Found("differs", b"y", row("y").content, row("y", "old").content)]
    assert counts == Counts(a=302, b=302, same=301, differs=1)


def test_differences_of_a_bucket_come_in_the_order_of_their_keys(tmp_path: Path) -> None:
    rows = list(spread("", 200))
    a = dealt_out(tmp_path / "a", rows)
    backwards = dealt_out(tmp_path / "c", reversed(rows))
    b = dealt_out(tmp_path / "b", [])
    one, other = (
        list(join(side, b, Counts(), scratch=tmp_path / "scratch")) for side in (a, backwards)
    )
    assert one == other
    assert len(one) == 200


def test_what_looks_can_end_it(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 20:
            raise Enough

    a, b = (dealt_out(tmp_path / side, spread(side, 2_000)) for side in "ab")
    with pytest.raises(Enough):
        list(join(a, b, Counts(), scratch=tmp_path / "scratch", held_bytes=5_000, look=look))
    assert not (tmp_path / "scratch").exists()


def test_a_join_that_is_left_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    a, b = (dealt_out(tmp_path / side, spread(side, 2_000)) for side in "ab")
    found = join(a, b, Counts(), scratch=tmp_path / "scratch", held_bytes=5_000)
    next(found)
    assert list((tmp_path / "scratch").iterdir()) != []
    found.close()  # type: ignore[attr-defined]
    assert not (tmp_path / "scratch").exists()


def test_a_damaged_file_is_an_error_and_no_difference(tmp_path: Path) -> None:
    a, b = (dealt_out(tmp_path / side, spread("", 500)) for side in "ab")
    path = tmp_path / "b" / "002.spill"
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(Error, match=r"002\.spill is damaged"):
        list(join(a, b, Counts(), scratch=tmp_path / "scratch"))


def test_sides_are_dealt_out_alike(tmp_path: Path) -> None:
    a, b = Buckets.create(tmp_path / "a", 2), Buckets.create(tmp_path / "b", 4)
    with pytest.raises(ValueError, match="same number"):
        list(join(a, b, Counts(), scratch=tmp_path))
