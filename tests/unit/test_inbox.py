"""Files that a message names: read below one folder only, removed only when a run of ours wrote them."""

from __future__ import annotations

import os
import pickle
from typing import TYPE_CHECKING

import pytest

from dynamodb_core import spool
from dynamodb_core.errors import DataError
from dynamodb_core.inbox import Claim, Inbox
from dynamodb_core.spool import Spool, sweep
from tests.engines.batches import filled

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytest.importorskip("fcntl")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "batch root%20é"


@pytest.fixture
def inbox(root: Path) -> Iterator[Inbox]:
    made = Inbox(root)
    yield made
    made.close()


def content(claim: Claim) -> bytes:
    with claim.open() as file:
        return file.read()


@pytest.mark.parametrize("how", ["{path}", "file://{path}", "FILE://localhost{path}", "{url}"])
def test_a_file_is_found_however_it_is_named(root: Path, inbox: Inbox, how: str) -> None:
    path = filled(Spool.create(root))
    claim = inbox.claim(how.format(path=path, url=path.as_uri()))
    assert claim == Claim(path, ours=True, size=5)
    assert content(pickle.loads(pickle.dumps(claim))) == b"12345"


@pytest.mark.parametrize(
    "location",
    [
        "{root}/../secret",
        "file://{root}/../secret",
        "file://{root}/%2e%2e/secret",
        "file://{root}/%2E%2E%2Fsecret",
        "file://{root}%2F..%2Fsecret",
        "file://{root}/ferry/../../secret",
        "{outside}/secret",
        "file://{outside}/secret",
        "file://localhost{outside}/secret",
        "{root}-sibling/secret",
        "{root}/link",
        "file://{root}/link",
        "{root}/folder-link/secret",
        "{root}/%6cink",
    ],
)
def test_what_is_not_below_the_root_is_not_read(
    tmp_path: Path, root: Path, inbox: Inbox, location: str
) -> None:
    root.mkdir()
    (tmp_path / "secret").write_text("secret")
    sibling = tmp_path / f"{root.name}-sibling"
    sibling.mkdir()
    (sibling / "secret").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret")
    (root / "folder-link").symlink_to(tmp_path)
    with pytest.raises(DataError, match=r"is not below|There is no file"):
        inbox.claim(location.format(root=root, outside=tmp_path))


@pytest.mark.parametrize(
    "location",
    [
        "",
        "users.jsonl",
        "./users.jsonl",
        "../users.jsonl",
        "file://users.jsonl",
        "file://elsewhere/users.jsonl",
        "file://localhostile/users.jsonl",
        "file:users.jsonl",
        "s3://bucket/users.jsonl",
        "https://example.com/users.jsonl",
        "/tmp/a\0b",
        "file:///tmp/a%00b",
    ],
)
def test_what_names_no_file_of_this_machine_is_refused(inbox: Inbox, location: str) -> None:
    with pytest.raises(DataError, match="names no file of this machine"):
        inbox.claim(location)


def test_what_is_no_file_is_not_read(root: Path, inbox: Inbox) -> None:
    root.mkdir()
    (root / "folder").mkdir()
    os.mkfifo(root / "pipe")
    for name in ("folder", "pipe", "nothing", "long" * 100, "", "."):
        with pytest.raises(DataError, match=r"There is no file"):
            inbox.claim(f"{root}/{name}")


def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(root: Path, inbox: Inbox) -> None:
    claim = inbox.claim(str(filled(Spool.create(root))))
    claim.path.unlink()
    with pytest.raises(DataError, match="No such file"):
        claim.open()
    os.mkfifo(claim.path)
    with pytest.raises(DataError, match="it is no file"):
        claim.open()
    claim.path.unlink()
    claim.path.symlink_to("/etc/hostname")
    with pytest.raises(DataError, match="cannot be read"):
        claim.open()


def test_a_link_within_the_root_leads_to_the_file_itself(root: Path, inbox: Inbox) -> None:
    root.mkdir()
    (root / "file").write_text("there")
    (root / "link").symlink_to(root / "file")
    assert content(inbox.claim(f"{root}/link")) == b"there"


def test_a_root_that_is_itself_a_link(tmp_path: Path, root: Path) -> None:
    path = filled(Spool.create(root))
    (tmp_path / "to-root").symlink_to(root)
    claim = Inbox(tmp_path / "to-root").claim(f"{tmp_path}/to-root/{path.relative_to(root)}")
    assert claim == Claim(path, ours=True, size=5)


def test_our_files_are_removed_and_the_folder_after_the_last(root: Path, inbox: Inbox) -> None:
    made = Spool.create(root)
    paths = [filled(made), filled(made)]
    claims = [inbox.claim(str(path)) for path in paths]
    assert inbox.remove(claims[0])
    assert not paths[0].exists()
    made.end()
    assert made.folder.exists()
    assert inbox.remove(claims[1])
    assert not list(root.iterdir())
    assert inbox.remove(claims[1])  # again: it is gone, as it should be


def test_the_folder_stays_while_its_run_goes_on(root: Path, inbox: Inbox) -> None:
    made = Spool.create(root)
    inbox.remove(inbox.claim(str(filled(made))))
    assert filled(made).exists()


def test_files_of_others_are_read_and_left_alone(root: Path, inbox: Inbox) -> None:
    made = Spool.create(root)
    foreign = [root / "file.jsonl", made.folder / "file.jsonl"]
    unmarked = root / f"ferry-{'0' * 32}"
    unmarked.mkdir()
    foreign.append(unmarked / f"{'0' * 32}-1.jsonl")
    misnamed = root / f"ferry-{'1' * 32}"
    misnamed.mkdir()
    (misnamed / spool.MARK).write_text(made.token)
    foreign += [misnamed / f"{made.token}-1.jsonl", misnamed / f"{'1' * 32}-1.jsonl"]
    below = made.folder / "below"
    below.mkdir()
    foreign.append(below / f"{made.token}-1.jsonl")
    for path in foreign:
        path.write_text("theirs")
        claim = inbox.claim(str(path))
        assert not claim.ours
        assert not inbox.remove(claim)
        assert content(claim) == b"theirs"


def test_what_is_being_read_is_not_swept(root: Path) -> None:
    made = Spool.create(root)
    path, other = filled(made), filled(made)
    made.abandon(keep={path, other})
    inbox = Inbox(root)
    inbox.claim(str(path))
    assert sweep(root) == (0, 0)
    assert inbox.claim(str(other)).ours
    inbox.close()
    assert sweep(root) == (1, 10)
    with pytest.raises(DataError, match="There is no file"):
        inbox.claim(str(path))


def test_a_folder_that_is_swept_while_it_is_claimed_is_an_error(
    root: Path, inbox: Inbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Spool.create(root)
    path = filled(made)
    made.abandon(keep={path})

    def token_of(folder: Path) -> str | None:
        token = real(folder)
        monkeypatch.undo()
        assert sweep(root) == (1, 5)
        return token

    real = spool.token_of
    monkeypatch.setattr(spool, "token_of", token_of)
    with pytest.raises(DataError, match="cannot be read: No such file"):
        inbox.claim(str(path))


def test_locks_of_folders_that_are_gone_are_let_go_of(root: Path, inbox: Inbox) -> None:
    for _ in range(3):
        made = Spool.create(root)
        claim = inbox.claim(str(filled(made)))
        made.end()
        inbox.remove(claim)
    assert len(inbox._locks) == 1
