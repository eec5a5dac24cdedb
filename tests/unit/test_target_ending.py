"""What a signal does to a load."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from target_dynamodb.ending import Ending

GIVES_UP = """
import signal, threading
from target_dynamodb import ending
ending.DRAIN_SECONDS = 0.2
end = ending.Ending("target-dynamodb", lambda: print("stopped", flush=True))
end.begin()
end.take(signal.SIGTERM)
end.take(signal.SIGINT)
threading.Event().wait()  # for ever: DynamoDB never answers
"""


def test_without_a_load_a_signal_leaves_at_once() -> None:
    ending = Ending("t", lambda: None)
    with pytest.raises(SystemExit) as raised:
        ending.take(signal.SIGTERM)
    assert raised.value.code == 143


def test_without_a_signal_the_load_ends_as_it_likes() -> None:
    ending = Ending("t", lambda: None)
    ending.begin()
    ending.leave()
    assert ending.signal_name == ""


def test_a_drain_without_an_end_is_given_up_with_the_signals_code() -> None:
    done = subprocess.run(
        [sys.executable, "-c", GIVES_UP], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stdout == "stopped\n"  # once: the second signal changed nothing
    assert "has not acknowledged" in done.stderr
