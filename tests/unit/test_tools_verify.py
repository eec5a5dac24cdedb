"""Differences looked at again: what they are by then, what lasts, and what is asked for it."""

from __future__ import annotations

import tracemalloc
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from dynamodb_core.errors import Error
from dynamodb_core.table import Key
from dynamodb_tools import verify
from dynamodb_tools.canonical import Canon
from dynamodb_tools.differing import Difference
from dynamodb_tools.join import Found, Kind, kind_of
from dynamodb_tools.verify import Outcome, lasting, look_up
from tests.engines.scripted import Clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    Item = dict[str, dict[str, Any]]

CANON = Canon(Key(("id",), ("S",)))
SINCE = 60.0


def item(name: str, price: str | None = None, **more: Any) -> Item:
    return {"id": {"S": name}, **({} if price is None else {"price": {"N": price}}), **more}


def key(name: str) -> bytes:
    [row] = CANON.rows([orjson.dumps(item(name))])
    return row.key


def state(of: Item | None, canon: Canon = CANON) -> bytes:
    if of is None:
        return b""
    [row] = canon.rows([orjson.dumps(of)])
    return row.content + row.spelling


class Side:
    """The items of a side, as they are now, and which of them were asked for."""

    def __init__(self, *items: Item) -> None:
        self.items = {each["id"]["S"]: each for each in items}
        self.asked: list[str] = []
        self.calls: list[int] = []

    def fetch(self, keys: Sequence[bytes]) -> dict[bytes, Any]:
        names = [orjson.loads(each)["id"]["S"] for each in keys]
        self.asked += names
        self.calls.append(len(keys))
        return {each: self.items.get(name) for each, name in zip(keys, names, strict=True)}

    def put(self, *items: Item) -> None:
        self.items.update({each["id"]["S"]: each for each in items})


def found(a: Side, b: Side, canon: Canon = CANON) -> list[Found]:
    """What a comparison finds of two sides as they are."""
    differences = []
    for name in sorted(a.items.keys() | b.items.keys()):
        one, other = a.items.get(name), b.items.get(name)
        states = state(one, canon), state(other, canon)
        if states[0] != states[1] or (one is None) != (other is None):
            kind = kind_of(states[0] if one else None, states[1] if other else None)
            differences.append(Found(kind, key(name), *states))
    return differences


def kinds(outcomes: Sequence[Outcome]) -> dict[str, str]:
    return {orjson.loads(each.key)["id"]["S"]: each.kind for each in outcomes}


# Once


def test_what_differs_is_named_and_what_is_missing_comes_with_its_item() -> None:
    a = Side(item("differs", "1"), item("missing", "2"), item("spelled", "1.0"))
    b = Side(item("differs", "3"), item("extra", "4"), item("spelled", "1"))
    outcomes = list(look_up(found(a, b), a.fetch, b.fetch, CANON))
    one, other = {"N": "1.0"}, {"N": "1"}
    assert outcomes == [
        Outcome(
            "differs",
            key("differs"),
            item("differs", "1"),
            [Difference("/price", {"N": "1"}, {"N": "3"})],
            named=True,
        ),
        Outcome("extra", key("extra")),
        Outcome("missing", key("missing"), item("missing", "2")),
        Outcome(
            "respelled",
            key("spelled"),
            item("spelled", "1.0"),
            [Difference("/price", one, other, spelling=True)],
            named=True,
        ),
    ]
    assert sorted(a.asked) == ["differs", "missing", "spelled"]
    assert sorted(b.asked) == ["differs", "spelled"], "what is not in B is not looked for there"


def test_what_is_not_wanted_is_passed_on_and_not_asked_for() -> None:
    a, b = Side(item("d", "1"), item("m")), Side(item("d", "2"))
    differences = found(a, b)
    seen: list[Found] = []

    def wanted(difference: Found) -> bool:
        seen.append(difference)
        return False

    outcomes = list(look_up(differences, a.fetch, b.fetch, CANON, wanted=wanted))
    assert outcomes == [Outcome("differs", key("d")), Outcome("missing", key("m"))]
    assert seen == differences
    assert a.asked == b.asked == []
    assert a.calls == [], "and nothing is asked for no keys"


