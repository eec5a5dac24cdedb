"""Which pages parse every item themselves, so that an export's items may come to them unseen."""

from __future__ import annotations

from typing import Any

import pytest

from dynamodb_core import layouts
from dynamodb_core.converter import Converter
from dynamodb_core.expired import Expiry
from tap_dynamodb.entities import Entities
from tap_dynamodb.marks import ReplicationKey
from tap_dynamodb.pages import PageConverter
from tap_dynamodb.render import LineRenderer, RecordRenderer
from tap_dynamodb.seen import Highest

LAYOUT = layouts.Typed(keys={"id": "S"}, item_field="item")
LINES = LineRenderer("users", None, Converter(LAYOUT))
ONE = Entities.of([], "users")
SEVERAL = Entities.of([{"stream": "a", "where": {"id": {"prefix": "a"}}}], "users")


@pytest.mark.parametrize(
    ("renderers", "entities", "more", "looks"),
    [
        ({"users": LINES}, ONE, {}, True),
        ({"users": RecordRenderer(LAYOUT)}, ONE, {}, False),
        ({}, ONE, {}, False),
        ({"users": LINES}, SEVERAL, {}, False),
        ({"users": LINES}, ONE, {"expiry": Expiry("ttl")}, False),
        ({"users": LINES}, ONE, {"observe": Highest(ReplicationKey("n", "n", 1))}, False),
    ],
)
def test_who_parses_every_item(
    renderers: dict[str, Any], entities: Entities, more: dict[str, Any], looks: bool
) -> None:
    assert PageConverter(renderers, entities, **more).looks is looks
