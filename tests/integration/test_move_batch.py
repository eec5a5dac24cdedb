"""A table moves in files: every hard item, past the pipe between the two programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from demo.__main__ import plugin_environment
from demo.items import SHAPES
from tests.engines import batches, pipeline
from tests.integration.test_move import FORMATS, copied, filled

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables

pytestmark = pytest.mark.usefixtures("meltano_project")


def move(engine: Engine, folder: Path, names: list[str], **tap: Any) -> pipeline.Pipe:
    """Copy tables by files; a handful of items fills what may wait of them."""
    root = folder / "root"
    reads = {**batches.config(root, batch_size=100), "batch_pending_bytes": 100_000, **tap}
    tap_line = pipeline.command("tap_dynamodb", pipeline.tap_config(engine, names, **reads), folder)
    writes = pipeline.target_config(engine, batch_root=str(root), processes=2)
    target_line = pipeline.command("target_dynamodb", writes, folder)
    with pipeline.Pipe(tap_line, target_line, folder) as pipe:
        states = list(pipe.states())
        codes = (pipe.tap.wait(), pipe.target.wait())
    assert codes == (0, 0), pipe.log("tap") + pipe.log("target")
    assert states[-1] == {"bookmarks": {name: {"scan": []} for name in names}}
    assert not list(root.rglob("*.*")), "what was loaded is removed, and the folders of the run"
    return pipe


@pytest.mark.parametrize("item_format", FORMATS)
def test_every_hard_item_arrives_exactly(
    engine: Engine, tables: Tables, tmp_path: Path, item_format: str
) -> None:
    names = [filled(tables, shape) for shape in SHAPES]
    pipe = move(engine, tmp_path, names, item_format=item_format)
    for name in names:
        assert copied(tables, name).startswith("identical")
    assert "batch manifests" in pipe.log("target")
    assert " 0 batch manifests" not in pipe.log("target")


def test_every_hard_item_arrives_exactly_on_awss_own_engine(
    dynamodb_local: Engine, reference_tables: Tables, tmp_path: Path
) -> None:
    names = [filled(reference_tables, shape, ordinary=20) for shape in SHAPES]
    move(dynamodb_local, tmp_path, names)
    for name in names:
        assert copied(reference_tables, name).startswith("identical")


def test_ordinary_items_arrive_by_parquet(engine: Engine, tables: Tables, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    items: list[dict[str, Any]] = [
        {
            "id": {"S": f"{n}"},
            "n": {"N": f"{n}.5"},
            "whole": {"N": f"{n}"},
            "flag": {"BOOL": n % 2 == 0},
            "b": {"B": "AAEC"},
            "map": {"M": {"x": {"L": [{"N": "1"}, {"S": "y"}, {"NULL": True}]}}},
            "set": {"SS": ["a", "b"]},
            **({"odd": {"NS": ["1", "2.5"]}} if n % 7 == 0 else {}),
        }
        for n in range(200)
    ]
    name = tables.create(items)
    tables.name(f"{name}_copy")
    config = batches.config(tmp_path / "root", {"format": "parquet", "compression": "gzip"})
    move(engine, tmp_path, [name], **config)
    assert copied(tables, name).startswith("identical")


def test_every_hard_item_arrives_exactly_through_meltano(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    names = [filled(tables, SHAPES[0]), filled(tables, SHAPES[1])]
    environment = plugin_environment(engine, names, tmp_path)
    environment["TARGET_DYNAMODB_PROCESSES"] = "2"
    done = pipeline.meltano(environment, "run", "tap-dynamodb-batch", "target-dynamodb")
    assert done.code == 0, done.err
    for name in names:
        assert copied(tables, name).startswith("identical")
    assert "batch manifests" in done.err
    assert " 0 batch manifests" not in done.err