@pytest.mark.parametrize(
    ("before", "now", "kind"),
    [
        ((item("x", "1"), item("x", "2")), (item("x", "2"), item("x", "2")), "settled"),
        ((item("x", "1"), item("x", "2")), (None, None), "settled"),
        ((item("x", "1"), item("x", "2")), (item("x", "1"), None), "missing"),
        ((item("x", "1"), item("x", "2")), (None, item("x", "2")), "extra"),
        ((item("x", "1"), item("x", "2")), (item("x", "2.0"), item("x", "2")), "respelled"),
        ((item("x", "1"), item("x", "2")), (item("x", "5"), item("x", "6")), "differs"),
        ((item("x", "1"), None), (None, None), "settled"),
        ((item("x", "1"), None), (item("x", "2"), None), "missing"),
        ((None, item("x", "1")), (None, None), "extra"),
    ],
)
def test_what_a_difference_is_now_counts(
    before: tuple[Item | None, Item | None], now: tuple[Item | None, Item | None], kind: str
) -> None:
    """Missing ones are looked for in A only, extra ones nowhere."""
    a, b = (Side(*filter(None, [each])) for each in before)
    differences = found(a, b)
    later_a, later_b = (Side(*filter(None, [each])) for each in now)
    [outcome] = look_up(differences, later_a.fetch, later_b.fetch, CANON)
    assert outcome.kind == kind
    assert outcome.a == (now[0] if kind not in ("settled", "extra") else None)


def test_what_does_not_count_does_not_differ() -> None:
    canon = Canon(CANON.key, ignore=frozenset({"seen"}), sample=1.0)
    a = Side(item("x", "1", seen={"N": "1"}), item("y", "1", seen={"N": "1"}))
    b = Side(item("x", "1", seen={"N": "2"}), item("y", "2", seen={"N": "2"}))
    differences = [Found("differs", key(name), b"1" * 16, b"2" * 16) for name in "xy"]
    settled, differs = look_up(differences, a.fetch, b.fetch, canon)
    assert settled == Outcome("settled", key("x"))
    assert [each.path for each in differs.differences] == ["/price"]


def test_of_keys_alone_only_their_being_there_counts() -> None:
    canon = Canon(CANON.key, keys_only=True)
    a, b = Side(item("m", "1"), item("x", "1")), Side(item("e"), item("x", "2"))
    outcomes = list(look_up(found(a, b, canon), a.fetch, b.fetch, canon))
    assert kinds(outcomes) == {"m": "missing", "e": "extra"}
    assert {each.a["price"]["N"] for each in outcomes if each.a} == {"1"}


@pytest.mark.parametrize("blind", ["a", "b"])
def test_a_side_that_cannot_be_asked_leaves_what_differs_unnamed(blind: str) -> None:
    a, b = Side(item("d", "1"), item("m")), Side(item("d", "2"), item("e"))
    fetches = (None if blind == "a" else a.fetch, None if blind == "b" else b.fetch)
    outcomes = list(look_up(found(a, b), *fetches, CANON))
    assert kinds(outcomes) == {"d": "differs", "e": "extra", "m": "missing"}
    assert not any(each.named or each.differences for each in outcomes)
    seen = None if blind == "a" else item("d", "1")
    assert outcomes[0].a == seen


def test_few_large_items_are_looked_up_together_and_many_small_ones() -> None:
    def calls(length: int) -> list[int]:
        text = {"S": "x" * length}
        a = Side(*(item(f"{n}", "1", text=text) for n in range(1000)))
        b = Side(*(item(f"{n}", "2") for n in range(1000)))
        differences = found(a, b)
        assert sum(each.kind == "differs" for each in look_up(differences, a.fetch, b.fetch, CANON))
        return a.calls

    small = calls(10)
    assert small[:2] == [25, 400]
    assert sum(small) == 1000


def test_memory_is_bounded_however_large_items_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify, "HELD_BYTES", 6 << 20)
    calls: list[int] = []

    def fetch(keys: Sequence[bytes]) -> dict[bytes, Any]:
        calls.append(len(keys))
        return {each: {**orjson.loads(each), "t": {"S": "x" * 50_000}} for each in keys}

    differences = (Found("missing", key(f"{n}"), b"1" * 16) for n in range(500))
    assert sum(1 for _ in look_up(differences, fetch, fetch, CANON)) == 500
    assert max(calls[1:]) <= (6 << 20) / 50_000 / 6
    assert max(calls) <= 25


def test_a_page_is_asked_for_before_the_next_is_read() -> None:
    """Differences are not gathered first: the join goes on as their outcomes are taken."""
    taken = 0

    def join() -> Iterator[Found]:
        nonlocal taken
        for n in range(10_000):
            taken += 1
            yield Found("missing", key(f"{n}"), b"1" * 16)

    a = Side()
    next(look_up(join(), a.fetch, a.fetch, CANON))
    assert taken <= 26


