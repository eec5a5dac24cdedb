"""A shorter way through botocore for calls that succeed, with its credentials and its connections.

botocore walks through its endpoint rules and some twenty handlers for every call, which costs as much
as signing and sending together. What it sent for an operation on a table is therefore kept as a
template: the next request is the same but for its body, the time and the signature. Only a success
ends here. Anything else is handed to botocore as the first outcome of a call of its own, so that
retries, errors and their counts are what they would have been.
"""

from __future__ import annotations

import contextlib
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from botocore.awsrequest import AWSPreparedRequest, AWSResponse

FIRST_FAILURE = 300
DETOUR = 50
"""Calls that go botocore's whole way after a failure: its store of retries fills by such successes."""

_SCOPE = re.compile(r"^AWS4-HMAC-SHA256 Credential=[^/]+/\d+/([^/]+)/([^/]+)/aws4_request,")
_OF_ONE_REQUEST = frozenset(
    {
        "amz-sdk-invocation-id",
        "amz-sdk-request",
        "authorization",
        "content-length",
        "x-amz-date",
        "x-amz-security-token",
    }
)


class _Template(NamedTuple):
    url: str
    headers: Mapping[str, str]
    region: str
    service: str


class Shortcut:
    """The short way beside one client. Threads may share it.

    Attributes:
        client: botocore's client.

    Args:
        client: The same.
        credentials: What its session signs with; None when there is nothing.
    """

    def __init__(self, client: Any, credentials: Any) -> None:
        self.client = client
        self._credentials = credentials
        self._templates: dict[tuple[str, str], _Template] = {}
        self._detour = 0
        self._call = threading.local()
        client.meta.events.register("before-send.dynamodb", self._before_send)

    def send(self, operation: str, table: str, body: bytes) -> AWSResponse | BotoCoreError | None:
        """Send one request.

        Args:
            operation: DynamoDB's name of the operation.
            table: Name or ARN of the table; may be empty.
            body: The request as JSON.

        Returns:
            The answer, whatever its status; or why there is none; None when nothing was sent.

        Raises:
            BotoCoreError: There are no usable credentials any more.
        """
        template = self._templates.get((operation, table))
        if template is None:
            return None
        if self._detour > 0:
            self._detour -= 1
            return None
        request = AWSRequest("POST", template.url, template.headers, body)
        signer = self._credentials.get_frozen_credentials()
        SigV4Auth(signer, template.service, template.region).add_auth(request)
        session = self.client._endpoint.http_session  # noqa: SLF001 - it knows TLS, proxies and
        # timeouts, and shares its connections with botocore's whole way
        try:
            answer: AWSResponse = session.send(request.prepare())
        except BotoCoreError as error:
            self._detour = DETOUR
            return error
        if answer.status_code >= FIRST_FAILURE:
            self._detour = DETOUR
        return answer

    @contextlib.contextmanager
    def whole(
        self, operation: str, table: str, outcome: AWSResponse | BotoCoreError | None
    ) -> Iterator[None]:
        """Let a call of botocore's begin with what became of the short way, and learn from it.

        Args:
            operation: DynamoDB's name of the operation.
            table: Name or ARN of the table; may be empty.
            outcome: What `send` returned: the call's first try is then not sent again.
        """
        self._call.key, self._call.outcome = (operation, table), outcome
        try:
            yield
        finally:
            self._call.key = self._call.outcome = None

    def _before_send(self, request: AWSPreparedRequest, **_event: object) -> AWSResponse | None:
        key = getattr(self._call, "key", None)
        if key is None:
            return None
        outcome, self._call.outcome = self._call.outcome, None
        if isinstance(outcome, BotoCoreError):
            raise outcome
        if key not in self._templates:
            self._learn(key, request)
        answer: AWSResponse | None = outcome
        return answer

    def _learn(self, key: tuple[str, str], request: AWSPreparedRequest) -> None:
        sent: Any = request.headers  # text or, against its type, bytes
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in sent.items()
        }
        scope = _SCOPE.match(headers.get("Authorization", ""))
        if scope is None or self._credentials is None:
            return
        kept = {n: value for n, value in headers.items() if n.lower() not in _OF_ONE_REQUEST}
        self._templates[key] = _Template(request.url, kept, scope[1], scope[2])
