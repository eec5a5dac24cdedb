"""`dynamodb-tools compare` as a person runs it, and what it ought to find, worked out apart from it.

The oracle shares no code with what is tested: two lists of items as the wire has them, in; the kind of every
difference and the places in the item, out.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from demo import guard
from tests.engines import faults, relay

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping

    from demo.engine import Engine
    from demo.wire import Item, KeySchema
    from tests.engines.faults import Reply, Request

COMMAND = (sys.executable, "-m", "dynamodb_tools", "compare")
PATIENCE = 120.0
"""Longest wait for a process, in seconds; only a failing test waits so long."""

HURRIED = str(Path(faults.__file__).with_name("hurried"))
DIFFERENT = ("missing", "extra", "differs")


@dataclass(frozen=True)
class Found:
    """A difference: its kind, the key, and what differs in the item.

    Attributes:
        kind: `missing`, `extra`, `differs` or `respelled`.
        key: The key attributes, numbers by value, binaries as bytes.
        places: Each place at which the items differ: path, both values as JSON text, and whether they are equal and
            spelled otherwise.
    """

    kind: str
    key: Hashable
    places: frozenset[tuple[str, str, str, bool]] = frozenset()


@dataclass
class Outcome:
    """What a run left behind.

    Attributes:
        code: Its exit code.
        stdout: What it printed.
        log: What it logged.
        lines: The messages of its file of differences; None where it left none.
    """

    code: int
    stdout: str
    log: str
    lines: list[dict[str, Any]] | None = field(repr=False)

    @property
    def report(self) -> dict[str, Any]:
        """The report, of a run that printed JSON."""
        report: dict[str, Any] = json.loads(self.stdout)
        return report

    def found(self, key: KeySchema) -> Counter[Found]:
        """Return the differences in the file."""
        assert self.lines is not None, self
        return Counter(
            Found(
                line["difference"]["kind"], identity(line["difference"]["key"], key), _places(line)
            )
            for line in self.lines
            if "difference" in line
        )


def compare(
    engine: Engine,
    a: str,
    b: str,
    folder: Path,
    /,
    *options: str,
    process: bool = False,
    hurried: bool = False,
    **config: Any,
) -> Outcome:
    """Compare two tables.

    Args:
        engine: Where they are; `--a` and `--b` may say otherwise.
        a: The one that counts.
        b: The other one.
        folder: For files.
        *options: More of the command line.
        process: Whether to run the command as a process of its own.
        hurried: Whether that process wakes from each sleep at once; see `hurried`.
        **config: Settings beyond those of the engine.
    """
    output, path = folder / "differences.jsonl", folder / "config.json"
    output.unlink(missing_ok=True)
    settings = {"processes": 1, "work_folder": str(folder / "work"), "output": str(output)}
    given = {**engine.config(), **settings, **config}
    path.write_text(json.dumps({name: value for name, value in given.items() if value is not None}))
    arguments = ["--config", str(path), *options, a, b]
    if process or hurried:
        done = subprocess.run(
            [*COMMAND, *arguments],
            env=_environment(hurried=hurried),
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )
        code, stdout, log = done.returncode, done.stdout, done.stderr
    else:
        import dynamodb_tools.__main__  # noqa: PLC0415, F401 - it knows the commands; the oracle needs none
        from dynamodb_tools.cli import tools  # noqa: PLC0415

        result = CliRunner().invoke(tools, ["compare", *arguments])
        code, stdout, log = result.exit_code, result.stdout, result.stderr
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
    lines = None
    if output.exists():
        lines = [json.loads(line) for line in output.read_bytes().split(b"\n") if line]
    return Outcome(code, stdout, log, lines)


@contextlib.contextmanager
def between(engine: Engine, answer: Callable[[Request], Reply | None]) -> Iterator[Engine]:
    """Stand before an engine for the length of a `with` block.

    Args:
        engine: The engine.
        answer: Asked first, one request at a time; None lets the engine answer.

    Yields:
        The engine, as it is reached that way.
    """
    with faults.running() as service:
        service.answers(lambda request: answer(request) or relay.forward(engine, request))
        yield replace(engine, endpoint_url=service.url)


def expected(
    a: Iterable[Item], b: Iterable[Item], key: KeySchema, ignore: Iterable[str] = ()
) -> Counter[Found]:
    """Return what differs between two tables' items.

    Args:
        a: The items of the table that counts.
        b: Those of the other one.
        key: Their key.
        ignore: Attributes that do not count.
    """
    left, right = ({identity(item, key): item for item in side} for side in (a, b))
    found = [Found("missing", each) for each in left.keys() - right.keys()]
    found += [Found("extra", each) for each in right.keys() - left.keys()]
    for each in left.keys() & right.keys():
        one, other = (
            {name: value for name, value in side[each].items() if name not in set(ignore)}
            for side in (left, right)
        )
        places = frozenset(_members(one, other, ""))
        if places:
            equal = all(place[-1] for place in places)
            found.append(Found("respelled" if equal else "differs", each, places))
    return Counter(found)


def check(
    outcome: Outcome,
    a: Iterable[Item],
    b: Iterable[Item],
    key: KeySchema,
    ignore: Iterable[str] = (),
) -> Counter[Found]:
    """Require of a run that was to tell everything (`--spelling`) that it did, exactly; return it."""
    left = {identity(item, key): item for item in a}
    wanted = expected(left.values(), b, key, ignore)
    assert outcome.found(key) == wanted, outcome
    different = any(each.kind in DIFFERENT for each in wanted)
    assert outcome.code == (1 if different else 0), outcome
    assert outcome.lines is not None
    for line in outcome.lines:
        if line["type"] == "RECORD":
            item = next(value for value in line["record"].values() if isinstance(value, dict))
            assert item == left[identity(line["difference"]["key"], key)]
        elif line["type"] == "EXTRA":
            assert line["record"].keys() == dict(key).keys()
    return wanted


def _environment(*, hurried: bool) -> dict[str, str]:
    environment = guard.environment()
    if hurried:
        paths = (HURRIED, environment.get("PYTHONPATH"))
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, paths))
    return environment


def identity(item: Mapping[str, Any], key: KeySchema) -> Hashable:
    """Return what makes two items one: the values of their key."""
    return tuple(_scalar(kind, item[name][kind]) for name, kind in key)


def _scalar(kind: str, text: str) -> Hashable:
    if kind == "N":
        return Decimal(text)
    return base64.b64decode(text) if kind == "B" else text


def _members(
    a: Mapping[str, Any], b: Mapping[str, Any], path: str
) -> Iterator[tuple[str, str, str, bool]]:
    for name in a.keys() | b.keys():
        escaped = name.replace("~", "~0").replace("/", "~1")
        yield from _values(a.get(name), b.get(name), f"{path}/{escaped}")


def _values(a: Any, b: Any, path: str) -> Iterator[tuple[str, str, str, bool]]:
    if a is None or b is None or a.keys() != b.keys():
        yield _place(path, a, b, spelled=False)
        return
    [kind] = a
    one, other = a[kind], b[kind]
    if kind == "M":
        yield from _members(one, other, path)
    elif kind == "L":
        for index, (each, its) in enumerate(itertools.zip_longest(one, other)):
            yield from _values(each, its, f"{path}/{index}")
    elif kind in ("SS", "NS", "BS"):
        yield from _sets(kind, one, other, path)
    elif kind in ("N", "B"):
        if _scalar(kind, one) != _scalar(kind, other):
            yield _place(path, a, b, spelled=False)
        elif one != other:
            yield _place(path, a, b, spelled=True)
    elif one != other:
        yield _place(path, a, b, spelled=False)


def _sets(
    kind: str, one: list[str], other: list[str], path: str
) -> Iterator[tuple[str, str, str, bool]]:
    left, right = ({_scalar(kind[0], text): text for text in side} for side in (one, other))
    only = [
        {kind: [side[each] for each in side.keys() - beside.keys()]}
        for side, beside in ((left, right), (right, left))
    ]
    if only[0][kind] or only[1][kind]:
        yield _place(path, *only, spelled=False)
    both = [each for each in left.keys() & right.keys() if left[each] != right[each]]
    if both:
        respelled = [{kind: [side[each] for each in both]} for side in (left, right)]
        yield _place(path, *respelled, spelled=True)


def _places(line: Mapping[str, Any]) -> frozenset[tuple[str, str, str, bool]]:
    return frozenset(
        _place(each["path"], each["a"], each["b"], spelled=each.get("spelling", False))
        for each in line["difference"]["paths"]
    )


def _place(path: str, a: Any, b: Any, *, spelled: bool) -> tuple[str, str, str, bool]:
    return path, _text(a), _text(b), spelled


def _text(value: Any) -> str:
    """Return a typed value as text that is the same whatever the order of its members."""
    if value is not None:
        [(kind, content)] = value.items()
        if kind in ("SS", "NS", "BS"):
            value = {kind: sorted(content)}
    return json.dumps(value, sort_keys=True)