# Until nothing changes any more


class Tables:
    """Two sides that change as the time passes, and what is looked up of them."""

    def __init__(self, *changes: tuple[float, Callable[[Tables], object]]) -> None:
        self.a = Side()
        self.b = Side()
        self.clock = Clock(0.0)
        self._changes = sorted(changes, key=lambda change: change[0])

    def sleep(self, seconds: float) -> None:
        self.clock.sleep(seconds)
        while self._changes and self._changes[0][0] <= self.clock():
            self._changes.pop(0)[1](self)

    def lasting(self, scratch: Path, differences: Any = None, **more: Any) -> list[Outcome]:
        given: dict[str, Any] = {"a": self.a.fetch, "b": self.b.fetch, **more}
        return list(
            lasting(
                found(self.a, self.b) if differences is None else differences,
                canon=CANON,
                since=SINCE,
                scratch=scratch,
                clock=self.clock,
                sleep=self.sleep,
                **given,
            )
        )


def changing(*moments: float, side: str = "b", name: str = "x") -> Tables:
    """Tables with an item in A alone (m), one that differs (d), and one that changes at these moments."""

    def change(moment: float) -> Callable[[Tables], object]:
        return lambda tables: getattr(tables, side).put(item(name, f"{moment}"))

    tables = Tables(*((moment, change(moment)) for moment in moments))
    tables.a.put(item("m", "1"), item("d", "1"), item("x", "0"), item("same", "1"))
    tables.b.put(item("d", "2"), item("x", "1"), item("same", "1"))
    return tables


def test_what_has_not_changed_lasts_after_one_look(tmp_path: Path) -> None:
    tables = changing()
    outcomes = tables.lasting(tmp_path / "looks")
    assert kinds(outcomes) == {"m": "missing", "d": "differs", "x": "differs"}
    by_name = {orjson.loads(each.key)["id"]["S"]: each for each in outcomes}
    assert by_name["m"].a == item("m", "1")
    assert by_name["d"].differences == [Difference("/price", {"N": "1"}, {"N": "2"})]
    assert tables.clock() == pytest.approx(SINCE, abs=1)
    assert sorted(tables.a.asked) == sorted(tables.b.asked) == ["d", "m", "x"]
    assert not (tmp_path / "looks").exists()


def test_nothing_is_looked_up_before_the_pause_is_over(tmp_path: Path) -> None:
    moments: list[float] = []
    tables = changing()

    def fetch(keys: Sequence[bytes]) -> dict[bytes, Any]:
        moments.append(tables.clock())
        return tables.a.fetch(keys)

    tables.lasting(tmp_path, a=fetch)
    assert moments
    assert all(moment >= SINCE for moment in moments)


def test_what_has_become_equal_is_settled(tmp_path: Path) -> None:
    tables = changing()
    differences = found(tables.a, tables.b)
    tables.b.put(item("d", "1"))
    del tables.a.items["m"]
    outcomes = tables.lasting(tmp_path, differences)
    assert kinds(outcomes) == {"m": "settled", "d": "settled", "x": "differs"}


@pytest.mark.parametrize("side", ["a", "b"])
@pytest.mark.parametrize(
    ("moments", "kind", "rounds"),
    [
        ((), "differs", 1),
        ((30,), "differs", 2),
        ((30, 90), "differs", 3),
        ((30, 31, 32), "differs", 2),
        ((30, 90, 150), "differs", 4),
        ((30, 90, 150, 210), "differs", 5),
        ((30, 90, 150, 210, 270), "moving", 5),
    ],
)
def test_what_changes_is_looked_at_again(
    tmp_path: Path, side: str, moments: tuple[float, ...], kind: str, rounds: int
) -> None:
    tables = changing(*moments, side=side)
    outcomes = tables.lasting(tmp_path)
    assert kinds(outcomes) == {"m": "missing", "d": "differs", "x": kind}
    assert tables.a.asked.count("x") == tables.b.asked.count("x") == rounds
    assert tables.a.asked.count("d") == 1, "what lasts is not looked at again"
    assert tables.clock() == pytest.approx(SINCE * rounds, abs=rounds)


def test_what_changes_and_is_equal_in_the_end_is_settled(tmp_path: Path) -> None:
    tables = changing(30, side="a")
    tables._changes.append((90, lambda both: both.b.put(item("x", "30"))))
    assert kinds(tables.lasting(tmp_path))["x"] == "settled"


