"""Data dealt out to files: what comes back, what another run finds again, and the bounds."""

from __future__ import annotations

import errno
import os
import random
import stat
import tracemalloc
from pathlib import Path

import pytest

from dynamodb_core.buckets import Buckets
from dynamodb_core.errors import Error, StateError
from dynamodb_core.spool import Spool

MIB = 1 << 20


def filled(folder: Path, count: int = 200, *, buffered_bytes: int = 100) -> Buckets:
    """Buckets with `0`, `4`, `8`, … in the first one, `1`, `5`, … in the second one, and so on."""
    buckets = Buckets.create(folder, 4, buffered_bytes=buffered_bytes)
    add(buckets, 0, count)
    return buckets


def add(buckets: Buckets, first: int, last: int) -> None:
    for number in range(first, last):
        buckets.add(number % 4, b"%d;" % number)


def held(buckets: Buckets) -> list[list[int]]:
    return [
        [int(text) for block in buckets.read(number) for text in block.split(b";")[:-1]]
        for number in range(buckets.fan_out)
    ]


def dealt(count: int) -> list[list[int]]:
    return [list(range(number, count, 4)) for number in range(4)]


@pytest.mark.parametrize("buffered_bytes", [1, 100, MIB])
def test_each_bucket_gives_back_what_it_was_given(tmp_path: Path, buffered_bytes: int) -> None:
    buckets = filled(tmp_path, buffered_bytes=buffered_bytes)
    buckets.seal()
    assert held(buckets) == dealt(200)
    assert held(buckets) == dealt(200), "and gives it back again"
    on_disk = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert buckets.size == on_disk
    assert (on_disk == 0) == (buffered_bytes == MIB)


def test_what_is_added_together_lies_in_one_block(tmp_path: Path) -> None:
    buckets = Buckets.create(tmp_path, 2, buffered_bytes=100)
    for _ in range(50):
        buckets.add(1, b"(" + b"x" * 33 + b")")
    buckets.seal()
    blocks = list(buckets.read(1))
    assert len(blocks) > 10
    assert all(block.startswith(b"(") and block.endswith(b")") for block in blocks)


def test_what_waits_for_files_is_bounded_in_all(tmp_path: Path) -> None:
    buckets = Buckets.create(tmp_path, 64, buffered_bytes=MIB)
    draw = random.Random(1)
    tracemalloc.start()
    try:
        for _ in range(20_000):
            buckets.add(draw.randrange(64), draw.randbytes(1000))
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert buckets.size > 15 * MIB
    assert most < 3 * MIB
    buckets.close()


def test_another_run_finds_what_was_noted_and_goes_on(tmp_path: Path) -> None:
    first = filled(tmp_path, 101)
    lengths = first.lengths()
    assert lengths == [(tmp_path / f"{n:03d}.spill").stat().st_size for n in range(4)]
    add(first, 101, 333)  # it dies before it has noted this
    again = Buckets.reopen(tmp_path, lengths, buffered_bytes=100)
    add(again, 101, 200)
    again.seal()
    assert held(again) == dealt(200)
    third = Buckets.reopen(tmp_path, again.lengths())
    third.seal()
    assert held(third) == dealt(200)


def test_a_file_that_was_begun_after_the_note_is_not_read(tmp_path: Path) -> None:
    first = Buckets.create(tmp_path, 4, buffered_bytes=1)
    first.add(2, b"2;")
    lengths = first.lengths()
    add(first, 0, 40)
    first.close()
    again = Buckets.reopen(tmp_path, lengths)
    again.seal()
    assert held(again) == [[], [], [2], []]
    once_more = Buckets.reopen(tmp_path, lengths, buffered_bytes=1)
    once_more.add(1, b"5;")
    once_more.seal()
    assert held(once_more) == [[], [5], [2], []]


def test_buckets_that_are_made_anew_hold_nothing_of_the_old_ones(tmp_path: Path) -> None:
    filled(tmp_path).close()
    anew = filled(tmp_path, 20, buffered_bytes=1)
    anew.seal()
    assert held(anew) == dealt(20)


def test_a_file_that_has_become_shorter_is_an_error(tmp_path: Path) -> None:
    lengths = filled(tmp_path).lengths()
    path = tmp_path / "002.spill"
    os.truncate(path, lengths[2] - 1)
    with pytest.raises(StateError, match=r"002\.spill has .*were noted.*--start-over"):
        Buckets.reopen(tmp_path, lengths)
    path.unlink()
    with pytest.raises(StateError, match=r"002\.spill is not there.*--start-over"):
        Buckets.reopen(tmp_path, lengths)


