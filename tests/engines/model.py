"""Whether a request is one that botocore's model of DynamoDB knows: for what no engine here takes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore.session
from botocore.validate import ParamValidator

if TYPE_CHECKING:
    from botocore.model import ServiceModel


@cache
def _service() -> ServiceModel:
    return botocore.session.Session().get_service_model("dynamodb")


def complaints(operation: str, request: dict[str, Any]) -> list[str]:
    """Return what is wrong with a request.

    botocore's own check looks at members, types and the least of lengths and values; words of an
    enumeration and the most of lengths are looked at here.
    """
    shape = _service().operation_model(operation).input_shape
    assert shape is not None
    report = ParamValidator().validate(request, shape)
    found = [report.generate_report()] if report.has_errors() else []
    return found or list(_beyond(shape, request, operation))


def _beyond(shape: Any, value: Any, where: str) -> list[str]:
    if shape.type_name == "structure":
        return [
            each
            for name, inner in value.items()
            for each in _beyond(shape.members[name], inner, f"{where}.{name}")
        ]
    found = []
    most = shape.metadata.get("max")
    if shape.type_name == "list":
        found = [
            each for n, v in enumerate(value) for each in _beyond(shape.member, v, f"{where}.{n}")
        ]
    elif (words := shape.metadata.get("enum")) and value not in words:
        found = [f"{where}: {value!r} is none of {words}"]
    size = len(value) if isinstance(value, str | list) else 0
    return found + ([f"{where}: {size} is more than {most}"] if most and size > most else [])
