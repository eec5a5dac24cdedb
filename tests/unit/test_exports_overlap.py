"""Keys that are gone after two windows that overlap: found within bounded memory, whatever there is."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.change import Change
from dynamodb_core.errors import DataError
from dynamodb_core.exports import overlap
from dynamodb_core.exports.chain import Stage
from tests.property.test_exports_chain import micros, window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

STAGE = Stage(window(0, 10), window(5, 15))


def keys(number: int) -> bytes:
    return json.dumps({"pk": {"S": f"key {number}"}}).encode()


def put(number: int, at: int = 7) -> Change:
    item = json.dumps({"pk": {"S": f"key {number}"}, "x": {"S": "x" * 100}}).encode()
    return Change(item, keys(number), micros(at))


def test_many_keys_are_brought_together_within_bounds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    most = 0
    real = overlap._Join._held

    def held(self: Any, *args: Any, **more: Any) -> Any:
        nonlocal most
        found = real(self, *args, **more)
        most = max(most, len(found or ()))
        return found

    monkeypatch.setattr(overlap._Join, "_held", held)
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1

    count, room = 2_000, 10
    bound = room * (100 + 80 + overlap.ROW_BYTES)
    earlier = (put(number) for number in range(count))
    later = (put(number, 12) for number in range(0, count, 3))
    found = overlap.gone(STAGE, earlier, later, tmp_path, held_bytes=bound, fan_out=8, look=look)
    gone = {change.keys for change in found}
    assert gone == {keys(number) for number in range(count) if number % 3}
    assert 0 < most <= 2 * room
    assert looks > 100
    assert list(tmp_path.iterdir()) == []


def test_the_bounds_of_the_overlap_are_exact(tmp_path: Path) -> None:
    earlier = [
        put(1, 4),  # the later window does not begin yet
        put(2, 5),
        put(3, 9),
        Change(None, keys(4), micros(7)),  # deleted in the earlier one already
        put(5, 6),  # named by the later one
        put(6, 6),  # deleted by the later one, which says so
    ]
    later = [put(5, 12), Change(None, keys(6), micros(13))]
    found = list(overlap.gone(STAGE, earlier, later, tmp_path))
    assert {change[:3] for change in found} == {
        (None, keys(number), micros(10)) for number in (2, 3)
    }
    assert {change.old for change in found} == {put(2).item, put(3).item}
    assert list(tmp_path.iterdir()) == []  # so little is not spilled


def test_the_later_window_is_not_read_where_nothing_is_asked_for(tmp_path: Path) -> None:
    begun = []

    def never() -> Iterator[Change]:
        begun.append(True)
        yield put(1)

    assert list(overlap.gone(STAGE, [put(1, 4)], never(), tmp_path)) == []
    assert not begun


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (Change(b"{}", keys(1), None), "WriteTimestampMicros"),
        (Change(b"{}", None, micros(7)), "no Keys"),
    ],
)
def test_a_line_that_does_not_say_enough_is_an_error(
    tmp_path: Path, change: Change, error: str
) -> None:
    with pytest.raises(DataError, match=error):
        list(overlap.gone(STAGE, [change], [], tmp_path))


def test_what_was_spilled_is_removed_when_reading_breaks_off(tmp_path: Path) -> None:
    def broken() -> Iterator[Change]:
        for number in range(500):
            yield put(number)
        assert list(tmp_path.iterdir()) != []
        raise DataError("broken")

    with pytest.raises(DataError, match="broken"):
        list(overlap.gone(STAGE, broken(), [], tmp_path, held_bytes=2_000, fan_out=4))
    assert list(tmp_path.iterdir()) == []


def test_a_reader_that_stops_half_way_leaves_nothing(tmp_path: Path) -> None:
    earlier = (put(number) for number in range(500))
    found = overlap.gone(STAGE, earlier, [], tmp_path, held_bytes=2_000, fan_out=4)
    next(found)
    assert list(tmp_path.iterdir()) != []
    found.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []
