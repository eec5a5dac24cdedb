"""A run that writes BATCH files: STATE, signals, what waits, what is left, in one process."""

from __future__ import annotations

import contextlib
import io
import signal
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import Error
from dynamodb_core.spool import MARK
from tap_dynamodb import read_loop
from tap_dynamodb.emit import Emitter
from tests.engines import batches
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import Output, make, parse, sync

if TYPE_CHECKING:
    from pathlib import Path

    from tap_dynamodb.tap import TapDynamoDB

ITEMS = [
    {"id": {"S": f"{n:02}"}, "n": {"N": str(n)}, **({"late": {"S": "x"}} if n in (17, 30) else {})}
    for n in range(40)
]
IDS = {item["id"]["S"] for item in ITEMS}
CONFIG = {"tables": ["t"], "segments": 3, "scan_workers": 2, "sample_size": 4}
ROADS: list[dict[str, Any]] = [{}, {"stream_maps": {"t": {"twice": "id + id"}}}]
both = pytest.mark.parametrize("road", ROADS, ids=["fast road", "the SDK's road"])


def account(**more: Any) -> Account:
    return Account({"t": ScannedTable(ITEMS, page=3)}, **more)


def ids(output: Output) -> list[str]:
    return [record["id"] for record in batches.expanded(output).records()]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "batch"


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a STATE follow every block."""
    monkeypatch.setattr(read_loop, "STATE_SECONDS", 0)
    monkeypatch.setattr(read_loop, "FILE_SECONDS", 0)


@both
@pytest.mark.usefixtures("eager")
def test_from_every_state_on_nothing_is_missing(road: dict[str, Any], root: Path) -> None:
    output = sync(account().wire, {**CONFIG, **road, **batches.config(root, batch_size=5)})
    assert sorted(ids(output)) == sorted(IDS)
    states = [at for at, message in enumerate(output.messages) if message["type"] == "STATE"]
    assert len(states) > 4
    whole = 0
    for at in states[:-1]:
        out = set(ids(Output(output.messages[:at])))
        rest = sync(account().wire, {**CONFIG, **road}, state=output.messages[at]["value"])
        assert out | set(ids(rest)) == IDS
        whole += len(out) + len(rest.records()) == len(IDS)
    assert whole == len(states) - 1, "nor is anything there twice"


@pytest.mark.usefixtures("eager")
def test_a_schema_comes_before_the_files_that_need_it(root: Path) -> None:
    output = sync(account().wire, {**CONFIG, **batches.config(root, batch_size=5)})
    known: set[str] = set()
    for message in output.messages:
        if message["type"] == "SCHEMA":
            known |= message["schema"]["properties"].keys()
        for record in batches.records(message) if message["type"] == "BATCH" else ():
            assert record.keys() <= known
    assert "late" in known


def test_an_incremental_read_has_its_bookmark_from_every_page_of_a_file(root: Path) -> None:
    dated = [{"id": {"S": f"{n}"}, "at": {"S": f"2026-01-{n + 1:02}T00:00:00Z"}} for n in range(20)]
    config = {**CONFIG, "table_options": {"t": {"replication_key": "at"}}}
    made = [
        sync(Account({"t": ScannedTable(dated, page=3)}).wire, {**config, **more})
        for more in ({}, batches.config(root))
    ]
    plain, files = ({**run.state["bookmarks"]["t"], "scan": None} for run in made)
    assert plain == files
    assert plain["incremental"]


@both
def test_versions_and_distinct_keys_are_said(road: dict[str, Any], root: Path) -> None:
    config = {**CONFIG, **road, **batches.config(root), "emit_activate_version_messages": True}
    output = sync(account().wire, config)
    (activated,) = output.of("ACTIVATE_VERSION")
    said = output.of("BATCH")
    assert {message["version"] for message in said} == {activated["version"]}
    assert {message.get("distinct_keys", False) for message in said} == {not road}


@pytest.mark.parametrize(
    ("more", "distinct"),
    [
        ({}, True),
        ({"flattening_enabled": True, "flattening_max_depth": 1}, True),
        ({"segment_range": "0-1"}, True),
        ({"item_format": "packed"}, True),
        ({"stream_maps": {"t": {"id": "'same'"}}}, False),
        ({"stream_maps": {"t": {"__key_properties__": ["n"]}}}, False),
    ],
)
def test_distinct_keys_are_vouched_for_where_the_table_vouches_for_them(
    more: dict[str, Any], distinct: object, root: Path
) -> None:
    output = sync(account().wire, {**CONFIG, **batches.config(root), **more})
    assert output.of("BATCH")
    assert {message.get("distinct_keys", False) for message in output.of("BATCH")} == {distinct}


def test_distinct_keys_are_not_vouched_for_where_a_catalog_names_another_key(root: Path) -> None:
    config = {**CONFIG, **batches.config(root)}
    catalog = make(account().wire, config).catalog_dict
    catalog["streams"][0]["key_properties"] = ["n"]
    output = sync(account().wire, config, catalog=catalog)
    assert output.of("SCHEMA")[0]["key_properties"] == ["n"]
    assert output.of("BATCH")
    assert not any("distinct_keys" in message for message in output.of("BATCH"))


def test_a_run_that_asks_for_files_and_has_none_to_write(root: Path) -> None:
    output = sync(Account({"t": ScannedTable([])}).wire, {**CONFIG, **batches.config(root)})
    assert [message["type"] for message in output.messages] == ["SCHEMA", "STATE", "STATE"]
    assert not list(root.iterdir())


def test_what_was_read_is_left_for_the_loader(root: Path) -> None:
    two = Account({"t": ScannedTable(ITEMS), "u": ScannedTable(ITEMS)})
    output = sync(two.wire, {**CONFIG, "tables": ["t", "u"], **batches.config(root)})
    (folder,) = root.iterdir()
    assert {path.name for path in folder.iterdir()} == {
        *(MARK, ".ended"),
        *(path.name for message in output.of("BATCH") for path in batches.files(message)),
    }
    assert {message["stream"] for message in output.of("BATCH")} == {"t", "u"}


def test_discovery_and_a_test_of_the_connection_make_no_folder(root: Path) -> None:
    tap = make(account().wire, {**CONFIG, **batches.config(root)})
    tap.run_connection_test()
    assert not root.exists()


def test_metrics_count_records_and_messages(root: Path) -> None:
    output = sync(account().wire, {**CONFIG, **batches.config(root, batch_size=5)})
    assert '"metric":"record_count","value":40' in output.log
    assert f'"metric":"batch_count","value":{len(output.of("BATCH"))}' in output.log


# Errors and signals


def stopped(tap: TapDynamoDB) -> tuple[bytes, Any]:
    """Sync until a signal ends it; return what was written and the exit code."""
    raw = io.BytesIO()
    out = io.TextIOWrapper(raw)
    with contextlib.redirect_stdout(out), pytest.raises(SystemExit) as left:
        tap.sync_all()
    return raw.getvalue(), left.value.code


@both
@pytest.mark.usefixtures("eager")
def test_an_error_leaves_what_was_said_and_a_state_that_is_true(
    road: dict[str, Any], root: Path
) -> None:
    here = account()
    calls = []

    def fifth(operation: str, request: dict[str, Any]) -> None:
        calls.append(operation)
        if calls.count("Scan") > 12:
            raise Error("the line is dead")

    here.before = fifth
    config = {**CONFIG, **road}
    asked = batches.config(root, batch_size=2)
    output = sync(here.wire, {**config, **asked}, fails=Error)
    out = ids(output)
    assert out
    assert len(out) < 40
    rest = sync(account().wire, config, state=output.state)
    assert sorted(out + ids(rest)) == sorted(IDS)


@both
def test_a_signal_ends_with_a_state_that_is_true(road: dict[str, Any], root: Path) -> None:
    here = account()
    config = {**CONFIG, **road, "scan_workers": 1}
    tap = make(here.wire, {**config, **batches.config(root, batch_size=2)})
    scans = []

    def eighth(operation: str, request: dict[str, Any]) -> None:
        scans.append(operation)
        if len(scans) == 8:
            tap._handle_termination(signal.SIGTERM, None)

    here.before = eighth
    raw, left = stopped(tap)
    assert left == 128 + signal.SIGTERM
    output = Output(parse(raw))
    assert output.messages[-1]["type"] == "STATE"
    out = ids(output)
    assert 0 < len(out) < 40
    rest = sync(account().wire, config, state=output.state)
    assert sorted(out + ids(rest)) == sorted(IDS)
    said = {path for message in output.of("BATCH") for path in batches.files(message)}
    assert tap.outbox is not None
    tap.outbox.abandon()  # as the process would at its end
    assert set(root.glob("ferry-*/[!.]*")) == said


# What waits for the loader

LONG = [{"id": {"S": f"{n:03}"}, "text": {"S": f"{n:03}" * 1000}} for n in range(300)]


class Loader:
    """A reader of stdout that removes a file only when the tap waits for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[Path] = []
        self.most = 0
        self.waits = 0

    def files(self) -> list[Path]:
        return list(self.root.glob("ferry-*/[!.]*"))

    def look(self) -> None:
        self.most = max(self.most, sum(path.stat().st_size for path in self.files()))

    def wait(self, seconds: float) -> None:
        self.waits += 1
        self.look()
        self.said.pop(0).unlink()


