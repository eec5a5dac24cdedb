"""A file of differences goes through `dynamodb-tools repair` into target-dynamodb, and puts B right."""

from __future__ import annotations

import json
import sys
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

from demo.compare import compare_tables
from demo.items import SHAPES, tricky
from dynamodb_core.table import Table
from dynamodb_tools.differences_file import DifferencesFile
from dynamodb_tools.differing import differences
from tests.engines import pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from demo.items import Shape
    from demo.wire import Item
    from tests.engines.pipeline import Ended
    from tests.engines.tables import Tables

by_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.table)


@dataclass(frozen=True)
class Pair:
    """Two tables with differences of every kind, and the keys of each kind."""

    tables: Tables
    a: str
    b: str
    missing: list[Item]
    differing: list[tuple[Item, Item]]
    extra: list[Item]

    @property
    def said(self) -> str:
        """How they differ; by the demo's comparison, which shares no code with ours."""
        wire = self.tables.wire
        return str(compare_tables(wire, self.a, wire, self.b))

    @property
    def same(self) -> bool:
        """Whether they hold the same items."""
        return self.said.startswith("identical")

    def of_b(self) -> list[Item]:
        return self.tables.items(self.b)

    def described(self, name: str) -> Table:
        return Table.from_description(self.tables.wire.describe(name))

    def write(self, path: Path) -> Path:
        """Write their differences as the comparison does."""
        a, b = self.described(self.a), self.described(self.b)
        with DifferencesFile(path) as file, file.pair(a, b):
            for item in self.missing:
                file.write("missing", key_of(item, a), item)
            for item, other in self.differing:
                file.write("differs", key_of(item, a), item, differences(item, other))
            for item in self.extra:
                file.write("extra", key_of(item, a))
        return path


def key_of(item: Item, table: Table) -> bytes:
    return json.dumps({name: item[name] for name in table.key.names}).encode()


def pair(tables: Tables, shape: Shape, label: str = "dev-users") -> Pair:
    """Make two tables: of every four hard items B lacks one, has one otherwise, and has one alone."""
    items = [item for _, item in tricky(shape)]
    missing, changed, extra, _ = (items[start::4] for start in range(4))
    names = {name for name, _ in shape.key}
    others = [
        {**{n: v for n, v in item.items() if n in names}, "other": {"NS": ["1", "2.5"]}}
        for item in changed
    ]
    in_a = [item for item in items if item not in extra]
    in_b = [item for item in items if item not in missing and item not in changed] + others
    assert missing
    assert changed
    assert extra
    a, b = (tables.create(each, key=shape.key, label=label) for each in (in_a, in_b))
    two = Pair(tables, a, b, missing, list(zip(changed, others, strict=True)), extra)
    assert not two.same
    return two


@pytest.fixture
def two(tables: Tables) -> Pair:
    return pair(tables, SHAPES[0])


def repaired(path: Path, *options: str) -> Ended:
    return pipeline.run([sys.executable, "-m", "dynamodb_tools", "repair", str(path), *options])


def loaded(pair: Pair, data: str | bytes, folder: Path, **config: Any) -> Ended:
    config = {**pair.tables.engine.config(), "table_name": pair.b, **config}
    return pipeline.run(pipeline.command("target_dynamodb", config, folder), data)


@by_shape
def test_a_repair_with_deletions_makes_b_what_a_is(
    tables: Tables, shape: Shape, tmp_path: Path
) -> None:
    two = pair(tables, shape)
    ended = repaired(two.write(tmp_path / "differences.jsonl"), "--deletes")
    assert ended.code == 0, ended.err
    puts = len(two.missing) + len(two.differing)
    assert f"{puts:,} items to put, {len(two.extra):,} items to delete" in ended.err
    done = loaded(two, ended.out, tmp_path)
    assert done.code == 0, done.err
    assert two.same, two.said
    (counted,) = done.states[-1]["compared"]
    assert (counted["stream"], counted["a"]) == (two.a.replace("-", "_"), two.described(two.a).arn)
    assert (counted["missing"], counted["extra"]) == (len(two.missing), len(two.extra))


