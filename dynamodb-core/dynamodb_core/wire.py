"""The network edge: DynamoDB, and its streams, as a function from operation and body bytes to body bytes.

botocore keeps what it is good at (credentials, endpoints, signing, retries, error classes); its walk
over every attribute of every item is left out. A request's body is put in just before it is signed,
an answer's body is taken out just before it would be parsed.
"""

from __future__ import annotations

import logging
import re
import threading
import time
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from botocore import exceptions as boto_errors

from dynamodb_core import throttling
from dynamodb_core.connect import endpoint_parameters, open_client, open_session
from dynamodb_core.errors import AccessError, CorruptReply, ServiceError
from dynamodb_core.explain import FAILURES, explain, throttle_codes, throttled
from dynamodb_core.retry import Backoff
from dynamodb_core.shortcut import FIRST_FAILURE, Answer, Shortcut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import boto3

    from dynamodb_core.settings import AwsSettings
    from dynamodb_core.throttling import Throttle

DATA_OPERATIONS = frozenset(
    {
        "Scan",
        "Query",
        "BatchWriteItem",
        "BatchGetItem",
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "GetRecords",
    }
)
"""Operations that are worth many retries; the others fail soon, so that a wrong endpoint is told."""

CORRUPT_TRIES = 4
THROTTLED_TRIES = 40
"""Tries of a throttled call after botocore's own. Those come out of a store that all calls share, and
it is empty soon where a table is throttled for long."""

STREAM_THROTTLED_TRIES = 3
"""The same, of a stream: all of them take less than the five minutes that an iterator of Kinesis lives."""

THROTTLED_PAUSES = Backoff(first=1.0, limit=20.0)

BY_INDEX = b'"ReturnConsumedCapacity":"INDEXES"'
"""How a request asks for the units of each index. No item holds these bytes: an attribute's value is
an object, and quotes inside a text are escaped."""

IN_ALL = b'"ReturnConsumedCapacity":"TOTAL"'
_REFUSES_BY_INDEX = re.compile("INDEXES|ReturnConsumedCapacity", re.IGNORECASE)

log = logging.getLogger("ferry-dynamodb")

_BODY = "RawBody"
_HEADERS = "RawHeaders"


class Wire(Protocol):
    """Something that carries out DynamoDB's operations on JSON bytes."""

    throttles: int
    """How many answers so far were throttled (and tried again)."""

    @property
    def region(self) -> str:
        """The region of the tables; empty when it is not known."""
        ...

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        """Carry out one operation.

        Args:
            operation: The service's name of the operation, for example `Scan`.
            body: The request as JSON.
            table: Name or ARN of the table, or the ARN of the stream, for the endpoint rules and for
                messages.

        Returns:
            The whole answer as JSON; its checksum, where there is one, has been verified.

        Raises:
            Error: The call failed after every retry; the class says what the user can do.
        """
        ...

    def watch(self, table: str, listener: Callable[[Throttle], object]) -> Callable[[], None]:
        """Tell somebody of each try of a call about a table that is throttled.

        Args:
            table: The table as `call` is told of it.
            listener: Called once for each reason, in the thread of the call.

        Returns:
            What ends the watch.
        """
        ...