@pytest.mark.parametrize("at", [0, 1, 2, 20, -1])
def test_a_damaged_file_is_an_error(tmp_path: Path, at: int) -> None:
    buckets = filled(tmp_path)
    buckets.seal()
    path = tmp_path / "001.spill"
    data = bytearray(path.read_bytes())
    data[at] ^= 0xFF
    path.write_bytes(data)
    with pytest.raises(Error, match=r"001\.spill is damaged.*--start-over"):
        list(buckets.read(1))


def test_a_file_that_is_gone_is_an_error(tmp_path: Path) -> None:
    buckets = filled(tmp_path)
    buckets.seal()
    (tmp_path / "001.spill").unlink()
    with pytest.raises(Error, match=r"001\.spill cannot be read: No such file"):
        list(buckets.read(1))


def test_a_full_disk_names_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_descriptor: int, _data: memoryview) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    buckets = Buckets.create(tmp_path, 4, buffered_bytes=1)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(Error, match=r"003\.spill cannot be written: No space.*same command again"):
        buckets.add(3, b"3;")
    buckets.close()


def test_a_write_that_is_taken_in_part_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = os.write
    with monkeypatch.context() as patched:
        patched.setattr(os, "write", lambda to, data: write(to, data[:3]))
        buckets = filled(tmp_path)
        buckets.seal()
    assert held(buckets) == dealt(200)


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        filled(tmp_path / "a").close()
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o700
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "a").iterdir()}
    assert modes == {0o600}


def test_no_file_follows_a_link(tmp_path: Path) -> None:
    (tmp_path / "foreign").write_bytes(b"keep me")
    (tmp_path / "000.spill").symlink_to(tmp_path / "foreign")
    buckets = Buckets.create(tmp_path, 4, buffered_bytes=1)
    with pytest.raises(Error, match=r"000\.spill cannot be written"):
        buckets.add(0, b"0;")
    with pytest.raises(Error, match=r"000\.spill cannot be written"):
        Buckets.reopen(tmp_path, [3])
    assert (tmp_path / "foreign").read_bytes() == b"keep me"


def test_nothing_is_made_before_there_is_something_to_spill(tmp_path: Path) -> None:
    buckets = Buckets.create(tmp_path / "a", 4)
    buckets.add(0, b"0;")
    buckets.seal()
    assert held(buckets) == [[0], [], [], []]
    assert not (tmp_path / "a").exists()


def test_what_is_removed_is_gone(tmp_path: Path) -> None:
    buckets = filled(tmp_path, buffered_bytes=60)
    buckets.seal()
    buckets.remove(1)
    assert held(buckets) == [*dealt(200)[:1], [], *dealt(200)[2:]]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "000.spill",
        "002.spill",
        "003.spill",
    ]
    buckets.clear()
    assert held(buckets) == [[], [], [], []]
    assert list(tmp_path.iterdir()) == []


def test_sealed_files_are_closed(tmp_path: Path) -> None:
    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux lists the descriptors of a process")

    def opened() -> int:
        count = 0
        for each in list(Path("/proc/self/fd").iterdir()):
            try:
                count += str(tmp_path) in str(each.readlink())
            except FileNotFoundError:  # the listing's own
                continue
        return count

    buckets = filled(tmp_path)
    assert opened() == 4
    lengths = buckets.lengths()
    buckets.seal()
    assert opened() == 0
    again = Buckets.reopen(tmp_path, lengths, buffered_bytes=1)
    assert opened() == 0
    again.add(1, b"1;")
    assert opened() == 1
    again.close()
    assert opened() == 0


def test_their_files_may_be_a_runs_own(tmp_path: Path) -> None:
    made = Spool.create(tmp_path)
    buckets = Buckets(4, lambda _number: made.draft(".spill"), buffered_bytes=100)
    add(buckets, 0, 200)
    buckets.seal()
    assert held(buckets) == dealt(200)
    assert len(made.files()) == 4
    unsealed = Buckets(4, lambda _number: made.draft(".spill"), buffered_bytes=1)
    add(unsealed, 0, 40)
    assert len(made.files()) == 8
    unsealed.close()
    assert len(made.files()) == 4
    made.abandon()
