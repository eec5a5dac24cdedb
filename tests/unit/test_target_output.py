"""STATE on standard output."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING

from target_dynamodb import output

if TYPE_CHECKING:
    import pytest


class Interrupted(io.BytesIO):
    """Takes a few bytes a write, as an unbuffered pipe does when a signal comes."""

    def write(self, data: object) -> int:
        return super().write(bytes(data)[:3])  # type: ignore[call-overload]


def test_a_write_that_ends_in_its_middle_is_gone_on_with(monkeypatch: pytest.MonkeyPatch) -> None:
    out = Interrupted()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=out))
    output.write_line('{"é":1234567890}')
    assert out.getvalue().decode() == '{"é":1234567890}\n'
