"""`meltano run` from the stub: by lines and by BATCH, into a sink that does nothing and into the stub.

Runs of millions: not for CI. What Meltano takes to begin and to end is measured by a run over no items,
and left out.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from benchmarks.compare import Subject, compare
from benchmarks.measure import ROOT, BenchmarkError, median, run
from demo import guard
from tests.engines import stub
from tests.engines.pages import Pages

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.client import Bench
    from benchmarks.compare import Row
    from benchmarks.measure import Taken
    from tests.engines.stub import Stub

MIX = "flat"
BIN = Path(sys.executable).parent
LINES, BATCH = "tap-dynamodb", "tap-dynamodb-batch"
NOTHING, TARGET = "target-nothing", "target-dynamodb"


@dataclass(frozen=True)
class Project:
    """A Meltano project over a stub.

    Attributes:
        folder: Where it lies.
        source: The stub.
    """

    folder: Path
    source: Stub

    def write(self) -> None:
        """Write meltano.yml: our own plugins as they are installed here, and a sink for nothing."""
        plugins = YAML(typ="safe").load(ROOT / "meltano.yml")["plugins"]
        for plugin in (*plugins["extractors"], *plugins["loaders"]):
            if plugin.pop("pip_url", None):
                plugin["executable"] = str(BIN / plugin["name"])
        sink = self.folder / NOTHING
        sink.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m benchmarks.baselines.nothing\n")
        sink.chmod(0o755)
        nothing = {"name": NOTHING, "namespace": "target_nothing", "executable": str(sink)}
        plugins["loaders"].append(nothing)
        project = {
            "environments": [{"name": "dev"}],
            "default_environment": "dev",
            "send_anonymous_usage_stats": False,
            "plugins": plugins,
        }
        (self.folder / "meltano.yml").write_text(json.dumps(project))

    def run(self, tap: str, target: str, settings: Mapping[str, Any], *, cores: str = "") -> Taken:
        """Move the stub's table once, on some cores only if they are named."""
        pinned = ["taskset", "--cpu-list", cores] if cores else []
        return run(
            [*pinned, str(BIN / "meltano"), "run", "--full-refresh", tap, target],
            self.folder,
            environment=self._environment(settings),
        )

    def _environment(self, settings: Mapping[str, Any]) -> dict[str, str]:
        engine: dict[str, str] = {}
        for name, value in self.source.config().items():
            for plugin in ("TAP_DYNAMODB", "TAP_DYNAMODB_BATCH", "TARGET_DYNAMODB"):
                engine[f"{plugin}_{name.upper()}"] = value
        for plugin in ("TAP_DYNAMODB", "TAP_DYNAMODB_BATCH"):
            engine[f"{plugin}_TABLES"] = json.dumps([self.source.table])
        more = {name: str(value) for name, value in settings.items()}
        return {
            **{n: v for n, v in guard.environment().items() if not n.startswith("MELTANO_")},
            **engine,
            "TARGET_DYNAMODB_TABLE_NAME": stub.SINK,
            "MELTANO_PROJECT_ROOT": str(self.folder),
            "MELTANO_DATABASE_URI": f"sqlite:///{self.folder / 'meltano.db'}",
            "XDG_STATE_HOME": str(self.folder / "logs"),
            "PYTHONPATH": str(ROOT),
            "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR", str(ROOT / ".uv" / "cache")),
            **more,
        }


def wholes(bench: Bench) -> list[Row]:
    """Move a table through `meltano run` in several ways; lines into nothing are the baseline."""
    rounds = bench.scale.rounds
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "BATCH into nothing": (BATCH, NOTHING, {}),
        "BATCH into BatchWriteItem": (BATCH, TARGET, {}),
        "BATCH into BatchWriteItem, one core": (BATCH, TARGET, {}),
        "lines into BatchWriteItem": (LINES, TARGET, {}),
        "lines into nothing": (LINES, NOTHING, {}),
    }
    with stub.running(MIX, 0) as empty:
        project = _project(bench, empty, "empty")
        start_up = {
            name: median([project.run(*way, cores=cores(name)) for _ in range(rounds)])
            for name, way in ways.items()
        }
    with stub.running(MIX, bench.scale.whole_pages) as full:
        project = _project(bench, full, "full")
        items = Pages(MIX, full.pages).items
        subjects = [
            Subject(name, items, _moving(project, way, items, cores(name)), start_up[name])
            for name, way in ways.items()
        ]
        return compare(MIX, Pages(MIX, 1).item_bytes, subjects, rounds=rounds, say=bench.say)


def _project(bench: Bench, source: Stub, name: str) -> Project:
    folder = bench.folder / f"meltano-{name}"
    folder.mkdir()
    project = Project(folder, source)
    project.write()
    return project


def cores(name: str) -> str:
    """Return the cores on which a way runs, as `taskset` has them; empty for all."""
    return "0" if name.endswith("one core") else ""


def _moving(project: Project, way: tuple[str, str, dict[str, Any]], items: int, cores: str) -> Any:
    def once() -> Taken:
        before = project.source.counts()
        taken = project.run(*way, cores=cores)
        after = project.source.counts()
        counted = "items_written" if way[1] == TARGET else "items_read"
        moved = after[counted] - before[counted]
        if moved < items or (way[1] == TARGET and moved != items):
            raise BenchmarkError(f"{way[0]} and {way[1]} moved {moved} of {items} items")
        return taken

    return once
