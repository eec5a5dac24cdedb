"""The folder of a run: who may look into it, when a file has its name, what is swept."""

from __future__ import annotations

import os
import pickle
import secrets
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dynamodb_core import spool
from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.spool import Spool, sweep
from tests.engines.batches import filled

pytest.importorskip("fcntl")

DIES = """
import os, signal, sys
from pathlib import Path
from dynamodb_core.spool import Spool
made = Spool.create(Path(sys.argv[1]))
whole = made.draft(".jsonl"); whole.write(b"12345"); whole.keep()
half = made.draft(".jsonl"); half.write(b"678" * 100_000)
os.kill(os.getpid(), signal.SIGKILL)
"""


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "batch"


def test_folders_and_files_are_for_their_user_alone(root: Path) -> None:
    before = os.umask(0)
    try:
        made = Spool.create(root)
        path = filled(made)
        draft = made.draft(".jsonl")
    finally:
        os.umask(before)
    assert [mode(root), mode(made.folder)] == [0o700, 0o700]
    assert {mode(each) for each in made.folder.iterdir()} == {0o600}
    assert len(list(made.folder.iterdir())) == 3
    assert path in set(made.folder.iterdir())
    draft.drop()


def test_a_file_has_its_name_when_it_is_whole(root: Path) -> None:
    made = Spool.create(root)
    draft = made.draft(".jsonl.gz", prefix="orders-")
    draft.write(b"123")
    assert not draft.path.exists()
    assert not list(made.folder.glob("[!.]*"))
    path = draft.keep()
    assert path.read_bytes() == b"123"
    assert path.name.startswith(f"orders-{made.token}-")
    assert path.name.endswith(".jsonl.gz")
    assert list(made.folder.glob("[!.]*")) == [path]


def test_a_file_that_is_dropped_is_gone_and_one_that_was_kept_is_not(root: Path) -> None:
    made = Spool.create(root)
    dropped = made.draft(".jsonl")
    dropped.write(b"123")
    dropped.drop()
    kept = made.draft(".jsonl")
    path = kept.keep()
    kept.drop()
    assert made.files() == {path: 0}
    assert {each.name for each in made.folder.iterdir()} == {spool.MARK, path.name}


def test_what_nobody_has_removed_is_known_with_its_size(root: Path) -> None:
    made = Spool.create(root)
    one, other = filled(made, b"12345"), filled(made, b"678")
    assert made.files() == {one: 5, other: 3}
    one.unlink()
    assert made.files() == {other: 3}
    draft = made.draft(".jsonl")
    draft.write(b"9" * 1_000_000)
    assert sum(made.files().values()) > 900_000
    draft.drop()
    assert made.files() == {other: 3}


def test_pickled_it_is_the_same_folder(root: Path) -> None:
    made = Spool.create(root)
    again = pickle.loads(pickle.dumps(made))
    path = filled(again)
    assert path.parent == made.folder
    assert made.token in path.name
    again.abandon(keep=[path])  # it holds no lock that it could let go of
    assert sweep(root) == (0, 0)


def test_a_normal_end_leaves_its_files_for_a_day(root: Path) -> None:
    made = Spool.create(root)
    path = filled(made)
    made.end()
    ended = (made.folder / spool.ENDED).stat().st_mtime
    assert sweep(root) == (0, 0)
    assert sweep(root, now=lambda: ended + spool.KEPT_SECONDS - 1) == (0, 0)
    assert path.exists()
    assert sweep(root, now=lambda: ended + spool.KEPT_SECONDS + 1) == (1, 5)
    assert not list(root.iterdir())


def test_a_normal_end_without_files_leaves_nothing(root: Path) -> None:
    made = Spool.create(root)
    filled(made).unlink()
    made.end()
    assert not list(root.iterdir())


def test_a_run_that_breaks_off_keeps_what_was_spoken_of_until_the_next_sweep(root: Path) -> None:
    made = Spool.create(root)
    spoken_of, unheard_of = filled(made), filled(made)
    draft = made.draft(".jsonl")
    made.abandon(keep={spoken_of})
    assert spoken_of.exists()
    assert not unheard_of.exists()
    with pytest.raises(Error, match="cannot be written"):
        draft.keep()
    with pytest.raises(Error, match="The run has broken off"):
        made.draft(".jsonl")
    assert sweep(root) == (1, 5)
    assert not list(root.iterdir())


def test_a_run_that_breaks_off_without_having_spoken_leaves_nothing(root: Path) -> None:
    made = Spool.create(root)
    filled(made)
    made.abandon()
    assert not list(root.iterdir())


def test_a_run_that_is_under_way_is_not_swept(root: Path) -> None:
    made = Spool.create(root)
    path = filled(made)
    assert sweep(root, now=lambda: 1e12) == (0, 0)
    assert path.exists()


