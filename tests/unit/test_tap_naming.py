from __future__ import annotations

import json
import re
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.table import Key, Table
from tap_dynamodb.naming import stream_names
from tap_dynamodb.settings import Settings


def table(name: str, account: str = "1") -> Table:
    arn = f"arn:aws:dynamodb:eu-west-1:{account}:table/{name}"
    return Table(name, arn, "id", Key(("pk",), ("S",)))


def settings(given: dict[str, str], entities: dict[str, list[str]] | None = None) -> Settings:
    """Return settings with stream names, and the entity streams of some tables."""
    where: dict[str, Any] = {"pk": {"prefix": "x"}}
    options = {
        name: {"entities": [{"stream": stream, "where": where} for stream in streams]}
        for name, streams in (entities or {}).items()
    }
    return Settings(aws=AwsSettings(), stream_names=given, table_options=options)


def names(
    *tables: str,
    given: dict[str, str] | None = None,
    entities: dict[str, list[str]] | None = None,
) -> list[str]:
    return stream_names(map(table, tables), settings(given or {}, entities))


def refused(tables: list[Table], given: Settings) -> ConfigError:
    with pytest.raises(ConfigError) as raised:
        stream_names(tables, given)
    return raised.value


def test_a_stream_has_its_tables_name_with_underscores_for_dashes() -> None:
    assert names("a-b-c", "d.e", "F") == ["a_b_c", "d.e", "F"]


def test_a_given_name_is_taken_as_it_is() -> None:
    assert names("a-b", "c", given={"a-b": "my-stream"}) == ["my-stream", "c"]


@pytest.mark.parametrize(
    ("given", "entities"),
    [
        ({"a": "dev-users", "b": "prod-users"}, {}),
        ({"a": "users", "b": "prod-users"}, {}),
        ({"a": "x-b"}, {}),
        ({}, {"a": ["dev-users", "prod-users"]}),
    ],
)
def test_names_that_sql_targets_take_for_one_are_refused(
    given: dict[str, str], entities: dict[str, list[str]]
) -> None:
    error = refused([table("a"), table("b")], settings(given, entities))
    assert "into one table, as they keep only what follows the last -" in error.message


def test_a_name_may_be_given_by_arn() -> None:
    assert names("a", given={table("a").arn: "mine"}) == ["mine"]
    assert names("a", given={"a": "by name", table("a").arn: "by ARN"}) == ["by ARN"]


@pytest.mark.parametrize(
    ("tables", "given"),
    [(["a-b", "a_b"], {}), (["a", "b"], {"b": "a"}), (["a", "b"], {"a": "x", "b": "x"})],
)
def test_tables_of_one_stream_name_are_an_error_that_says_how_to_set_an_alias(
    tables: list[str], given: dict[str, str]
) -> None:
    error = refused(list(map(table, tables)), settings(given))
    assert error.message.startswith(f"Tables {tables[0]} and {tables[1]} would both")
    (example,) = re.findall(r"Set stream_names, for example (\{.*\})$", error.hint)
    assert list(json.loads(example)) == [tables[1]]
    stream_names(map(table, tables), settings(given | json.loads(example)))


def test_tables_of_one_name_in_two_accounts_are_told_apart_by_their_arns() -> None:
    here, there = table("a", "1"), table("a", "2")
    for given in ({}, {"a": "both"}):
        error = refused([here, there], settings(given))
        assert f"Tables {here.arn} and {there.arn} would both" in error.message
        (example,) = re.findall(r"Set stream_names, for example (\{.*\})$", error.hint)
        name = given.get("a", "a")
        assert json.loads(example) == {there.arn: f"{name}_2"}
        found = stream_names([here, there], settings(given | json.loads(example)))
        assert found == [name, f"{name}_2"]


# Streams of entities


def test_the_streams_of_entities_want_names_of_their_own() -> None:
    assert names("a", "b", entities={"a": ["orders", "lines"], "b": ["users"]}) == ["a", "b"]


def test_entities_of_one_table_may_share_a_stream_also_the_tables_own() -> None:
    assert names("a-1", "b", entities={"a-1": ["orders", "orders", "a_1"]}) == ["a_1", "b"]


def test_an_entity_of_another_tables_name_is_an_error_with_both_ways_out() -> None:
    error = refused([table("app"), table("orders")], settings({}, {"app": ["orders"]}))
    assert error.message == "Tables app and orders would both have the stream orders"
    assert error.hint == (
        'Set stream_names, for example {"orders": "orders_2"} or '
        "name the entity's stream otherwise in table_options of app"
    )
    error = refused([table("a"), table("b")], settings({}, {"b": ["a"]}))
    assert error.hint == (
        "Name the entity's stream otherwise in table_options of b or "
        'set stream_names, for example {"a": "a_2"}'
    )


def test_a_table_whose_entity_has_its_own_name_is_renamed_by_stream_names() -> None:
    error = refused([table("a-b"), table("a_b")], settings({}, {"a_b": ["a_b"]}))
    assert error.hint == 'Set stream_names, for example {"a_b": "a_b_2"}'


def test_one_entity_in_two_tables_is_an_error() -> None:
    error = refused([table("app-1"), table("app-2")], settings({}, {"app-*": ["orders"]}))
    assert error.message == "Tables app-1 and app-2 would both have the stream orders"
    assert error.hint == (
        "Name the entity's stream otherwise in table_options of app-2 or "
        "name the entity's stream otherwise in table_options of app-1"
    )
