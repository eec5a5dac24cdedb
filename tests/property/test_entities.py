"""Items are split as a naive reading of the rules splits them, whatever they are called."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import orjson
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_dynamodb.entities import Entities
from tests.property import strategies as some

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])

# Few values, so that rules and items meet.
words = st.sampled_from(("A#", "A#1", "A", "", "B#", "1", "true", "é\n"))
figures = st.sampled_from(("1", "1.0", "1E0", "-0", "0", "1E+2", "100", "0.1", "1E-1"))
values = st.one_of(
    some.tagged("S", words),
    some.tagged("N", figures),
    some.tagged("BOOL", st.booleans()),
    some.tagged("B", words),
    some.values,
)
conditions = st.one_of(
    st.fixed_dictionaries({"prefix": words.filter(bool)}),
    st.fixed_dictionaries(
        {
            "equals": st.one_of(
                words, st.booleans(), st.sampled_from((0, 1, 100, 0.1, 1.0, Decimal("1E+2")))
            )
        }
    ),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Rules and items that have some attribute names in common."""
    common = draw(st.lists(some.names, min_size=1, max_size=3, unique=True))
    rules = st.fixed_dictionaries(
        {
            "stream": st.sampled_from(("a", "b", "own")),
            "where": st.dictionaries(st.sampled_from(common), conditions, min_size=1),
        }
    )
    items = st.builds(
        lambda known, other: {**other, **known},
        st.dictionaries(st.sampled_from(common), values),
        st.dictionaries(
            some.names.filter(lambda name: name not in common), some.values, max_size=3
        ),
    )
    return draw(st.lists(rules, max_size=4)), draw(st.lists(items, max_size=8))


def meets(item: dict[str, Any], name: str, wanted: dict[str, Any]) -> bool:
    ((kind, value),) = item.get(name, {"missing": None}).items()
    if "prefix" in wanted:
        return bool(kind == "S" and value.startswith(wanted["prefix"]))
    said = wanted["equals"]
    if isinstance(said, bool):
        return kind == "BOOL" and value is said
    if isinstance(said, str):
        return bool(kind == "S" and value == said)
    return kind == "N" and Decimal(value) == Decimal(str(said))


def home(item: dict[str, Any], rules: list[dict[str, Any]]) -> str:
    for rule in rules:
        if all(meets(item, name, wanted) for name, wanted in rule["where"].items()):
            return str(rule["stream"])
    return "own"


@patient
@given(cases())
def test_items_go_where_a_naive_reading_sends_them(
    case: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    rules, items = case
    entities = Entities.of(rules, "own")
    found = entities.split([msgspec.Raw(orjson.dumps(item)) for item in items])
    assert tuple(found) == entities.streams
    assert {name: [orjson.loads(bytes(raw)) for raw in raws] for name, raws in found.items()} == {
        name: [item for item in items if home(item, rules) == name] for name in entities.streams
    }


@patient
@given(cases())
def test_the_attributes_are_all_that_a_split_needs(
    case: tuple[list[dict[str, Any]], list[dict[str, Any]]],
) -> None:
    rules, items = case
    entities = Entities.of(rules, "own")
    lean = [{n: value for n, value in item.items() if n in entities.attributes} for item in items]
    whole = entities.split([msgspec.Raw(orjson.dumps(item)) for item in items])
    part = entities.split([msgspec.Raw(orjson.dumps(item)) for item in lean])
    assert {name: len(raws) for name, raws in whole.items()} == {
        name: len(raws) for name, raws in part.items()
    }