class BotoWire:
    """A `Wire` over botocore's client. Opens its connections at the first call.

    It can be pickled: in another process it opens connections of its own.

    Args:
        settings: Where the service is and who asks.
        connections: How many calls go on at once.
        service: botocore's name of the service: `dynamodb`, `dynamodbstreams` or `kinesis`.
        sleep: Waits for seconds before a damaged or throttled call is tried again.
    """

    def __init__(
        self,
        settings: AwsSettings,
        *,
        connections: int = 10,
        service: str = "dynamodb",
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.throttles = 0
        self._settings = settings
        self._connections = connections
        self._service = service
        self._sleep = sleep
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[int, Shortcut] = {}
        self._in_all = False
        self._told: set[str] = set()
        self._listeners: dict[str, list[Callable[[Throttle], object]]] = {}
        self._under_way = threading.local()

    @property
    def region(self) -> str:
        """The region that the settings, the environment or the profile name."""
        return str(self._client(tries=4).client.meta.region_name or "")

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        """Carry out one operation; see `Wire.call`.

        A server that refuses to tell the units of each index is asked for their sum instead.
        """
        if self._in_all:
            body = body.replace(BY_INDEX, IN_ALL)
        try:
            return self._call(operation, body, table)
        except ServiceError as error:
            if not (
                error.code == "ValidationException"
                and _REFUSES_BY_INDEX.search(error.message)
                and BY_INDEX in body
            ):
                raise
        answer = self._call(operation, body.replace(BY_INDEX, IN_ALL), table)
        self._go_on_in_all()
        return answer

    def watch(self, table: str, listener: Callable[[Throttle], object]) -> Callable[[], None]:
        """Tell somebody of throttled tries; see `Wire.watch`. Those that botocore repeats count too."""
        with self._lock:
            self._listeners[table] = [*self._listeners.get(table, ()), listener]

        def end() -> None:
            with self._lock:
                self._listeners[table] = [
                    each for each in self._listeners[table] if each is not listener
                ]

        return end

    def __getstate__(self) -> dict[str, Any]:
        """Return what it was made of and what it has said, so that this is said once."""
        with self._lock:
            made = {
                "settings": self._settings,
                "connections": self._connections,
                "service": self._service,
            }
            return {"made": made, "in_all": self._in_all, "told": set(self._told)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        BotoWire.__init__(self, **state["made"])
        self._in_all, self._told = state["in_all"], state["told"]

    def _call(self, operation: str, body: bytes, table: str) -> bytes:
        self._under_way.table = table
        shortcut = self._client(tries=10 if operation in DATA_OPERATIONS else 4)
        delays = Backoff().delays()
        for left in reversed(range(CORRUPT_TRIES)):
            try:
                answer = self._patiently(shortcut, operation, table, body)
            except FAILURES as error:
                raise explain(error, operation, table, self._settings, self._service) from error
            except RuntimeError as error:
                if "expired" not in str(error):
                    raise
                raise AccessError(str(error).rstrip(". "), "Check this machine's clock") from error
            reply: bytes = answer[_BODY]
            fault = damage(reply, answer[_HEADERS])
            if not fault:
                return reply
            if left:
                self._sleep(next(delays))
        raise CorruptReply(
            f"{operation} on {table or 'DynamoDB'}: {fault}, {CORRUPT_TRIES} times in a row",
            "A proxy between here and DynamoDB may damage answers; run again to go on",
            code="CorruptReply",
        )

    def _patiently(self, shortcut: Shortcut, operation: str, table: str, body: bytes) -> Any:
        def attempt() -> Any:
            answer = shortcut.send(operation, table, body)
            if isinstance(answer, Answer):
                return {_BODY: answer.body, _HEADERS: answer.headers}
            parameters = endpoint_parameters(shortcut.client, operation, table)
            with shortcut.whole(operation, table, answer):
                # every public method of a client is this one under another name
                return shortcut.client._make_api_call(operation, {**parameters, _BODY: body})  # noqa: SLF001

        tries = THROTTLED_TRIES if self._service == "dynamodb" else STREAM_THROTTLED_TRIES
        pauses = islice(THROTTLED_PAUSES.delays(), tries)
        while True:
            try:
                return attempt()
            except boto_errors.ClientError as error:
                pause = next(pauses, None) if throttled(error, self._service) else None
                if pause is None:
                    raise
            self._sleep(pause)

    def _go_on_in_all(self) -> None:
        with self._lock:
            told, self._in_all = self._in_all, True
        if not told:
            log.warning(
                "%s does not tell the capacity units of each index; going on with their sum, which "
                "counts against the capacity of the table",
                self._client(tries=10).client.meta.endpoint_url,
            )

    def _client(self, *, tries: int) -> Shortcut:
        with self._lock:
            if tries not in self._clients:
                self._clients[tries] = self._open(tries)
            return self._clients[tries]

    def _open(self, tries: int) -> Shortcut:
        if self._session is None:
            self._session = open_session(self._settings, self._told)
        client = open_client(
            self._session,
            self._service,
            tries=tries,
            connections=self._connections,
            parameter_validation=False,
        )
        events, name = client.meta.events, client.meta.service_model.service_id.hyphenize()
        events.register(f"before-parameter-build.{name}", _hold_body)
        events.register(f"before-call.{name}", _put_body)
        events.register(f"before-parse.{name}", self._take_body)
        return Shortcut(client, self._session.get_credentials())

    def _take_body(
        self,
        response_dict: dict[str, Any],
        customized_response_dict: dict[str, Any],
        **_event: object,
    ) -> None:
        body = response_dict["body"]
        if response_dict["status_code"] < FIRST_FAILURE:
            customized_response_dict[_BODY] = body
            customized_response_dict[_HEADERS] = response_dict["headers"]
            response_dict["body"] = b"{}"
        elif any(code.encode() in body for code in throttle_codes(self._service)):
            with self._lock:
                self.throttles += 1
            for throttle in throttling.reasons(body):
                for tell in self._listeners.get(getattr(self._under_way, "table", ""), ()):
                    tell(throttle)


def damage(body: bytes, headers: Mapping[str, str]) -> str:
    """Say what is wrong with an answer's body; botocore hands out damaged ones as success.

    Args:
        body: The body as it arrived.
        headers: The answer's headers.

    Returns:
        What is wrong, in words; empty when nothing is.
    """
    expected = headers.get("x-amz-crc32")
    if expected is not None and zlib.crc32(body) != int(expected):
        return "the answer does not fit its checksum"
    if not (body.startswith(b"{") and body.rstrip().endswith(b"}")):
        return f"the answer of {len(body)} bytes is no whole JSON object"
    return ""


def _hold_body(params: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    context[_BODY] = params.pop(_BODY)


def _put_body(params: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    params["body"] = context.pop(_BODY)
