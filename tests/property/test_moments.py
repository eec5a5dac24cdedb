"""Where a moment lies among values: no later value may be left out, in whatever way it is written."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from tap_dynamodb import moments

if TYPE_CHECKING:
    from collections.abc import Mapping

SECOND = 10**9
EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - all of it is UTC
FIRST, LAST = 10**8 * SECOND, 10**11 * SECOND
near = st.one_of(
    st.sampled_from((0, SECOND // 2, SECOND, 60 * SECOND, 86_400 * SECOND)),
    st.integers(0, 3 * SECOND),
    st.integers(0, 10**18),
)
bases = st.one_of(
    st.sampled_from((FIRST, 1795262400 * SECOND, 1795305600 * SECOND)),
    st.integers(FIRST, LAST - 2 * 10**18),
)
zones = st.sampled_from(("", "Z", "+00:00", "+0000", "+00", "-00:00"))


@st.composite
def texts(draw: st.DrawFn, moment: int) -> str:
    """One way to write a moment, exactly or rounded down to what the spelling can hold."""
    whole, rest = divmod(moment, SECOND)
    when = EPOCH + timedelta(seconds=whole)
    text = when.isoformat(draw(st.sampled_from("T ")), "seconds")
    kind = draw(st.sampled_from(("seconds", "minutes", "fraction", "short", "date")))
    if kind == "date":
        return text[:10]
    if kind == "minutes":
        text = text[:16]
    elif kind == "fraction":
        text += f".{rest:09}"[: draw(st.integers(2, 10))]
    elif kind == "short" and rest:
        text += f".{rest:09}".rstrip("0")
    return text + draw(zones)


@st.composite
def number_texts(draw: st.DrawFn, moment: int) -> str:
    unit = draw(st.sampled_from(tuple(moments.UNITS.values())))
    whole, rest = divmod(moment, unit)
    digits = len(str(unit)) - 1
    if digits and draw(st.booleans()):
        return f"{whole}.{rest:0{digits}}"
    return str(whole)


def order(typed: Mapping[str, str]) -> Any:
    ((kind, text),) = typed.items()
    return moments.order(kind, text)


def inside(kind: str, text: str, moment: int) -> bool:
    return any(
        order(each.low) <= order({kind: text})
        and (each.high is None or order({kind: text}) <= order(each.high))
        for each in moments.ranges(moment, kind)
    )


@given(bases, near, st.data())
def test_every_later_text_is_in_a_range(base: int, later: int, data: st.DataObject) -> None:
    text = data.draw(texts(base + later))
    found = moments.moment("S", text)
    assert found is not None
    if found.nanoseconds >= base:
        assert inside("S", text, base)
        assert order(moments.lowest(base, found.form)) <= text


@given(bases, near, st.data())
def test_every_later_number_is_in_a_range(base: int, later: int, data: st.DataObject) -> None:
    text = data.draw(number_texts(base + later))
    found = moments.moment("N", text)
    assert found is not None
    if found.nanoseconds >= base:
        assert inside("N", text, base)
        assert order(moments.lowest(base, found.form)) <= order({"N": text})


@given(bases, near, st.data())
def test_what_is_written_later_is_in_the_ranges_of_the_minute_or_second_of_a_mark(
    base: int, later: int, data: st.DataObject
) -> None:
    text, number = data.draw(texts(base + later)), data.draw(number_texts(base + later))
    assert inside("S", text, base // (60 * SECOND) * 60 * SECOND)
    assert inside("N", number, base // SECOND * SECOND)


@given(bases, st.integers(61 * SECOND, 10**18), st.data())
@example(1795262400 * SECOND, 61 * SECOND, None)
def test_a_range_leaves_out_what_is_earlier(base: int, earlier: int, data: Any) -> None:
    moment = base - earlier
    if moment < FIRST:
        return
    when = EPOCH + timedelta(seconds=moment // SECOND)
    if when.date() != (EPOCH + timedelta(seconds=base // SECOND)).date():
        assert not inside("S", when.isoformat()[:10], base)
    for separator in "T ":
        assert not inside("S", when.isoformat(separator, "seconds") + "Z", base)
    for unit in moments.UNITS.values():
        assert not inside("N", str(moment // unit), base)
