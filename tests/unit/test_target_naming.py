"""Which table a stream goes to."""

from __future__ import annotations

import pytest

from dynamodb_core.errors import ConfigError
from target_dynamodb import naming


def name(stream: str, source: str | None = None, **settings: object) -> str:
    given = {"pattern": None, "patterns": {}, **settings}
    return naming.table_name(stream, source, **given)  # type: ignore[arg-type]


def test_without_settings_a_stream_goes_to_the_table_of_its_source() -> None:
    assert name("dev_users", "dev-users") == "dev-users"
    assert name("users") == "users"


def test_a_pattern_knows_the_stream_and_the_source_table() -> None:
    assert name("dev_users", "dev-users", pattern="{table}_copy") == "dev-users_copy"
    assert name("dev_users", "dev-users", pattern="x.{stream}") == "x.dev_users"
    assert name("users", pattern="{table}_copy") == "users_copy"
    assert name("users", pattern="fixed") == "fixed"


def test_the_streams_own_setting_goes_first() -> None:
    patterns = {"users": "people_{stream}"}
    assert name("users", pattern="fixed", patterns=patterns) == "people_users"
    assert name("others", pattern="fixed", patterns=patterns) == "fixed"


def test_streams_can_be_named_by_a_pattern() -> None:
    patterns = {"sales_*": "all", "sales_2": "two", "*_3": "{stream}s", "s*": "last"}
    assert name("sales_1", patterns={**patterns, "s*": "last"}) == "last"
    del patterns["s*"]
    assert name("sales_1", pattern="fixed", patterns=patterns) == "all"
    assert name("sales_2", patterns=patterns) == "two"
    assert name("sales_3", patterns=patterns) == "sales_3s"
    assert name("Sales_1", patterns=patterns) == "Sales_1"
    assert name("a[1]", patterns={"a[1]": "own"}) == "own"


def test_a_streams_name_is_never_taken_for_a_pattern() -> None:
    assert name("{table}", "source", pattern="a_{stream}") == "a_{table}"


@pytest.mark.parametrize(
    ("given", "made"),
    [
        ("orders", "orders"),
        ("A-Z.0_9", "A-Z.0_9"),
        ("test:SpecialChars!in?attributes", "test_SpecialChars_in_attributes"),
        ("a b/c", "a_b_c"),
        ("Größe", "Gr__e"),
        ("t", "t__"),
        ("", "___"),
    ],
)
def test_an_illegal_name_is_made_legal_by_the_rule(given: str, made: str) -> None:
    assert naming.legal(given) == made


def test_a_name_that_is_too_long_is_refused() -> None:
    assert naming.legal("x" * 255) == "x" * 255
    with pytest.raises(ConfigError, match="256 characters"):
        naming.legal("x" * 256)


def test_only_a_certain_table_counts_as_asked_for() -> None:
    assert naming.asked_for("a", pattern=None, patterns={"a": "t"})
    assert naming.asked_for("a", pattern="t", patterns={})
    assert not naming.asked_for("a", pattern="{table}", patterns={"b": "t"})
    assert not naming.asked_for("a", pattern=None, patterns={})


def test_a_pattern_of_streams_asks_for_a_table_that_is_one() -> None:
    patterns = {"sales_*": "all", "*_3": "{stream}s", "own": "{stream}"}
    assert naming.asked_for("sales_1", pattern=None, patterns=patterns)
    assert not naming.asked_for("sales_3", pattern="fixed", patterns=patterns)
    assert naming.asked_for("own", pattern=None, patterns=patterns)
    assert not naming.asked_for("other", pattern=None, patterns=patterns)


def test_unknown_placeholders_are_found() -> None:
    assert naming.unknown_placeholders("{stream}{table}") == []
    assert naming.unknown_placeholders("{straem}_{}") == ["straem", ""]