@pytest.fixture
def loader(root: Path, monkeypatch: pytest.MonkeyPatch) -> Loader:
    here = Loader(root)
    write_object = Emitter.write_object

    def written(self: Emitter, message: dict[str, Any]) -> None:
        here.said += batches.files(message)
        write_object(self, message)

    monkeypatch.setattr(Emitter, "write_object", written)
    monkeypatch.setattr(Emitter, "wait", lambda _self, seconds: here.wait(seconds))
    return here


PENDING = 100_000
ONE_FILE = 2 * 10 * 3_030
"""A file of up to 10 records of 3 kB ends with a page, that may have 10 more."""


@both
def test_files_that_nobody_removes_stay_within_their_bound(
    road: dict[str, Any], root: Path, loader: Loader
) -> None:
    asked = batches.config(root, {"compression": "none"}, batch_size=10)
    config = {"tables": ["t"], "segments": 4, "scan_workers": 3, **asked, **road}
    table = ScannedTable(LONG, page=10)
    output = sync(Account({"t": table}).wire, {**config, "batch_pending_bytes": PENDING})
    loader.look()
    assert sum(path.stat().st_size for path in loader.files()) <= PENDING + ONE_FILE
    assert loader.waits > 20
    # What is said, a file that each worker holds, and those that lie ready for the parent.
    assert PENDING < loader.most <= PENDING + (3 + 2 + 1) * ONE_FILE
    assert len(output.of("BATCH")) >= 15
    assert output.state["bookmarks"]["t"]["scan"] == []