@by_shape
def test_what_compare_finds_is_repaired(tables: Tables, shape: Shape, tmp_path: Path) -> None:
    two = pair(tables, shape)
    path = tmp_path / "differences.jsonl"
    settings = {**tables.engine.config(), "work_folder": str(tmp_path / "work")}

    def compared() -> Ended:
        line = pipeline.command("dynamodb_tools", settings, tmp_path)
        more = [two.a, two.b, "--output", str(path)]
        return pipeline.run([*line[:3], "compare", *line[3:], *more])

    found = compared()
    assert found.code == 1, found.err
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    kinds = Counter(line["difference"]["kind"] for line in lines if "difference" in line)
    assert kinds == {
        "missing": len(two.missing),
        "differs": len(two.differing),
        "extra": len(two.extra),
    }
    done = loaded(two, repaired(path, "--deletes").out, tmp_path)
    assert done.code == 0, done.err
    assert two.same, two.said
    again = compared()
    assert again.code == 0, again.err
    assert [json.loads(line)["type"] for line in path.read_bytes().splitlines()] == [
        "SCHEMA",
        "STATE",
    ]


def test_the_file_itself_loads_and_deletes_nothing(tables: Tables, tmp_path: Path) -> None:
    two = pair(tables, SHAPES[1])
    data = two.write(tmp_path / "differences.jsonl").read_bytes()
    before = len(two.of_b())
    done = loaded(two, data, tmp_path)
    assert done.code == 0, done.err
    assert len(two.of_b()) == before + len(two.missing)
    wire = two.tables.wire
    for item in two.extra:
        wire.call("DeleteItem", {"TableName": two.b, "Key": {"id": item["id"]}})
    assert two.same, two.said


def test_without_deletions_the_repair_leaves_what_b_alone_has(two: Pair, tmp_path: Path) -> None:
    ended = repaired(two.write(tmp_path / "differences.jsonl"))
    assert f"{len(two.extra):,} items that B alone has left there: --deletes" in ended.err
    before = len(two.of_b())
    done = loaded(two, ended.out, tmp_path)
    assert done.code == 0, done.err
    assert "EXTRA" not in done.err
    assert len(two.of_b()) == before + len(two.missing)


@pytest.mark.parametrize("processes", [1, 2])
def test_stream_maps_and_processes_do_not_matter(two: Pair, tmp_path: Path, processes: int) -> None:
    """A stream map sends each record through the SDK."""
    ended = repaired(two.write(tmp_path / "differences.jsonl"), "--deletes")
    stream = two.a.replace("-", "_")
    maps = {stream: {"__filter__": "1 == 1"}} if processes == 1 else {}
    done = loaded(two, ended.out, tmp_path, processes=processes, stream_maps=maps)
    assert done.code == 0, done.err
    assert two.same, two.said


@pytest.mark.parametrize("options", [(), ("--deletes",)])
def test_the_target_refuses_to_write_table_a(
    two: Pair, tmp_path: Path, options: tuple[str, ...]
) -> None:
    path = two.write(tmp_path / "differences.jsonl")
    before = two.tables.items(two.a)
    for data in (path.read_bytes(), repaired(path, *options).out):
        refused = loaded(two, data, tmp_path, table_name=two.a)
        assert refused.code == 1
        assert "allow_same_table" in refused.errors[-1]
    assert two.tables.items(two.a) == before


def test_a_file_that_is_cut_off_is_refused_before_anything_is_written(
    two: Pair, tmp_path: Path
) -> None:
    path = two.write(tmp_path / "differences.jsonl")
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:10]))
    ended = repaired(path, "--deletes")
    assert (ended.code, ended.out) == (1, "")
    assert "cut off" in ended.errors[-1]


def test_several_pairs_are_repaired_by_one_file(tables: Tables, tmp_path: Path) -> None:
    pairs = [pair(tables, shape, label=shape.table) for shape in SHAPES[1:3]]
    path = tmp_path / "differences.jsonl"
    with DifferencesFile(path) as file:
        for each in pairs:
            a, b = each.described(each.a), each.described(each.b)
            with file.pair(a, b):
                for item in (*each.missing, *(item for item, _ in each.differing)):
                    file.write("missing", key_of(item, a), item)
                for item in each.extra:
                    file.write("extra", key_of(item, a))
    ended = repaired(path, "--deletes")
    names = {each.a: each.b for each in pairs}
    done = loaded(pairs[0], ended.out, tmp_path, table_name="{table}", table_names=names)
    assert done.code == 0, done.err
    assert all(each.same for each in pairs)
    assert len(done.states[-1]["compared"]) == 2
