"""Which exports can be read together, and in which order; what is refused names both sides."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from dynamodb_core.errors import ConfigError
from dynamodb_core.exports.chain import Stage, stages
from dynamodb_core.exports.kinds import Export, said
from tests.property.test_exports_chain import full, moment, window

if TYPE_CHECKING:
    from collections.abc import Sequence

PLAIN = Export("files", "legacy", False, "/some/files", "/some/files", ())


def names(found: Sequence[Stage]) -> list[str]:
    return [stage.export.location.removeprefix("s3://bucket/") for stage in found]


@pytest.mark.parametrize("one", [full(0), window(0, 5), PLAIN, replace(full(0), at=None)])
def test_one_export_is_read_whatever_it_is(one: Export) -> None:
    assert stages([one]) == [Stage(one)]


def test_none_is_none() -> None:
    assert stages([]) == []


@pytest.mark.parametrize(
    ("exports", "order", "left_out"),
    [
        ([window(10, 20), full(0), window(0, 10)], ["full-0", "0-10", "10-20"], {}),
        ([window(10, 20), window(0, 10)], ["0-10", "10-20"], {}),
        ([window(0, 10), full(10)], ["full-10"], {"0-10": "it ends before"}),
        ([window(0, 10), window(2, 8)], ["0-10"], {"2-8": "it is inside"}),
        ([window(0, 10), window(0, 12)], ["0-12"], {"0-10": "it is inside"}),
        ([window(0, 10), window(0, 10, "again")], ["0-10"], {"0-10again": "it is inside"}),
        ([full(0), window(0, 9), full(9)], ["full-0", "0-9"], {"full-9": "leads up to it"}),
        ([full(0), window(0, 9), full(5)], ["full-0", "0-9"], {"full-5": "leads up to it"}),
        ([full(0), replace(full(0), location="copy")], ["copy"], {"full-0": "so does"}),
    ],
)
def test_exports_are_read_in_the_order_of_time(
    exports: list[Export], order: list[str], left_out: dict[str, str]
) -> None:
    for given in (exports, exports[::-1]):
        why: list[tuple[Export, str]] = []
        found = stages(given, skipped=lambda *told, why=why: why.append(told))
        assert names(found) == order
        assert [stage.later for stage in found] == [None] * len(found)
        assert names([Stage(export) for export, _ in why]) == list(left_out)
        assert all(text in told for text, (_, told) in zip(left_out.values(), why, strict=True))


def test_of_windows_that_overlap_the_earlier_one_knows_the_later() -> None:
    found = stages([window(0, 10), full(0), window(5, 15), window(6, 9), window(15, 20)])
    assert names(found) == ["full-0", "0-10", "5-15", "15-20"]
    assert [stage.later for stage in found] == [None, window(5, 15), None, None]


@pytest.mark.parametrize(
    ("exports", "said_of_it"),
    [
        # A gap names the missing window, and what lies around it.
        ([window(0, 10), window(11, 20)], [said(moment(10)), said(moment(11)), "0-10", "11-20"]),
        ([full(0), window(1, 20)], [said(moment(0)), said(moment(1)), "is missing", "full-0"]),
        ([full(0), window(0, 5), window(6, 9)], [said(moment(5)), said(moment(6))]),
        # Lines of a full export say no times.
        ([full(5), window(4, 20)], [said(moment(4)), said(moment(5)), "before the time"]),
        ([full(5), window(5, 20), window(4, 6)], [said(moment(4)), said(moment(5)), "4-6"]),
        # Two full exports.
        ([full(0), full(9)], ["two full exports", "full-0", "full-9"]),
        ([full(0), full(9), window(9, 12)], ["two full exports", "full-0", "full-9"]),
        ([full(0), full(9), window(0, 8)], ["two full exports", "full-0", "full-9"]),
        # Other tables.
        (
            [
                replace(full(0), table_arn="arn:1"),
                full(0),
                replace(window(0, 5), table_arn="arn:2"),
            ],
            ["full-0", "0-5", "arn:1", "arn:2"],
        ),
        (
            [replace(full(0), table_id="made"), replace(window(0, 5), table_id="made anew")],
            ["full-0", "0-5", "made anew"],
        ),
        # Nothing says when.
        ([PLAIN, full(0)], ["/some/files", "full-0", "which time"]),
        ([PLAIN, PLAIN], ["/some/files", "which time"]),
        ([replace(full(0), at=None), window(0, 5)], ["full-0", "0-5", "which time"]),
        ([replace(window(0, 5), since=None), full(0)], ["0-5", "full-0", "which time"]),
    ],
)
def test_what_cannot_be_read_together_is_refused(
    exports: list[Export], said_of_it: list[str]
) -> None:
    for given in (exports, exports[::-1]):
        with pytest.raises(ConfigError) as refused:
            stages(given)
        for text in said_of_it:
            assert text in str(refused.value)
