"""`make demo`: tables of hard items move through `meltano run` and are compared, item by item."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from demo import engine, guard, load
from demo.compare import compare_tables
from demo.items import SHAPES
from demo.server import EngineError
from demo.wire import Wire

if TYPE_CHECKING:
    from types import FrameType

ORDINARY = 20_000
COPY = "{table}_copy"
PLUGINS = ("tap-dynamodb", "target-dynamodb", "dynamodb-tools:compare")


def plugin_environment(running: engine.Engine, tables: list[str], scratch: Path) -> dict[str, str]:
    """Return the environment of a `meltano run` that moves `tables` to their copies on an engine.

    Meltano's own database, with the state of the run, and its logs lie in the folder `scratch`.
    """
    own = ("MELTANO_", "TAP_DYNAMODB_", "TARGET_DYNAMODB_", "DYNAMODB_TOOLS_")
    environment = {name: v for name, v in guard.environment().items() if not name.startswith(own)}
    for name, value in running.config().items():
        environment[f"TAP_DYNAMODB_{name.upper()}"] = value
        environment[f"TARGET_DYNAMODB_{name.upper()}"] = value
        environment[f"DYNAMODB_TOOLS_{name.upper()}"] = value
    environment.update(
        UV_CACHE_DIR=os.environ.get("UV_CACHE_DIR", str(engine.ROOT / ".uv" / "cache")),
        XDG_STATE_HOME=str(scratch / "state"),  # Meltano's logs
        MELTANO_PROJECT_ROOT=str(engine.ROOT),
        MELTANO_DATABASE_URI=f"sqlite:///{scratch / 'meltano.db'}",
        TAP_DYNAMODB_TABLES=json.dumps(tables),
        TARGET_DYNAMODB_TABLE_NAME=COPY,
        DYNAMODB_TOOLS_TABLE_A=",".join(tables),
        DYNAMODB_TOOLS_TABLE_B=COPY,
        DYNAMODB_TOOLS_WORK_FOLDER=str(scratch / "compare"),
    )
    return environment


def meltano_run(environment: dict[str, str], *plugins: str) -> int:
    """Run plugins as a newcomer would, with what they say on the terminal; exit code."""
    meltano = Path(sys.executable).with_name("meltano")
    command = [str(meltano), "run", *plugins]
    with subprocess.Popen(command, cwd=engine.ROOT, env=environment) as process:
        try:
            return process.wait()
        finally:
            if process.poll() is None:
                process.terminate()


def compare(wire: Wire) -> bool:
    """Compare every table with its copy; say what came of it and whether all are identical."""
    total = 0
    for shape in SHAPES:
        name = shape.table
        comparison = compare_tables(wire, name, wire, COPY.format(table=name))
        total += comparison.source_count
        if not comparison.identical:
            print(f"{name}: {comparison}", flush=True)
            return False
        print(f"  {name} -> {COPY.format(table=name)}: {comparison.source_count:,} items, the same")
    print(f"identical: {total:,} items", flush=True)
    return True


def show() -> int:
    """Play the demo from beginning to end; return its exit code."""
    guard.enter()
    began = time.monotonic()
    step("1/4", "Starting an engine of our own on this machine (ministack; no AWS account is used)")
    with contextlib.ExitStack() as tidy:
        running = tidy.enter_context(engine.running())
        scratch = tidy.enter_context(tempfile.TemporaryDirectory())
        wire = tidy.enter_context(contextlib.closing(Wire.of(running)))
        step("2/4", f"Filling {len(SHAPES)} tables, one for each kind of key, with hard items")
        for shape in SHAPES:
            count = load.fill(wire, shape, ORDINARY if shape is SHAPES[0] else 0)
            key = ", ".join(f"{name} ({kind})" for name, kind in shape.key)
            print(f"  {shape.table}: {count:,} items, key: {key}", flush=True)
        words = " ".join(PLUGINS)
        step("3/4", f"Moving them, and proving it: meltano run {words}")
        tables = [shape.table for shape in SHAPES]
        code = meltano_run(plugin_environment(running, tables, Path(scratch)), *PLUGINS)
        if code != 0:
            print(f"meltano run failed with exit code {code}", flush=True)
            return 1
        step(
            "4/4",
            "Comparing them once more, over the raw wire, by code that shares nothing with it",
        )
        identical = compare(wire)
    print(f"Done in {time.monotonic() - began:.0f} s; the engine is stopped.", flush=True)
    return 0 if identical else 1


def step(number: str, words: str) -> None:
    """Tell the person at the terminal what happens now."""
    print(f"\n[{number}] {words}", flush=True)


def _end(signum: int, _frame: FrameType | None) -> None:
    sys.exit(128 + signum)  # by way of the with blocks, which stop the engine


if __name__ == "__main__":
    for signum in (signal.SIGINT, signal.SIGTERM):
        signal.signal(signum, _end)
    try:
        sys.exit(show())
    except EngineError as error:
        sys.exit(f"error: {error}")
