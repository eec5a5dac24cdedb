from __future__ import annotations

from tap_dynamodb.withheld import withheld, without

TAGGED = {"id": "a", "_dynamodb": {"types": {"/x": "B"}, "rest": {"ssn": {"N": "1"}}}}


def test_an_attribute_that_a_map_removes_does_not_travel_beside_the_record() -> None:
    names = withheld("people", {"people": {"ssn": "__NULL__"}}, [])
    assert without(TAGGED, "_dynamodb", names) == {"id": "a", "_dynamodb": {"types": {"/x": "B"}}}


def test_nothing_is_left_of_an_object_that_held_only_what_was_removed() -> None:
    record = {"id": "a", "_dynamodb": {"rest": {"ssn": {"N": "1"}}}}
    assert without(record, "_dynamodb", {"ssn"}) == {"id": "a"}


def test_what_no_map_removes_travels_on() -> None:
    names = withheld("people", {"others": {"ssn": None}, "people": {"id": "id"}}, [])
    assert without(TAGGED, "_dynamodb", names) == TAGGED


def test_a_map_that_drops_a_column_by_its_schema_withholds_it() -> None:
    before: dict[str, object] = {"id": {}, "ssn": {}}
    after: dict[str, object] = {"id": {}}
    assert withheld("people", {}, [(before, after)]) == {"ssn"}


def test_a_map_of_an_alias_and_a_pattern_count() -> None:
    aliased = {"shown": {"__source__": "people", "ssn": None}, "peop*": {"tax": "__NULL__"}}
    assert withheld("people", aliased, []) == {"ssn", "tax"}
