"""The dead-letter file on a disk, and the objects in its place: what is there, and when."""

from __future__ import annotations

import datetime as dt
import errno
import fcntl
import json
import os
import stat
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core.errors import AccessError, ConfigError, Error
from dynamodb_core.objects import Folder
from target_dynamodb.letter_file import LetterFile
from target_dynamodb.letterbox import LetterObjects

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SCHEMA = b'{"type":"SCHEMA","stream":"s","schema":{}}\n'
RECORD = b'{"type":"RECORD","stream":"s","record":{}}\n'


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rejects.jsonl"


def opened(path: Path) -> LetterFile:
    file = LetterFile(path)
    file.open()
    return file


def written(path: Path, *pieces: bytes) -> None:
    file = opened(path)
    for piece in pieces:
        file.write(piece)
    file.sync()
    file.close()


def test_a_file_is_for_its_owner_alone_and_each_run_adds_to_it(path: Path) -> None:
    written(path, SCHEMA, RECORD)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.chmod(0o664)
    written(path, SCHEMA)
    assert path.read_bytes() == SCHEMA + RECORD + SCHEMA
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_in_which_nothing_is_goes_with_its_run(path: Path) -> None:
    written(path)
    assert not path.exists()
    written(path, SCHEMA)
    written(path)
    assert path.read_bytes() == SCHEMA


@pytest.mark.parametrize(
    ("left", "mended"),
    [
        (SCHEMA + RECORD[:20], SCHEMA),
        (SCHEMA + RECORD[:-1], SCHEMA + RECORD),  # an editor's doing
        (SCHEMA + b'{"n":NaN}', SCHEMA + b'{"n":NaN}\n'),
        (SCHEMA + b"7", SCHEMA),
        (SCHEMA[:10], b""),
        (SCHEMA[:30], b""),
        (SCHEMA + b"x" * 150_000, SCHEMA),
        (SCHEMA[:-1] + b" " * 70_000 + b"\n" + RECORD[:5], SCHEMA[:-1] + b" " * 70_000 + b"\n"),
    ],
)
def test_a_last_line_that_a_killed_run_left_unfinished_is_cut_off(
    path: Path, left: bytes, mended: bytes
) -> None:
    path.write_bytes(left)
    written(path, RECORD)
    assert path.read_bytes() == mended + RECORD


def no_folder(path: Path) -> None:
    path.parent.rmdir()


def another_file(path: Path) -> None:
    path.write_text("notes of mine\n")


def a_pipe(path: Path) -> None:
    os.mkfifo(path)


def locked(path: Path) -> None:
    file = opened(path)
    file.write(SCHEMA)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (no_folder, "No such file or directory"),
        (another_file, "it is no dead-letter file"),
        (a_pipe, "it is no file"),
        (lambda path: path.symlink_to("/dev/full"), "it is no file"),
        (lambda path: path.mkdir(), "Is a directory"),
        (locked, "another run writes to it"),
    ],
)
def test_what_cannot_be_written_is_left_alone_and_named(
    path: Path, make: Callable[[Path], None], words: str
) -> None:
    path = path.parent / "folder" / "rejects.jsonl"
    path.parent.mkdir()
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(ConfigError, match=words) as raised:
        opened(path)
    assert str(path) in str(raised.value)
    if before is not None:
        assert path.read_bytes() == before


def test_a_file_that_another_run_removes_meanwhile_is_made_anew(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path.touch()
    lock = fcntl.flock
    removed: list[int] = []

    def remove_first(file: int, how: int) -> None:
        if not removed:
            path.unlink()
            removed.append(file)
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    written(path, SCHEMA)
    assert path.read_bytes() == SCHEMA


def test_of_a_piece_for_which_there_is_no_room_nothing_is_left(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path)
    file.write(SCHEMA)
    write = os.write
    left = [20]

    def short(descriptor: int, data: Any) -> int:
        if not left[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        done = write(descriptor, bytes(data)[: left[0]])
        left[0] -= done
        return done

    monkeypatch.setattr(os, "write", short)
    with pytest.raises(Error, match="No space left on device") as raised:
        file.write(RECORD)
    assert not isinstance(raised.value, ConfigError)
    file.close()
    assert path.read_bytes() == SCHEMA


def test_a_piece_that_goes_in_bits_is_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = os.write
    monkeypatch.setattr(os, "write", lambda file, data: write(file, bytes(data)[:7]))
    written(path, SCHEMA, RECORD)
    assert path.read_bytes() == SCHEMA + RECORD


def test_what_the_disk_does_not_keep_is_an_error(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = opened(path)
    file.write(SCHEMA)

    def fail(_file: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(Error, match="Input/output error"):
        file.sync()


def test_the_name_of_a_new_file_is_on_the_disk_before_anything_is_in_it(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda file: synced.append(os.fstat(file).st_ino))
    file = opened(path)
    assert synced == [path.parent.stat().st_ino]
    file.write(SCHEMA)
    file.sync()
    assert synced[1:] == [path.stat().st_ino]
    file.close()


NOON = dt.datetime(2026, 11, 21, 12, 0, 5, tzinfo=dt.timezone.utc)


def test_objects_are_named_in_the_order_in_which_they_were_written(tmp_path: Path) -> None:
    for hours in range(2):
        store = Folder(tmp_path)
        moment = NOON + dt.timedelta(hours=hours)
        objects = LetterObjects(lambda s=store: s, now=lambda m=moment: m)  # type: ignore[misc]
        objects.open()
        for number in range(11):
            objects.write(b'{"n":%d}' % (11 * hours + number))
            objects.sync()
        objects.close()
    names = sorted(each.name for each in tmp_path.iterdir())
    assert names[0].startswith("20261121T120005Z-")
    found = [json.loads((tmp_path / name).read_bytes())["n"] for name in names]
    assert found == list(range(22))


def test_two_runs_of_one_moment_do_not_write_over_each_other(tmp_path: Path) -> None:
    for _ in range(2):
        objects = LetterObjects(lambda: Folder(tmp_path), now=lambda: NOON)
        objects.open()
        objects.write(SCHEMA)
    assert len(list(tmp_path.iterdir())) == 2


def test_an_error_of_s3_passes_through() -> None:
    class Closed(Folder):
        def put(self, key: str, data: Any) -> None:
            raise AccessError(f"PutObject of {key} is refused")

    objects = LetterObjects(lambda: Closed("/nowhere"))  # type: ignore[arg-type]
    objects.open()
    with pytest.raises(AccessError, match="000001"):
        objects.write(SCHEMA)
