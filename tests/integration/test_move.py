"""A table moves: every hard item, through the command lines and through Meltano."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from demo import load
from demo.__main__ import plugin_environment
from demo.compare import compare_tables
from demo.items import SHAPES, Shape
from demo.wire import Wire
from tests.engines import pipeline

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables

pytestmark = pytest.mark.usefixtures("meltano_project")

FORMATS = ("plain", "packed", "dynamodb_json")


def filled(tables: Tables, shape: Shape, ordinary: int = 300) -> str:
    name = tables.name(shape.table)
    tables.name(f"{name}_copy")
    own = Shape(name, shape.key, shape.values)
    load.fill(tables.wire, own, ordinary)
    return name


def copied(tables: Tables, name: str, copy: str | None = None) -> str:
    return str(compare_tables(tables.wire, name, tables.wire, copy or f"{name}_copy"))


@pytest.mark.parametrize("item_format", FORMATS)
@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.table)
def test_every_hard_item_arrives_exactly(
    engine: Engine, tables: Tables, tmp_path: Path, shape: Shape, item_format: str
) -> None:
    name = filled(tables, shape)
    tap = pipeline.command(
        "tap_dynamodb",
        pipeline.tap_config(engine, [name], item_format=item_format),
        tmp_path,
    )
    target = pipeline.command("target_dynamodb", pipeline.target_config(engine), tmp_path)
    with pipeline.Pipe(tap, target, tmp_path) as pipe:
        states = list(pipe.states())
        assert (pipe.tap.wait(), pipe.target.wait()) == (0, 0), pipe.log("tap") + pipe.log("target")
    assert states[-1] == {"bookmarks": {name: {"scan": []}}}
    assert copied(tables, name).startswith("identical")


@pytest.mark.parametrize("item_format", FORMATS)
def test_every_hard_item_arrives_exactly_on_awss_own_engine(
    dynamodb_local: Engine, reference_tables: Tables, tmp_path: Path, item_format: str
) -> None:
    for shape in SHAPES:
        name = filled(reference_tables, shape, ordinary=20)
        config = pipeline.tap_config(dynamodb_local, [name], item_format=item_format, sample_size=5)
        tap = pipeline.command("tap_dynamodb", config, tmp_path)
        target = pipeline.command(
            "target_dynamodb", pipeline.target_config(dynamodb_local), tmp_path
        )
        with pipeline.Pipe(tap, target, tmp_path) as pipe:
            list(pipe.states())
            assert (pipe.tap.wait(), pipe.target.wait()) == (0, 0), pipe.log("target")
        assert copied(reference_tables, name).startswith("identical")


def test_items_that_the_sample_never_saw_arrive_exactly(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    name = filled(tables, SHAPES[0])
    config = pipeline.tap_config(engine, [name], sample_size=0)
    tap = pipeline.command("tap_dynamodb", config, tmp_path)
    target = pipeline.command("target_dynamodb", pipeline.target_config(engine), tmp_path)
    with pipeline.Pipe(tap, target, tmp_path) as pipe:
        list(pipe.states())
        assert (pipe.tap.wait(), pipe.target.wait()) == (0, 0)
    assert copied(tables, name).startswith("identical")


@pytest.mark.parametrize("item_format", FORMATS)
def test_every_hard_item_arrives_exactly_through_meltano(
    engine: Engine, tables: Tables, tmp_path: Path, item_format: str
) -> None:
    names = [filled(tables, SHAPES[0]), filled(tables, SHAPES[1])]
    environment = plugin_environment(engine, names, tmp_path)
    environment["TAP_DYNAMODB_ITEM_FORMAT"] = item_format
    done = pipeline.meltano(environment, "run", "tap-dynamodb", "target-dynamodb")
    assert done.code == 0, done.err
    for name in names:
        assert copied(tables, name).startswith("identical")


def test_the_target_refuses_the_table_that_the_stream_came_from(
    engine: Engine, tables: Tables, tmp_path: Path
) -> None:
    name = filled(tables, SHAPES[0], ordinary=0)
    tap = pipeline.command("tap_dynamodb", pipeline.tap_config(engine, [name]), tmp_path)
    stream = pipeline.run(tap).out
    ended = pipeline.run(
        pipeline.command("target_dynamodb", dict(engine.config()), tmp_path), stream
    )
    assert ended.code == 1
    [error] = ended.errors
    assert name in error
    assert "allow_same_table" in error
    assert "Traceback" not in ended.err


def test_a_table_of_the_same_name_in_another_account_is_no_loop(
    engine: Engine, account: Engine, tables: Tables, tmp_path: Path
) -> None:
    name = filled(tables, SHAPES[0], ordinary=0)
    tap = pipeline.command("tap_dynamodb", pipeline.tap_config(engine, [name]), tmp_path)
    target = pipeline.command("target_dynamodb", dict(account.config()), tmp_path)
    ended = pipeline.run(target, pipeline.run(tap).out)
    assert ended.code == 0, ended.err
    copy = Wire.of(account)
    assert compare_tables(tables.wire, name, copy, name).identical
    copy.close()