def test_before_it_waits_the_state_is_out(
    root: Path, loader: Loader, monkeypatch: pytest.MonkeyPatch
) -> None:
    raw = io.BytesIO()
    kinds: list[str] = []

    def wait(_self: Emitter, seconds: float) -> None:
        kinds.append(parse(raw.getvalue())[-1]["type"])
        loader.wait(seconds)

    monkeypatch.setattr(Emitter, "wait", wait)
    asked = batches.config(root, {"compression": "none"}, batch_size=10)
    config = {"tables": ["t"], "batch_pending_bytes": PENDING, **asked}
    tap = make(Account({"t": ScannedTable(LONG, page=10)}).wire, config)
    out = io.TextIOWrapper(raw)
    with contextlib.redirect_stdout(out):
        tap.sync_all()
    assert len(kinds) > 5
    assert set(kinds) == {"STATE"}


def test_zero_waits_for_nobody(root: Path, loader: Loader) -> None:
    asked = batches.config(root, {"compression": "none"}, batch_size=10)
    config = {"tables": ["t"], **asked, "batch_pending_bytes": 0}
    sync(Account({"t": ScannedTable(LONG, page=10)}).wire, config)
    assert loader.waits == 0
    assert sum(path.stat().st_size for path in loader.files()) > 900_000


def test_a_signal_ends_the_wait(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = batches.config(root, {"compression": "none"}, batch_size=10)
    config = {"tables": ["t"], **asked, "batch_pending_bytes": PENDING}
    tap = make(Account({"t": ScannedTable(LONG, page=10)}).wire, config)
    monkeypatch.setattr(
        Emitter, "wait", lambda _self, _seconds: tap._handle_termination(signal.SIGINT, None)
    )
    raw, left = stopped(tap)
    assert left == 128 + signal.SIGINT
    assert parse(raw)[-1]["type"] == "STATE"
