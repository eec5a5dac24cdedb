"""BATCH files by the real command: what is in them, who may read them, what waits, what is left behind."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.inbox import Inbox
from dynamodb_core.spool import ENDED, MARK
from tests.engines import batches, pipeline
from tests.engines.recorded import RecordedWire
from tests.engines.tap import COMMAND, PATIENCE, Command, Output, parse, sync

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.engines.tables import Tables

IMPATIENT = """
from tap_dynamodb import outbox
outbox.SAY_SECONDS = 0.0
from tap_dynamodb.__main__ import main
main()
"""
"""The tap, that says at once what it waits for."""

COUNT, SEGMENTS, WORKERS = 1200, 32, 2
PENDING = 300_000
ONE_FILE = 250_000
"""More than a segment has; none is as large as a page."""

processes = pytest.mark.parametrize("processes", [1, 2], ids=["one process", "two processes"])


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "batch"


@pytest.fixture
def command(tables: Tables, tmp_path: Path) -> Command:
    return Command(tmp_path, tables.engine.config())


@pytest.fixture
def table(tables: Tables) -> str:
    """A table of about 3.6 MB."""
    return tables.create(
        [{"id": {"S": f"{n:04}"}, "text": {"S": f"{n:04}" * 750}} for n in range(COUNT)]
    )


def config(table: str, root: Path, **more: Any) -> dict[str, Any]:
    asked = batches.config(root, {"format": "jsonl", "compression": "none"})
    return {
        "tables": [table],
        "segments": SEGMENTS,
        "scan_workers": WORKERS,
        "batch_pending_bytes": PENDING,
        **asked,
        **more,
    }


def files(root: Path) -> list[Path]:
    return list(root.glob("ferry-*/[!.]*"))


def said(output: Output) -> list[Path]:
    return [path for message in output.of("BATCH") for path in batches.files(message)]


def ids(output: Output) -> list[str]:
    return [record["id"] for record in batches.expanded(output).records()]


class Waiting:
    """A tap that waits, as nobody removes its files.

    Attributes:
        process: The process.
        bytes: What lay below the root when it said so.
    """

    def __init__(self, process: subprocess.Popen[bytes], root: Path) -> None:
        self.process = process
        assert process.stderr is not None
        assert any(b"Waiting for the loader" in line for line in process.stderr)
        self.bytes = sum(path.stat().st_size for path in root.glob("ferry-*/*"))

    def ended(self) -> tuple[Output, int]:
        out, err = self.process.communicate(timeout=PATIENCE)
        return Output(parse(out), err.decode()), self.process.returncode


@contextmanager
def waiting(command: Command, asked: dict[str, Any], root: Path) -> Iterator[Waiting]:
    arguments = command.arguments(asked)[len(COMMAND) :]
    with subprocess.Popen(
        [sys.executable, "-c", IMPATIENT, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        net = threading.Timer(PATIENCE, process.kill)
        net.start()
        try:
            yield Waiting(process, root)
        finally:
            net.cancel()
            process.kill()


def rest(command: Command, table: str, state: dict[str, Any]) -> list[str]:
    """Return the ids that a run brings that goes on from a state."""
    output = command(
        {"tables": [table], "segments": SEGMENTS, "scan_workers": WORKERS}, state=state
    )
    assert output.code == 0, output.log
    return [record["id"] for record in output.records()]


@processes
def test_the_files_hold_what_the_lines_would(
    command: Command, tables: Tables, root: Path, processes: int
) -> None:
    items: list[dict[str, Any]] = [
        {"id": {"S": f"{n:03}"}, "n": {"N": f"{n}.50"}, "data": {"B": "AAE="}} for n in range(300)
    ]
    items += [{"id": {"S": f"late{n}"}, f"late{n % 3}": {"SS": ["a", "b"]}} for n in range(9)]
    asked = {"tables": [tables.create(items)], "segments": 6, "sample_size": 5}
    lines = command(asked)
    told = command({**asked, **batches.config(root, batch_size=20), "processes": processes})
    assert (lines.code, told.code) == (0, 0), told.log
    assert not told.records()
    assert len(said(told)) == len(set(said(told))) >= 6
    found, expected = (
        sorted(json.dumps(record, default=str, sort_keys=True) for record in each.records())
        for each in (batches.expanded(told), lines)
    )
    assert found == expected
    batches.expanded(told).check()
    assert told.state["bookmarks"][asked["tables"][0]]["scan"] == []  # type: ignore[index]


@pytest.mark.parametrize(
    ("options", "distinct"),
    [({}, True), ({"index": "by_state"}, False), ({"query": {"id": ["1", "2"]}}, False)],
    ids=["table", "index", "query"],
)
def test_a_scan_of_the_table_itself_vouches_for_distinct_keys(
    tables: Tables, root: Path, options: dict[str, Any], distinct: object
) -> None:
    index = {
        "IndexName": "by_state",
        "KeySchema": [{"AttributeName": "state", "KeyType": "HASH"}],
        "Projection": {"ProjectionType": "ALL"},
    }
    attributes = [{"AttributeName": each, "AttributeType": "S"} for each in ("id", "state")]
    name = tables.create(
        [{"id": {"S": f"{n}"}, "state": {"S": "new"}} for n in range(9)],
        GlobalSecondaryIndexes=[index],
        AttributeDefinitions=attributes,
    )
    asked = {"tables": [name], "table_options": {name: options}, **batches.config(root)}
    output = sync(RecordedWire(tables.engine), asked)
    messages = output.of("BATCH")
    assert len(ids(output)) == (2 if "query" in options else 9)
    assert {message.get("distinct_keys", False) for message in messages} == {distinct}


def test_parquet_is_written_by_worker_processes_too(
    command: Command, table: str, root: Path
) -> None:
    parquet: Any = pytest.importorskip("pyarrow.parquet")
    asked = config(table, root, batch_pending_bytes=0, processes=2)
    output = command({**asked, **batches.config(root, {"format": "parquet"})})
    assert output.code == 0, output.log
    encoding = {"format": "parquet", "compression": "gzip"}
    assert all(message["encoding"] == encoding for message in output.of("BATCH"))
    rows = [row for path in said(output) for row in parquet.read_table(path).to_pylist()]
    assert sorted(row["id"] for row in rows) == [f"{n:04}" for n in range(COUNT)]
    assert all(row["text"] == row["id"] * 750 for row in rows)


def test_folders_and_files_are_for_their_user_alone(
    command: Command, table: str, root: Path
) -> None:
    before = os.umask(0)
    try:
        output = command(config(table, root, batch_pending_bytes=0))
    finally:
        os.umask(before)
    assert output.code == 0, output.log
    (folder,) = root.iterdir()
    assert {path.name for path in folder.iterdir()} == {
        *(MARK, ENDED),
        *(path.name for path in said(output)),
    }
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    assert {modes.pop(root), modes.pop(folder)} == {0o700}
    assert set(modes.values()) == {0o600}


@processes
def test_files_that_nobody_removes_are_few_and_the_tap_goes_on_when_they_are(
    command: Command, table: str, root: Path, processes: int
) -> None:
    with waiting(command, config(table, root, processes=processes), root) as tap:
        # Those that were said, and what each worker holds, and what lies ready for the parent.
        ahead = processes * (WORKERS + 3)
        assert PENDING < tap.bytes <= PENDING + ahead * ONE_FILE < COUNT * 3_000
        assert tap.process.stdout is not None
        records, inbox = 0, Inbox(root)
        for line in tap.process.stdout:
            (message,) = parse(line)
            if message["type"] == "BATCH":
                records += len(batches.records(message))
                for name in message["manifest"]:
                    inbox.remove(inbox.claim(name))
        inbox.close()
        assert tap.process.wait(PATIENCE) == 0
    assert records == COUNT
    assert not list(root.iterdir()), "the run has ended, and nothing is left of it"


@processes
def test_sigterm_while_it_waits_leaves_what_was_said_and_a_true_state(
    command: Command, table: str, root: Path, processes: int
) -> None:
    with waiting(command, config(table, root, processes=processes), root) as tap:
        tap.process.send_signal(signal.SIGTERM)
        output, code = tap.ended()
    assert code == 128 + signal.SIGTERM
    assert sorted(files(root)) == sorted(said(output))
    out = ids(output)
    assert 0 < len(out) < COUNT
    assert sorted(out + rest(command, table, output.state)) == [f"{n:04}" for n in range(COUNT)]


@processes
def test_what_a_killed_tap_has_left_is_swept_by_the_next(
    command: Command, table: str, root: Path, processes: int
) -> None:
    with waiting(command, config(table, root, processes=processes), root) as tap:
        tap.process.kill()
        output, code = tap.ended()
    assert code == -signal.SIGKILL
    (dead,) = root.iterdir()
    assert said(output)
    assert all(path.exists() for path in said(output))
    out = ids(output)
    again = command(config(table, root, batch_pending_bytes=0), state=output.state)
    assert again.code == 0, again.log
    assert f"Removed what earlier runs had left in {root}" in again.log
    assert not dead.exists()
    assert sorted(out + ids(again)) == [f"{n:04}" for n in range(COUNT)]


def test_a_loader_that_ends_while_it_is_waited_for_is_an_error(
    command: Command, table: str, root: Path
) -> None:
    with waiting(command, config(table, root), root) as tap:
        assert tap.process.stdout is not None
        assert tap.process.stderr is not None
        tap.process.stdout.close()
        log = tap.process.stderr.read().decode()
        assert tap.process.wait(PATIENCE) == 1
    assert "The target ended while there were records for it" in log
    assert "Traceback" not in log
    assert not list(root.iterdir()), "nobody will come for them"


@processes
def test_the_pair_moves_a_table_through_a_small_folder(
    tables: Tables, table: str, tmp_path: Path, root: Path, processes: int
) -> None:
    copy = tables.name("copy")
    asked = config(table, root, processes=processes)
    reads = pipeline.tap_config(tables.engine, **asked)
    writes = pipeline.target_config(tables.engine, table_name=copy, batch_root=str(root))
    tap = pipeline.command("tap_dynamodb", reads, tmp_path)
    target = pipeline.command("target_dynamodb", writes, tmp_path)
    with pipeline.Pipe(tap, target, tmp_path) as pipe:
        states = list(pipe.states())
        assert pipe.tap.wait() == 0, pipe.log("tap")
        assert pipe.target.wait() == 0, pipe.log("target")
    assert states[-1]["bookmarks"][table]["scan"] == []
    assert sorted(tables.items(copy), key=str) == sorted(tables.items(table), key=str)
    assert not list(root.iterdir())


def one_line(output: Output, *parts: str) -> None:
    assert output.code == 1
    assert "Traceback" not in output.log
    (line,) = output.errors
    for part in parts:
        assert part in line


@processes
def test_a_disk_that_is_full_is_an_error_in_one_line_and_no_state_claims_what_is_missing(
    table: str, tables: Tables, tmp_path: Path, root: Path, processes: int
) -> None:
    command = Command(tmp_path, tables.engine.config())
    most = 50_000  # half of what a segment has

    def limited() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))

    asked = config(table, root, batch_pending_bytes=0, processes=processes)
    done = run(command.arguments(asked), limited)
    output = Output(parse(done.stdout), done.stderr.decode(), done.returncode)
    one_line(output, "The file ", "cannot be written: File too large", "Make room there")
    assert not said(output)
    assert not files(root)
    states = output.of("STATE")
    assert all(
        not scan["finished"] and not scan["places"]
        for message in states
        for scan in message["value"]["bookmarks"][table]["scan"]
    )


def run(arguments: list[str], before: Callable[[], None]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        arguments, capture_output=True, timeout=PATIENCE, check=False, preexec_fn=before
    )


@pytest.mark.parametrize(
    ("folder", "why"),
    [
        ("/proc/batch", "cannot be used for files: No such file or directory"),
        ("{tmp}/file/below", "cannot be used for files: Not a directory"),
        ("{tmp}/shared", "other users may write to it"),
    ],
)
def test_a_folder_that_will_not_do_is_an_error_in_one_line(
    command: Command, table: str, tmp_path: Path, folder: str, why: str
) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o777)
    output = command(config(table, Path(folder.format(tmp=tmp_path))))
    one_line(output, folder.format(tmp=tmp_path), why, "Name a folder")
    assert not output.of("BATCH")
