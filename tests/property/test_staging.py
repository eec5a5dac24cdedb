"""What comes out of a staging is the last write of each key, whatever went in, and however little it may hold."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.staging import Part, Staging
from tests.engines.parts import lines

KEYS = st.one_of(
    st.integers(0, 12).map(lambda n: (("S", f"k{n}"),)),
    st.tuples(st.sampled_from(["a$", "a"]), st.sampled_from(["b", "$b"])).map(
        lambda both: tuple(("S", text) for text in both)
    ),
    st.text(max_size=3).map(lambda text: (("S", text),)),
    st.text(max_size=3).map(lambda text: (("B", text),)),
)
WRITES = st.lists(st.tuples(KEYS, st.one_of(st.none(), st.integers(0, 60))), max_size=120)


@given(
    writes=WRITES,
    held=st.sampled_from([1, 400, 2_000, 1 << 20]),
    fan_out=st.sampled_from([2, 4, 64]),
    part_bytes=st.sampled_from([1, 300, 1 << 20]),
    compression=st.sampled_from(["gzip", "zstd", "none"]),
)
def test_parts_are_what_the_last_write_of_each_key_says(
    writes: list[tuple[Any, int | None]], held: int, fan_out: int, part_bytes: int, compression: str
) -> None:
    expected: dict[Any, bytes] = {}
    with tempfile.TemporaryDirectory() as root:
        staging = Staging(
            Path(root),
            part_bytes=part_bytes,
            compression=compression,
            held_bytes=held,
            fan_out=fan_out,
        )
        for number, (key, length) in enumerate(writes):
            if length is None:
                staging.delete(key)
                expected.pop(key, None)
            else:
                item = json.dumps({"k": repr(key), "n": number, "x": "x" * length}).encode()
                staging.put(key, item)
                expected[key] = item
        found: list[bytes] = []
        parts: list[Part] = []
        for part in staging.parts(lambda: None):
            parts.append(part)
            mine = lines(part.path.read_bytes(), compression)
            assert part.items == len(mine) > 0
            assert part.size == part.path.stat().st_size
            found += mine
        assert [part.number for part in parts] == list(range(1, len(parts) + 1))
        assert sorted(found) == sorted(b'{"Item":%b}' % item for item in expected.values())
        staging.close()
        assert list(Path(root).iterdir()) == []
