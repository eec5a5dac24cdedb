"""The work folder: what a run leaves for the next one, and what it does not go on with."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from dynamodb_core.errors import ConfigError, StateError
from dynamodb_core.parts import Block
from dynamodb_core.places import Places
from dynamodb_tools.checkpoint import FORMAT, Checkpoint, SidePoint, WorkFolder, digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KEY = {"id": {"S": "an eye ☞"}, "at": {"N": "1"}}


def point(**more: object) -> SidePoint:
    places = Places(segments=4, seed=7)
    places.advance(Block(2, b"", 1, None, finished=True))
    places.advance(Block(1, b"", 1, KEY, finished=False))
    given = {"identity": "t-1", "lengths": [3, 0, 9], "places": places.dump_places(), **more}
    return SidePoint(segments=4, seed=7, items=12, size=99, units=1.5, seconds=2.5, **given)  # type: ignore[arg-type]


def made(**more: object) -> Checkpoint:
    return Checkpoint(FORMAT, "2026-01-01T00:00:00+00:00", point(**more), point(identity="t-2"))


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[WorkFolder]:
    opened = WorkFolder(tmp_path / "work" / "compare-1")
    opened.open()
    yield opened
    opened.close()


def test_the_next_run_finds_how_far_the_last_one_came(folder: WorkFolder) -> None:
    assert (folder.load(), folder.begun) == (None, False)
    folder.save(made())
    assert folder.begun
    found = folder.load()
    assert found == made()
    assert found is not None
    places = found.a.where()
    assert places.finished == {2}
    assert places.places == {1: KEY}
    assert places.parts()[0].number == 1
    assert {part.number for part in places.parts()} == {0, 1, 3}


def test_a_checkpoint_replaces_the_one_before(folder: WorkFolder) -> None:
    folder.save(made())
    folder.save(made(lengths=[4, 0, 9]))
    found = folder.load()
    assert found is not None
    assert found.a.lengths == [4, 0, 9]


def test_a_checkpoint_that_could_not_be_finished_leaves_the_one_before(
    folder: WorkFolder,
) -> None:
    folder.save(made())
    (folder.path / "checkpoint.new").write_bytes(
        b'{"format":' + b"x" * 9000
    )  # as a run left it that was killed
    assert folder.load() == made()
    folder.save(made())
    assert folder.load() == made()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-1],
        lambda text: b"",
        lambda text: text.replace(b'"places"', b'"palaces"', 1),
        lambda text: text.replace(b'"lengths":[3', b'"lengths":["3"', 1),
        lambda text: text.replace(b'"finished"', b'"begun"', 1),
        lambda text: text.replace(b'"finished":[', b'"finished":[[7,9],', 1),
        lambda text: text.replace(b'"format":1', b'"format":2', 1),
        lambda text: text.replace(b'"format":1', b'"format":1,"more":1', 1),
    ],
)
def test_a_damaged_checkpoint_is_not_gone_on_with(folder: WorkFolder, damage: object) -> None:
    folder.save(made())
    file = folder.path / "checkpoint.json"
    damaged = damage(file.read_bytes())  # type: ignore[operator]
    assert damaged != file.read_bytes()
    file.write_bytes(damaged)
    with pytest.raises(StateError, match="--start-over"):
        folder.load()


def test_starting_over_forgets_all_of_it(folder: WorkFolder) -> None:
    folder.save(made())
    (folder.side("a")).mkdir()
    (folder.side("a") / "000.spill").write_bytes(b"1")
    folder.clear()
    assert folder.load() is None
    assert not folder.side("a").exists()


def test_what_is_done_leaves_nothing(folder: WorkFolder) -> None:
    folder.save(made())
    folder.side("b").mkdir()
    (folder.side("b") / "000.spill").write_bytes(b"1")
    folder.remove()
    assert not folder.path.parent.exists()


def test_the_work_of_others_stays(folder: WorkFolder) -> None:
    other = folder.path.parent / "compare-2"
    other.mkdir()
    folder.remove()
    assert other.exists()
    assert not folder.path.exists()


def test_only_this_user_may_read_it(folder: WorkFolder) -> None:
    folder.save(made())
    for path, mode in (
        (folder.path.parent, 0o700),
        (folder.path, 0o700),
        (folder.path / "lock", 0o600),
        (folder.path / "checkpoint.json", 0o600),
    ):
        assert stat.S_IMODE(path.stat().st_mode) == mode


def test_one_run_at_a_time(folder: WorkFolder) -> None:
    pytest.importorskip("fcntl")  # other systems lock no files
    with pytest.raises(ConfigError, match="Another run"):
        WorkFolder(folder.path).open()
    folder.close()
    again = WorkFolder(folder.path)
    again.open()
    again.close()


def test_a_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "shared"
    root.mkdir()
    root.chmod(0o777)
    with pytest.raises(ConfigError, match="no place for files"):
        WorkFolder(root / "compare-1").open()


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ConfigError, match="--work-folder"):
        WorkFolder(tmp_path / "file" / "compare-1").open()


def test_other_work_has_another_folder() -> None:
    what = {"a": {"arn": "a"}, "b": {"arn": "b"}, "ignore": ("x",), "filter": None}
    assert digest(what) == digest(dict(reversed(what.items())))
    for other in (
        {**what, "a": what["b"], "b": what["a"]},
        {**what, "ignore": ()},
        {**what, "filter": {"expression": "e"}},
        {**what, "sample": 50.0},
    ):
        assert digest(other) != digest(what)
