"""The command `compare`: its exit code says what has come out, and nothing else may look like it."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from dynamodb_core.errors import TableNotFound
from dynamodb_tools import compare_command, output
from dynamodb_tools.cli import tools
from dynamodb_tools.stopping import Stopped

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from click.testing import Result

    from dynamodb_tools.pairs import Pair

A, B, C = "a,b,c", "{table}x", ("a", "b", "c")


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


def run(
    monkeypatch: pytest.MonkeyPatch, answer: Callable[[str], Any], *arguments: str
) -> tuple[Result, list[str]]:
    """Run the command, with an answer in the place of each comparison."""
    compared: list[str] = []

    def compare(pair: Pair, *_: object) -> Any:
        compared.append(pair.a)
        return answer(pair.a)

    monkeypatch.setattr(compare_command, "_compare", compare)
    return CliRunner().invoke(tools, ["compare", *arguments]), compared


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("codes", "worst"),
    [((0, 0, 0), 0), ((0, 1, 0), 1), ((1, 2, 0), 2), ((2, 1, 1), 2)],
)
def test_the_worst_of_several_comparisons_counts(
    monkeypatch: pytest.MonkeyPatch, codes: tuple[int, ...], worst: int
) -> None:
    of = dict(zip(C, codes, strict=True))
    result, compared = run(monkeypatch, of.__getitem__, A, B)
    assert (result.exit_code, compared) == (worst, list(C))
    assert result.stdout.splitlines()[-1].startswith("3 pairs: ")


def test_an_error_of_one_pair_leaves_the_others(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def answer(name: str) -> int:
        return fail(TableNotFound("There is none", "Make one")) if name == "a" else 0

    result, compared = run(monkeypatch, answer, A, B)
    assert (result.exit_code, compared) == (2, list(C))
    assert "a and ax: There is none. Make one." in result.stderr + caplog.text
    assert result.stdout.splitlines()[-1] == "3 pairs: 2 the same, 1 could not be said (a)"


def test_an_error_of_the_only_pair(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    result, _ = run(
        monkeypatch, lambda _: fail(TableNotFound("There is none", "Make one")), "a", "b"
    )
    assert (result.exit_code, result.stdout) == (2, "")
    assert "There is none. Make one." in result.stderr + caplog.text
    assert "Traceback" not in result.stderr + caplog.text


def test_a_defect_is_no_difference(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    result, _ = run(monkeypatch, lambda _: fail(ZeroDivisionError()), "a", "b")
    assert result.exit_code == 2
    assert "ZeroDivisionError" in result.stderr + caplog.text


def test_a_signal_has_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGTERM)
    result, _ = run(monkeypatch, lambda _: fail(Stopped(signal.SIGTERM)), "a", "b")
    assert result.exit_code == 128 + signal.SIGTERM
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize(
    "wrong",
    [
        ["--read-capacity", "5", "--read-capacity-percent", "5"],
        ["--sample", "0"],
        ["--sample", "101"],
        ["--since", "-1"],
        ["--filter", '{"expression": "a", "names": {"n": "n"}}'],
        ["--filter", '{"names": {}}'],
        ["--b", "aws_regio=eu-west-1"],
        ["--format", "xml"],
        ["--output", "gone/differences.jsonl"],
        ["--max-cost", "none"],
    ],
)
def test_what_is_wrong_is_told_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, wrong: list[str]
) -> None:
    from dynamodb_tools.sides import TableSide  # noqa: PLC0415

    monkeypatch.setattr(TableSide, "open", lambda *_: fail(AssertionError("it was opened")))
    result = CliRunner().invoke(tools, ["compare", "a", "b", *wrong])
    assert result.exit_code == 2
    assert "defect" not in result.stderr


def test_the_tables_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMODB_TOOLS_TABLE_A", "a")
    monkeypatch.setenv("DYNAMODB_TOOLS_TABLE_B", "b")
    result, compared = run(monkeypatch, lambda _: 1)
    assert (result.exit_code, compared) == (1, ["a"])


def test_a_report_for_programs_has_no_other_words(monkeypatch: pytest.MonkeyPatch) -> None:
    def answer(name: str) -> int:
        output.write_line(json.dumps({"name": name}))
        return 0

    result, _ = run(monkeypatch, answer, A, B, "--format", "json")
    assert [json.loads(line)["name"] for line in result.stdout.splitlines()] == list(C)