def test_what_a_killed_run_has_left_is_swept(root: Path) -> None:
    died = subprocess.run([sys.executable, "-c", DIES, str(root)], check=False)
    assert died.returncode == -signal.SIGKILL
    (folder,) = root.iterdir()
    left = sum(each.stat().st_size for each in folder.iterdir() if each.name != spool.MARK)
    assert left > 5
    assert sweep(root) == (1, left)
    assert not list(root.iterdir())


def test_a_run_that_ends_while_it_is_looked_at_is_not_swept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Spool.create(root)
    path = filled(made)
    looked: list[bool] = []

    def is_dead(folder: Path, now: float) -> bool:
        verdict = real(folder, now)
        if not looked:
            made.end()
        looked.append(verdict)
        return verdict

    real = spool._is_dead
    monkeypatch.setattr(spool, "_is_dead", is_dead)
    assert sweep(root) == (0, 0)
    assert looked == [True, False]
    assert path.exists()


def test_a_sweep_leaves_what_is_not_ours(root: Path) -> None:
    dead = Spool.create(root)
    filled(dead)
    dead._unlock()
    (dead.folder / "notes.txt").write_text("mine")
    unmarked = root / f"ferry-{'0' * 32}"
    unmarked.mkdir()
    (unmarked / f"{'0' * 32}-1.jsonl").write_text("mine")
    other_token = root / f"ferry-{'1' * 32}"
    other_token.mkdir()
    (other_token / spool.MARK).write_text("2" * 32)
    (root / "file").write_text("mine")
    outside = Spool.create(root.parent / "elsewhere")
    kept = filled(outside)
    outside._unlock()
    (root / outside.folder.name).symlink_to(outside.folder)
    sweep(root)
    assert [each.name for each in dead.folder.iterdir()] == ["notes.txt"]
    assert (unmarked / f"{'0' * 32}-1.jsonl").exists()
    assert (other_token / spool.MARK).exists()
    assert (root / "file").exists()
    assert kept.exists()


def test_a_sweep_of_nothing() -> None:
    assert sweep(Path("/nonexistent/folder")) == (0, 0)


@pytest.mark.parametrize("bits", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_to_is_refused(root: Path, bits: int) -> None:
    root.mkdir()
    root.chmod(bits)
    with pytest.raises(ConfigError, match="other users may write to it"):
        Spool.create(root)
    assert not list(root.iterdir())


@pytest.mark.parametrize("bits", [0o1777, 0o755, 0o700])
def test_a_folder_where_others_cannot_touch_what_is_ours_is_taken(root: Path, bits: int) -> None:
    root.mkdir()
    root.chmod(bits)
    assert mode(Spool.create(root).folder) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_refused(root: Path) -> None:
    root.mkdir(mode=0o700)
    os.chown(root, 12345, 12345)
    with pytest.raises(ConfigError, match="it belongs to another user"):
        Spool.create(root)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_a_folder_of_another_user_is_no_run_of_ours_and_not_looked_into(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Spool.create(root)
    filled(made)
    made._unlock()
    os.chown(made.folder, 12345, 12345)
    monkeypatch.delattr(Path, "read_text")
    assert sweep(root) == (0, 0)
    assert spool.token_of(made.folder) is None


def test_a_root_that_is_no_folder_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match=r"/file cannot be used for files: File exists"):
        Spool.create(tmp_path / "file")
    with pytest.raises(ConfigError, match=r"/file/below cannot be used for files: Not a dir"):
        Spool.create(tmp_path / "file" / "below")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a disk that is always full")
def test_a_full_disk_is_an_error_that_names_the_file(root: Path) -> None:
    made = Spool.create(root)
    draft = made.draft(".jsonl")
    draft._file.close()
    draft._file = os.fdopen(os.open("/dev/full", os.O_WRONLY), "wb")
    with pytest.raises(Error, match=rf"{draft.path} cannot be written: No space left"):
        draft.write(b"1" * 1_000_000)
    draft.drop()
    assert made.files() == {}


def test_a_draft_is_not_written_through_a_link(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Spool.create(root)
    monkeypatch.setattr(secrets, "token_hex", lambda _count: "0" * 16)
    (tmp_path / "victim").write_text("mine")
    for name in (f".{made.token}-{'0' * 16}.a", f".{made.token}-{'0' * 16}.b"):
        (made.folder / name).symlink_to(tmp_path / ("victim" if name.endswith("a") else "new"))
    for suffix in (".a", ".b"):
        with pytest.raises(Error, match="cannot be written"):
            made.draft(suffix)
    assert (tmp_path / "victim").read_text() == "mine"
    assert not (tmp_path / "new").exists()
