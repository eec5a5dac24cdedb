"""Formulas of a configuration: functions that they can call, and errors that name them; pure.

The evaluator is handed in; of it only what stands here is used: `functions`, `names`, `eval`.
"""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

from dynamodb_core.epochs import FUNCTIONS
from dynamodb_core.errors import DataError, Error

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHOLE = "int(1) and ({})"
"""How a formula says to who reads only its beginning that it makes a whole number. Its value is that
of the formula."""


class Evaluator:
    """An evaluator of formulas over the names of a record, dressed.

    Attributes:
        names: What names stand for; set before each `eval`.

    Args:
        evaluator: The evaluator that computes.
        stream: The stream whose records they are, for messages.
    """

    def __init__(self, evaluator: Any, stream: str) -> None:
        self.names: dict[str, Any] = {}
        self._evaluator = evaluator
        self._evaluator.functions.update(FUNCTIONS)
        self._stream = stream

    def eval(self, expr: str, previously_parsed: Any = None) -> Any:
        """Return the value of a formula.

        Args:
            expr: The formula.
            previously_parsed: The same, parsed.

        Raises:
            DataError: It fails on these names; the message names stream, formula and value.
        """
        before, after = _WHOLE.split("{}")
        said = expr.removeprefix(before).removesuffix(after) if expr.startswith(before) else expr
        self._evaluator.names = self.names
        try:
            return self._evaluator.eval(said, previously_parsed=previously_parsed)
        except Exception as error:  # the formula is the user's own program
            ours = error if isinstance(error, Error) else Error(str(error).rstrip(". "))
            raise DataError(
                f"A stream map of stream {self._stream} fails on a record: {said}: {ours.message}",
                ours.hint or "Correct stream_maps",
            ) from error


def dressed(evaluator: Any, stream: str) -> Any:
    """Return an evaluator with our functions and our errors, in place of itself.

    Args:
        evaluator: An evaluator, dressed or not.
        stream: The stream's name, for messages.
    """
    return evaluator if isinstance(evaluator, Evaluator) else Evaluator(evaluator, stream)


def typed(stream_maps: Mapping[str, Any]) -> dict[str, Any]:
    """Return stream maps in which what our functions make is told as a whole number.

    The SDK takes a property's type from how its expression begins, and takes others for text, or for
    what the property was before.

    Args:
        stream_maps: The setting; it is not changed.
    """
    return {
        stream: {name: _told(name, said) for name, said in map_.items()}
        if isinstance(map_, dict)
        else map_
        for stream, map_ in stream_maps.items()
    }


def _told(name: str, said: Any) -> Any:
    if not isinstance(said, str) or (name.startswith("__") and name.endswith("__")):
        return said
    try:
        return _WHOLE.format(said) if _whole(ast.parse(said, mode="eval").body) else said
    except SyntaxError:
        return said  # the SDK says so


def _whole(node: ast.expr) -> bool:
    """Return whether an expression makes a whole number, as far as its own words tell."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in FUNCTIONS
    if isinstance(node, ast.BinOp):
        kept = isinstance(node.op, ast.Add | ast.Sub | ast.Mult | ast.FloorDiv)
        return kept and _whole(node.left) and _whole(node.right)
    if isinstance(node, ast.IfExp):
        return all(_whole(part) or ast.unparse(part) == "None" for part in (node.body, node.orelse))
    return isinstance(node, ast.Constant) and type(node.value) is int
