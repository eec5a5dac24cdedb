from __future__ import annotations

import subprocess
import sys

import pytest

from demo import guard

SCRIPT = """
import ctypes, sys
from dynamodb_core import heap
asked = []
class Library:
    def __init__(self, name): pass
    def mallopt(self, *arguments): asked.append(arguments)
ctypes.CDLL = Library
heap.share()
print(asked)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")
@pytest.mark.parametrize(
    ("more", "asked"),
    [
        ({}, "[(-8, 1), (-3, 8388608), (-1, 33554432)]"),
        ({"MALLOC_ARENA_MAX": "4"}, "[]"),
        ({"MALLOC_TRIM_THRESHOLD_": "0"}, "[]"),
    ],
)
def test_one_heap_unless_the_user_has_said_otherwise(more: dict[str, str], asked: str) -> None:
    environment = {n: v for n, v in guard.environment().items() if not n.startswith("MALLOC_")}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env=environment | more,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == asked
