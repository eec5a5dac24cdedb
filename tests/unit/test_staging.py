"""A staging's files and its bounds; that the right items come out is tests/property/test_staging.py."""

from __future__ import annotations

import os
import random
import signal
import stat
import subprocess
import sys
import tracemalloc
from pathlib import Path

import pytest

from dynamodb_core import staging as staging_module
from dynamodb_core.errors import ConfigError, Error
from dynamodb_core.staging import Staging
from tests.engines.parts import lines

MIB = 1 << 20

DIES = """
import os, signal, sys
from pathlib import Path
from dynamodb_core.staging import Staging
made = Staging(Path(sys.argv[1]), part_bytes=1000, held_bytes=1000)
for n in range(100):
    made.put((("S", str(n)),), b"x" * 1000)
print(len(list(Path(sys.argv[1]).rglob("*"))), flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def put(staging: Staging, key: int, item: bytes) -> None:
    staging.put((("N", str(key)),), item)


def quiet() -> None:
    """Look up, and see nothing."""


def test_more_is_staged_than_may_be_held(tmp_path: Path) -> None:
    """20 MB of items and as much again that they replace, by one that may hold half a MB."""
    staging = Staging(tmp_path, part_bytes=MIB, held_bytes=MIB // 2, fan_out=2)
    draw = random.Random(1)
    tracemalloc.start()
    try:
        for round_ in range(2):
            for key in range(10_000):
                put(staging, key, b"%d %d " % (round_, key) + draw.randbytes(1000).hex().encode())
        assert sum(path.stat().st_size for path in tmp_path.rglob("*")) > 20 * MIB
        staged = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        found = count = 0
        for part in staging.parts(quiet):
            found += part.items
            count += 1
        taken = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        staging.close()
    assert found == 10_000
    assert count > 5
    assert staged < 3 * MIB
    assert taken < 6 * MIB


def test_only_the_last_writes_are_in_the_parts(tmp_path: Path) -> None:
    staging = Staging(tmp_path, part_bytes=10_000, held_bytes=10_000, fan_out=4)
    for round_ in range(5):
        for key in range(200):
            put(staging, key, b"%d-%d" % (key, round_) + b"x" * 100)
    for key in range(0, 200, 2):
        staging.delete((("N", str(key)),))
    put(staging, 4, b"again")
    found = [line for part in staging.parts(quiet) for line in lines(part.path.read_bytes())]
    odd = [b'{"Item":%d-4%b}' % (key, b"x" * 100) for key in range(1, 200, 2)]
    assert sorted(found) == sorted([*odd, b'{"Item":again}'])
    staging.close()


def test_files_are_for_their_user_alone(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        staging = Staging(tmp_path / "spill", part_bytes=500, held_bytes=500, compression="none")
        for key in range(100):
            put(staging, key, b"x" * 100)
        parts = staging.parts(quiet)
        part = next(parts)
        modes = {
            stat.S_ISDIR(path.stat().st_mode): stat.S_IMODE(path.stat().st_mode)
            for path in (tmp_path / "spill").rglob("*")
        }
        assert part.path.exists()
        del parts
    finally:
        os.umask(before)
    assert modes == {True: 0o700, False: 0o600}
    staging.close()


def test_a_part_is_gone_when_the_next_one_is_asked_for(tmp_path: Path) -> None:
    staging = Staging(tmp_path, part_bytes=1, held_bytes=1000, compression="none")
    for key in range(10):
        put(staging, key, b"x" * 100)
    seen: list[Path] = []
    for part in staging.parts(quiet):
        assert not any(path.exists() for path in seen)
        seen.append(part.path)
    assert len(seen) == 10
    staging.close()
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_made_before_the_first_write(tmp_path: Path) -> None:
    staging = Staging(tmp_path / "spill", part_bytes=1000)
    assert list(staging.parts(quiet)) == []
    staging.close()
    assert not (tmp_path / "spill").exists()


def test_what_a_dead_run_has_left_is_swept(tmp_path: Path) -> None:
    pytest.importorskip("fcntl")
    done = subprocess.run(
        [sys.executable, "-c", DIES, str(tmp_path)], capture_output=True, check=False
    )
    assert done.returncode == -signal.SIGKILL
    left = {path.name for path in tmp_path.iterdir()}
    assert len(left) == 1
    assert int(done.stdout) > 10
    staging = Staging(tmp_path, part_bytes=1000)
    put(staging, 1, b"x")
    assert len(list(tmp_path.iterdir())) == 1
    assert not left & {path.name for path in tmp_path.iterdir()}
    staging.close()


def test_more_parts_than_a_load_takes_are_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging_module, "MOST_PARTS", 3)
    staging = Staging(tmp_path, part_bytes=1, compression="none")
    for key in range(4):
        put(staging, key, b"x")
    with pytest.raises(Error, match=r"more than 3 parts.*staging_part_bytes"):
        list(staging.parts(quiet))
    staging.close()


def test_what_looks_up_can_end_it(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def look() -> None:
        raise Enough

    staging = Staging(tmp_path, part_bytes=100, held_bytes=100)
    for key in range(100):
        put(staging, key, b"x" * 100)
    with pytest.raises(Enough):
        list(staging.parts(look))
    staging.close()
    assert list(tmp_path.iterdir()) == []


def test_zstd_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("backports", "backports.zstd", "compression", "compression.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError, match=r"ferry-target-dynamodb\[zstd\]"):
        Staging(None, part_bytes=1, compression="zstd")  # type: ignore[arg-type]


def test_files_that_are_not_written_are_closed(tmp_path: Path) -> None:
    """However deep it deals out, no more files are open than one level of buckets has."""
    if not Path("/proc/self/fd").exists():
        pytest.skip("only Linux lists the descriptors of a process")
    before = len(list(Path("/proc/self/fd").iterdir()))
    staging = Staging(tmp_path, part_bytes=1000, held_bytes=2000, fan_out=8, compression="none")
    for key in range(2000):
        put(staging, key, b"x" * 200)
    most = 0

    def look() -> None:
        nonlocal most
        most = max(most, len(list(Path("/proc/self/fd").iterdir())) - before)

    assert sum(part.items for part in staging.parts(look)) == 2000
    assert 0 < most <= 8 + 4
    staging.close()
