"""Whenever a run dies: what it has raised is put back by the next run, or by the command."""

from __future__ import annotations

import logging
import string
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.notes import OWN, Note
from dynamodb_core.warm_up import WarmUp
from dynamodb_core.warmth import Warmth
from tests.engines.warmed import Crash, WarmedTable

LOG = logging.getLogger("test.property.warm_up")
LOG.disabled = True
NAMES = ("by_day", "by_shop")
units = st.tuples(st.integers(1, 50), st.integers(1, 50))
tables = st.tuples(units, st.dictionaries(st.sampled_from(NAMES), units)).map(
    lambda both: {OWN: both[0], **both[1]}
)
warm_ups = st.one_of(
    st.just(WarmUp("on_demand")),
    st.builds(
        WarmUp,
        st.just("provisioned"),
        read=st.integers(1, 100),
        write=st.none() | st.integers(1, 100),
    ),
)
names = st.text(string.ascii_letters + string.digits + "_.-", min_size=3, max_size=255)


def run(service: WarmedTable, asked: WarmUp, dies_after: int | None) -> None:
    """Warm up and put back; perhaps die on the way."""
    made = Warmth(service.wire, LOG, sleep=lambda _seconds: None)
    service.crash_after = dies_after
    try:
        made.up(service.table, asked)
        made.down()
    except Crash:
        pass
    finally:
        service.crash_after = None


@given(tables, st.lists(st.tuples(warm_ups, st.integers(0, 16)), max_size=3), st.none() | warm_ups)
def test_however_often_runs_die_the_table_has_at_last_what_it_had(
    before: dict[str, Any], dying: list[tuple[WarmUp, int]], last: WarmUp | None
) -> None:
    service = WarmedTable(before)
    for asked, dies_after in dying:
        possible = asked if service.billing == "PROVISIONED" else WarmUp("on_demand")
        run(service, possible, dies_after)
    if last is None or service.billing != "PROVISIONED":
        Warmth(service.wire, LOG, sleep=lambda _seconds: None).restore("t")
    else:
        run(service, last, None)
    assert (service.billing, service.units) == ("PROVISIONED", before)
    assert service.tags == {}


@given(
    st.dictionaries(st.just(OWN) | names, st.lists(units, min_size=1).map(tuple), min_size=1),
    st.sampled_from(["provisioned", "on_demand"]),
)
def test_a_note_is_read_as_it_was_written(places: dict[str, Any], method: str) -> None:
    note = Note(
        method,
        {name: each[0] for name, each in places.items()},
        {name: each[1:] for name, each in places.items() if each[1:]},
    )
    assert Note.parse(str(note)) == note
