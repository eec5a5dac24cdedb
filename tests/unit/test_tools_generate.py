"""The command `generate` without an engine: what it refuses, how fast it goes, what a stream says."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
from datetime import datetime, timezone
from itertools import islice

import orjson
import pytest
from click.testing import CliRunner

from dynamodb_core.table import Key
from dynamodb_tools.generate import Course
from dynamodb_tools.generate_command import generate, key_of
from dynamodb_tools.generated_stream import GeneratedStream
from dynamodb_tools.recipe import Items, Recipe
from dynamodb_tools.shapes import SHAPES
from dynamodb_tools.stopping import Signals, Stopped
from tests.engines.scripted import Clock

ID = Key(("id",), ("S",))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "Name a table, or a stream"),
        (("orders", "--stream", "orders"), "Name a table, or a stream"),
        (("arn:aws:dynamodb:eu-west-1:1:table/orders",), "is an ARN"),
        (("--stream", "s", "--key", "id"), "'id' is no key"),
        (("--stream", "s", "--key", "id:X"), "'id:X' is no key"),
        (("--stream", "s", "--key", "a:S,b:S,c:S"), "is no key"),
        (("--stream", "s", "--key", "a:S,a:N"), "is no key"),
        (("--stream", "s", "--key", "_dynamodb:S"), "which is a property of ours"),
        (("--stream", "s", "--keys", "hot"), "no partition key can be hot"),
        (("--stream", "s", "--shape", "nasty", "--size", "500"), "sizes of their own"),
        (("--stream", "s", "--size", "500000"), "maximum of 409600"),
        (("--stream", "s", "--count", "0"), "minimum of 1"),
        (("--stream", "s", "--rate", "0"), "minimum of 0"),
        (("--stream", "s", "--first", "999999999999", "--count", "2"), "below 1,000,000,000,000"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(
    arguments: tuple[str, ...], words: str, caplog: pytest.LogCaptureFixture
) -> None:
    ended = CliRunner().invoke(generate, arguments)
    assert ended.exit_code == 1
    assert ended.output == ""
    [error] = [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR]
    assert words in error


def test_a_key_is_written_as_names_and_types() -> None:
    assert key_of("pk:S,sk:N") == Key(("pk", "sk"), ("S", "N"))
    assert key_of("a:b:B") == Key(("a:b",), ("B",))
    assert key_of(" id:N ") == Key(("id",), ("N",))


@pytest.mark.parametrize(("rate", "per_turn"), [(1000.0, 50), (7.0, 1), (0.5, 1)])
def test_items_go_out_at_the_rate(rate: float, per_turn: int) -> None:
    clock = Clock(now=0.0)
    course = Course(10, 5_000, rate, clock.sleep, clock)
    some = list(islice(course.turns(Signals(), 500), 100))
    assert [number for turn in some for number in turn] == [*range(10, 10 + 100 * per_turn)]
    seconds = clock()
    assert seconds == pytest.approx(99 * per_turn / rate, rel=0.02)


def test_items_go_out_at_once_without_a_rate() -> None:
    turns = list(Course(3, 1001).turns(Signals(), 500))
    assert turns == [range(3, 503), range(503, 1003), range(1003, 1004)]


def test_a_signal_ends_the_waiting_for_the_rate() -> None:
    signals = Signals()
    clock = Clock(now=0.0)

    def sleep(seconds: float) -> None:
        clock.sleep(seconds)
        if clock() > 2:
            signals._number = 15

    turns = Course(0, 100, 0.01, sleep, clock).turns(signals, 500)
    assert next(turns) == range(1)
    with pytest.raises(Stopped):
        next(turns)
    assert clock() < 3


@pytest.mark.parametrize("shape", SHAPES)
def test_a_plain_stream_has_a_column_for_each_attribute(shape: str) -> None:
    stream = GeneratedStream(Items(Recipe(ID, shape)), "orders", "plain")
    properties = orjson.loads(stream.schema())["schema"]["properties"]
    count = 1 if shape == "large" else 500
    lines = stream.records(range(count), datetime.now(timezone.utc)).splitlines()
    seen = {name for line in lines for name in orjson.loads(line)["record"]}
    assert seen <= properties.keys()
    assert ("_dynamodb" in properties) == (shape in ("every", "nasty"))


def test_what_is_always_null_has_a_column() -> None:
    stream = GeneratedStream(Items(Recipe(ID, "nested")), "orders", "plain")
    properties = orjson.loads(stream.schema())["schema"]["properties"]
    assert properties["deleted"] == {"type": ["null", "string"], "x-dynamodb-type": "S"}
    [line] = stream.records([7], datetime.now(timezone.utc)).splitlines()
    assert orjson.loads(line)["record"]["deleted"] is None


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_work_that_does_not_end_is_ended_with_its_last_words() -> None:
    code = (
        "import os, signal, threading\n"
        "from dynamodb_tools import stopping\n"
        "stopping.PATIENCE_SECONDS = 0.05\n"
        "with stopping.Signals() as signals, signals.held(lambda: 'go on with --first 7'):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    while True:\n"
        "        threading.Event().wait(1)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=60
    )
    assert done.returncode == 128 + signal.SIGTERM
    assert done.stderr == b"go on with --first 7\n"
