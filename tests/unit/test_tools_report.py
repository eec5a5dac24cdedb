"""What a comparison says, to the letter, to people and to programs."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dynamodb_tools import report
from dynamodb_tools.compare_command import _json
from dynamodb_tools.differing import Difference
from dynamodb_tools.report import Counts, Report, Scope, Shown, SideReport

A = SideReport(
    "table orders in eu-west-1", {"arn": "arn:a", "endpoint": ""}, 1200, 2_500_000, 12.5, 3.25
)
B = SideReport(
    "table copy in us-east-1", {"arn": "arn:b", "endpoint": "u"}, 1201, 2_600_000, 13.0, 4.0
)
SIDES = (
    "A  table orders in eu-west-1: 1,200 items read, 2.5 MB, 12.5 capacity units, 3.2 s\n"
    "B  table copy in us-east-1: 1,201 items read, 2.6 MB, 13.0 capacity units, 4.0 s\n"
)


def made(counts: Counts, *first: Shown, scope: Scope | None = None) -> Report:
    return Report(A, B, scope or Scope(), counts, 65.0, list(first))


SAME = made(Counts(a=1200, b=1200, same=1200))


def test_tables_that_are_the_same() -> None:
    assert report.summary(SAME) == f"{SIDES}The same: 1,200 items (1 min 5 s)"
    assert SAME.exit_code == 0


def test_numbers_that_are_spelled_otherwise_are_no_difference() -> None:
    spelled = made(Counts(a=1200, b=1200, same=1190, respelled=10))
    assert report.summary(spelled) == (
        f"{SIDES}"
        "  same                       1,190\n"
        "  spelled otherwise             10\n"
        "The same: 1,200 items (1 min 5 s)"
    )
    assert spelled.exit_code == 0


def test_every_kind_of_difference() -> None:
    counts = Counts(
        a=1200, b=1201, same=1180, respelled=1, missing=6, extra=7, differs=8, settled=3, moving=2
    )
    first = Shown("missing", b'{"id":{"S":"a"}}')
    assert report.summary(made(counts, first, scope=Scope(since=60.0))) == (
        "… and 20 more\n"
        "\n"
        f"{SIDES}"
        "  same                       1,180\n"
        "  spelled otherwise              1\n"
        "  missing in B                   6\n"
        "  extra in B                     7\n"
        "  differing                      8\n"
        "  settled since                  3\n"
        "  still moving                   2\n"
        "Different: 21 items; 1,200 of A were compared with 1,201 of B (1 min 5 s)"
    )
    assert made(counts).exit_code == 1


def test_all_differences_were_shown() -> None:
    counts = Counts(a=1, b=0, missing=1)
    said = report.summary(made(counts, Shown("missing", b'{"id":{"S":"a"}}')))
    assert said.startswith(f"\n{SIDES}  missing")


def test_what_only_moves_is_not_decided() -> None:
    moving = made(Counts(a=5, b=5, same=3, moving=2))
    assert moving.exit_code == 2
    assert report.summary(moving).endswith(
        "Not decided: 2 items are different, and would not keep still (1 min 5 s)"
    )
    assert made(Counts(a=5, b=5, same=2, moving=2, differs=1)).exit_code == 1


def test_what_settled_is_the_same() -> None:
    settled = made(Counts(a=5, b=5, same=3, settled=2))
    assert settled.exit_code == 0
    assert "  settled since                  2\nThe same: 5 items" in report.summary(settled)


def test_what_was_not_compared() -> None:
    scope = Scope(sample=2.5, keys_only=True, ignore=("at", "by"), filter={"expression": "#s = :s"})
    assert report.summary(replace(SAME, scope=scope)) == (
        f"{SIDES}"
        "  of the keys a sample of 2.5%, the same ones on both sides\n"
        "  keys only\n"
        "  without at, by\n"
        "  only items that meet #s = :s\n"
        "The same: 1,200 items (1 min 5 s)"
    )
    assert report.left_out(Scope()) == []


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Shown("missing", b'{"id":{"S":"b"}}'), 'missing    {"id":"b"}'),
        (
            Shown("extra", b'{"pk":{"N":"1.5"},"sk":{"B":"AQ=="}}'),
            'extra      {"pk":1.5,"sk":"AQ=="}',
        ),
        (
            Shown(
                "differs",
                b'{"id":{"S":"a"}}',
                [
                    Difference("/price", {"N": "1.5"}, {"N": "1.6"}),
                    Difference("/name", {"S": "x"}, None),
                ],
            ),
            'differs    {"id":"a"}  /price: N 1.5 | N 1.6; /name: S "x" | missing',
        ),
        (
            Shown(
                "respelled", b'{"id":{"S":"a"}}', [Difference("/n", {"N": "1.0"}, {"N": "1"}, True)]
            ),
            'respelled  {"id":"a"}  /n: N 1.0 | N 1',
        ),
        (
            Shown(
                "differs",
                b'{"id":{"S":"a"}}',
                [Difference(f"/{n}", {"BOOL": True}, {"NULL": True}) for n in range(7)],
            ),
            'differs    {"id":"a"}  '
            + "; ".join(f"/{n}: BOOL true | NULL" for n in range(5))
            + "; and 2 more",
        ),
        (
            Shown("missing", '{"id":{"S":"é\u202e\\n\\u0007"}}'.encode()),
            'missing    {"id":"é\\u202e\\n\\u0007"}',
        ),
        (Shown("missing", b'{"a\\"b":{"S":"\\ud800"}}'), 'missing    {"a\\"b":"\\ud800"}'),
        (
            Shown("differs", b'{"id":{"S":"a"}}', [Difference("/a\nb", {"S": "\x1b[2J"}, None)]),
            'differs    {"id":"a"}  /a\\u000ab: S "\\u001b[2J" | missing',
        ),
    ],
)
def test_a_difference_is_a_line_that_a_terminal_shows_as_it_is(found: Shown, text: str) -> None:
    assert report.line(found) == text
    assert "\n" not in text
    text.encode()


def test_the_object_for_programs() -> None:
    counts = Counts(a=3, b=3, same=1, differs=1, missing=1, extra=1)
    first = (
        Shown("differs", b'{"id":{"S":"a"}}', [Difference("/n", {"N": "1.0"}, {"N": "1"}, True)]),
        Shown("extra", b'{"id":{"S":"b"}}'),
    )
    scope = Scope(ignore=("at",), filter={"expression": "e"}, consistent=True, since=3.0)
    assert report.as_json(made(counts, *first, scope=scope)) == {
        "identical": False,
        "a": {
            "what": "table orders in eu-west-1",
            "arn": "arn:a",
            "endpoint": "",
            "items": 3,
            "read": 1200,
            "bytes": 2_500_000,
            "units": 12.5,
            "seconds": 3.25,
        },
        "b": {
            "what": "table copy in us-east-1",
            "arn": "arn:b",
            "endpoint": "u",
            "items": 3,
            "read": 1201,
            "bytes": 2_600_000,
            "units": 13.0,
            "seconds": 4.0,
        },
        "counts": {
            "a": 3,
            "b": 3,
            "same": 1,
            "respelled": 0,
            "missing": 1,
            "extra": 1,
            "differs": 1,
            "settled": 0,
            "moving": 0,
        },
        "seconds": 65.0,
        "units": 25.5,
        "sample": 100.0,
        "keys_only": False,
        "ignored": ["at"],
        "filter": {"expression": "e"},
        "consistent_read": True,
        "since": 3.0,
        "differences": [
            {
                "kind": "differs",
                "key": {"id": {"S": "a"}},
                "paths": [{"path": "/n", "a": {"N": "1.0"}, "b": {"N": "1"}, "spelling": True}],
            },
            {"kind": "extra", "key": {"id": {"S": "b"}}, "paths": []},
        ],
    }


@pytest.mark.parametrize(
    ("counts", "identical"),
    [(Counts(a=1, b=1, same=1), True), (Counts(a=1, missing=1), False), (Counts(moving=1), None)],
)
def test_a_program_can_tell_what_could_not_be_said(counts: Counts, identical: bool | None) -> None:
    assert report.as_json(made(counts))["identical"] is identical


def test_half_of_a_surrogate_pair_is_still_json() -> None:
    said = _json(made(Counts(missing=1), Shown("missing", b'{"id":{"S":"\\ud800"}}')))
    assert json.loads(said)["differences"][0]["key"] == {"id": {"S": "\ud800"}}
    said.encode()


def test_several_comparisons_have_a_last_line() -> None:
    assert report.overall({"a": 0, "b": 0}) == "2 pairs: 2 the same"
    assert report.overall({"a": 0, "b": 1, "c": 2, "d": 1}) == (
        "4 pairs: 1 the same, 2 different (b, d), 1 could not be said (c)"
    )