def test_what_never_comes_to_rest_is_moving(
    tmp_path: Path,
) -> None:
    """A copy that follows: at every look it differs, and never lasts."""
    tables = changing()

    def put(side: str, n: int) -> Callable[[Tables], object]:
        return lambda both: getattr(both, side).put(item("x", f"{n + 100}"))

    for n in range(1, 20):
        tables._changes += [(n * 50.0, put("a", n)), (n * 50.0 + 49, put("b", n))]
    assert kinds(tables.lasting(tmp_path))["x"] == "moving"


def test_items_that_are_only_spelled_otherwise_are_looked_at_on_request(tmp_path: Path) -> None:
    tables = Tables()
    tables.a.put(item("s", "1.0"))
    tables.b.put(item("s", "1"))
    assert tables.lasting(tmp_path) == [Outcome("respelled", key("s"))]
    assert tables.a.asked == []
    [outcome] = tables.lasting(tmp_path, respelled=True)
    assert outcome.kind == "respelled"
    assert outcome.differences == [
        Difference("/price", {"N": "1.0"}, {"N": "1"}, spelling=True),
    ]


def test_a_side_that_cannot_be_asked_does_not_change(tmp_path: Path) -> None:
    tables = changing(30, side="a")
    outcomes = tables.lasting(tmp_path, b=None)
    assert kinds(outcomes) == {"m": "missing", "d": "differs", "x": "differs"}
    assert tables.b.asked == []
    assert not any(each.named for each in outcomes)
    assert tables.a.asked.count("x") == 2


def test_each_difference_waits_from_when_it_was_found(tmp_path: Path) -> None:
    tables = Tables()
    moments: dict[str, float] = {}

    def join() -> Iterator[Found]:
        for n in range(100):
            tables.clock.sleep(10.0)
            yield Found("missing", key(f"{n}"), b"1" * 16)

    def fetch(keys: Sequence[bytes]) -> dict[bytes, Any]:
        for each in keys:
            moments[orjson.loads(each)["id"]["S"]] = tables.clock()
        return tables.a.fetch(keys)

    tables.lasting(tmp_path, join(), a=fetch)
    assert all(moments[f"{n}"] >= 10.0 * (n + 1) + SINCE for n in range(100))
    assert moments["0"] == pytest.approx(1000, abs=1), "older ones wait no longer"


def test_candidates_do_not_stay_in_memory(tmp_path: Path) -> None:
    """10,000 that change all the time, with what is known of them more than 10 MB."""
    count = 10_000
    clock = Clock()
    files = 0

    def join() -> Iterator[Found]:
        kind: Kind = "differs"
        for n in range(count):
            yield Found(kind, b'{"id":{"S":"%01000d"}}' % n, b"1" * 16, b"2" * 16)

    def fetch(keys: Sequence[bytes]) -> dict[bytes, Any]:
        nonlocal files
        files = max(files, len(list((tmp_path / "looks").iterdir())))
        return {each: {"id": {"S": "x"}, "v": {"N": f"{clock()}"}} for each in keys}

    outcomes = 0
    tracemalloc.start()
    try:
        for outcome in lasting(
            join(),
            fetch,
            None,
            CANON,
            since=SINCE,
            scratch=tmp_path / "looks",
            rounds=2,
            clock=clock,
            sleep=clock.sleep,
        ):
            assert outcome.kind == "moving"
            outcomes += 1
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert outcomes == count
    assert files == 2
    assert most < 6 << 20


def test_what_looks_can_end_the_wait_and_leaves_nothing(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    tables = changing()
    looks = 0

    def look() -> None:
        nonlocal looks
        looks += 1
        if looks == 10:
            raise Enough

    with pytest.raises(Enough):
        tables.lasting(tmp_path / "looks", look=look)
    assert tables.clock() < SINCE
    assert not (tmp_path / "looks").exists()


def test_an_item_that_cannot_be_looked_up_is_an_error_and_no_file_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(verify, "FILE_BYTES", 1)

    def fails(_keys: Sequence[bytes]) -> dict[bytes, Any]:
        assert list((tmp_path / "looks").iterdir())
        raise Error("no")

    tables = Tables()
    tables.a.put(*(item(f"{n}") for n in range(100)))
    with pytest.raises(Error):
        tables.lasting(tmp_path / "looks", b=fails)
    assert not (tmp_path / "looks").exists()
