"""The tree of errors, and an error as the one line that a person reads."""

from __future__ import annotations

import copy
import pickle
import re

import pytest

from dynamodb_core import errors
from dynamodb_core.errors import CorruptReply, Error, ServiceError

EVERY = [
    kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, Error)
]


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_message_and_hint_are_one_line(kind: type[Error]) -> None:
    error = kind("Table t\nis\r\n  gone", "Look\tfor it")
    assert str(error) == "Table t is gone. Look for it."


@pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)
def test_without_a_hint_the_message_stands_alone(kind: type[Error]) -> None:
    assert str(kind("Table t is gone")) == "Table t is gone."


def test_every_class_stands_in_the_tree_of_the_docstring() -> None:
    """In its place: indented below its base."""
    depths = {
        match[2]: len(match[1])
        for match in re.finditer(r"^([ │├└─]*)(\w+)", errors.__doc__ or "", re.MULTILINE)
    }
    for kind in EVERY:
        assert kind.__name__ in depths, f"{kind.__name__} is missing"
        if kind is not Error:
            assert depths[kind.__name__] > depths[kind.__bases__[0].__name__]


def test_a_service_error_carries_the_services_code() -> None:
    assert ServiceError("no", code="ThrottlingException").code == "ThrottlingException"
    assert CorruptReply("no").code == ""


def test_errors_survive_pickling() -> None:
    """As when a worker process hands one over."""
    for error in (
        Error("what", "do"),
        ServiceError("what", "do", code="Code"),
        CorruptReply("what", code="Code"),
    ):
        for twin in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert (str(twin), vars(twin)) == (str(error), vars(error))
