"""A shorter way through botocore for calls that succeed, with its credentials and its connections.

botocore walks through its endpoint rules and some twenty handlers for every call, and makes every
request anew to sign it. What it sent for an operation on a table is therefore kept as a template:
the next request is the same but for its body, the time and the signature. Only a success ends here.
Anything else is handed to botocore as the first outcome of a call of its own, so that retries,
errors and their counts are what they would have been.
"""

from __future__ import annotations

import contextlib
import re
import threading
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from botocore.awsrequest import AWSPreparedRequest, AWSResponse, HeadersDict
from botocore.exceptions import (
    BotoCoreError,
    ConnectionClosedError,
    NoCredentialsError,
    ReadTimeoutError,
)
from urllib3.exceptions import ClosedPoolError

from dynamodb_core import exchange, signing

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dynamodb_core.signing import Keys

FIRST_FAILURE = 300
DETOUR = 50
"""Calls that go botocore's whole way after a failure: its store of retries fills by such successes."""

CONDITION_FAILED = (400, b"ConditionalCheckFailedException")
"""What a conditional write is answered with that finds an item in its place."""

_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=[^/]+/[0-9]{8}/([^/]+)/([^/]+)/aws4_request, "
    r"SignedHeaders=([a-z0-9;-]+), Signature=[0-9a-f]{64}"
).fullmatch
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


class _Template:
    """What requests for one operation on one table have in common.

    Attributes:
        url: Where they go.
        headers: The headers that are always the same, beside those that `http.client` adds.
        head: The request line and those headers, as they are sent.
        signer: What signs them.
        pool: urllib3's open connections, once one was made.
    """

    def __init__(self, url: str, headers: Mapping[str, str], signer: signing.Signer) -> None:
        self.url = url
        self.headers = headers
        self.signer = signer
        self.pool: Any = None
        same = {"Host": signing.host(url), "Accept-Encoding": "identity", **headers}
        lines = "".join(f"{name}: {value}\r\n" for name, value in same.items())
        self.head = f"POST {urlsplit(url).path} HTTP/1.1\r\n{lines}".encode("ascii")


class Answer(NamedTuple):
    """A success.

    Attributes:
        body: The answer's body.
        headers: Its headers, the names in small letters or whatever their case.
    """

    body: bytes
    headers: Mapping[str, str]


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
        self._timeout: float = client.meta.config.read_timeout
        self._detour = 0
        self._call = threading.local()
        service = client.meta.service_model.service_id.hyphenize()
        client.meta.events.register(f"before-send.{service}", self._before_send)

    def send(
        self, operation: str, table: str, body: bytes
    ) -> Answer | AWSResponse | BotoCoreError | None:
        """Send one request.

        Args:
            operation: DynamoDB's name of the operation.
            table: Name or ARN of the table; may be empty.
            body: The request as JSON.

        Returns:
            A success; or an answer of any other status; or why there is none; None when nothing was
            sent.

        Raises:
            BotoCoreError: There are no usable credentials any more.
        """
        template = self._templates.get((operation, table))
        if template is None:
            return None
        if self._detour > 0:
            self._detour -= 1
            return None
        keys: Keys | None = self._credentials.get_frozen_credentials()
        if keys is None:
            raise NoCredentialsError
        if not _is_printable(keys):
            return None
        try:
            answer = self._send(template, body, keys)
        except BotoCoreError as error:
            self._detour = DETOUR
            return error
        if isinstance(answer, AWSResponse) and not _is_final(answer):
            self._detour = DETOUR
        return answer

    def _send(self, template: _Template, body: bytes, keys: Keys) -> Answer | AWSResponse:
        moment = template.signer.now()
        headers = {"X-Amz-Date": moment}
        if keys.token:
            headers["X-Amz-Security-Token"] = keys.token
        headers["Authorization"] = template.signer.authorization(body, keys, moment)
        headers["Content-Length"] = str(len(body))
        found = self._exchange(template, headers, body)
        if found is None:
            return self._by_urllib3(template, headers, body)
        if found.status < FIRST_FAILURE:
            return Answer(found.body, found.headers)
        told: Any = found.headers
        return AWSResponse(template.url, found.status, told, _Read(found.body))

    def _exchange(
        self, template: _Template, headers: Mapping[str, str], body: bytes
    ) -> exchange.Answer | None:
        """Send over a connection that is open; None when there is none."""
        if template.pool is None:
            return None
        lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        request = b"%b%b\r\n%b" % (template.head, lines.encode("ascii"), body)
        try:
            return exchange.post(template.pool, request, timeout=self._timeout)
        except TimeoutError as error:
            raise ReadTimeoutError(endpoint_url=template.url, error=error) from error
        except exchange.FAILURES as error:
            raise ConnectionClosedError(endpoint_url=template.url, error=error) from error
        except ClosedPoolError:
            return None

    def _by_urllib3(
        self, template: _Template, headers: Mapping[str, str], body: bytes
    ) -> Answer | AWSResponse:
        """Send by way of botocore's session, which opens connections: it knows TLS, proxies, timeouts."""
        session = self.client._endpoint.http_session  # noqa: SLF001 - decision 3
        whole: Any = HeadersDict({**template.headers, **headers})
        found: AWSResponse = session.send(
            AWSPreparedRequest("POST", template.url, whole, body, stream_output=False)
        )
        template.pool = found.raw._pool  # noqa: SLF001
        return Answer(found.content, found.headers) if found.status_code < FIRST_FAILURE else found

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
            template = self._learn(request)
            if template is not None:
                self._templates[key] = template
        answer: AWSResponse | None = outcome
        return answer

    def _learn(self, request: AWSPreparedRequest) -> _Template | None:
        """Return a template, where it gives the very request that botocore has made."""
        sent: Any = request.headers  # text or, against its type, bytes
        headers = {
            name: value.decode() if isinstance(value, bytes) else str(value)
            for name, value in sent.items()
        }
        small = {name.lower(): value for name, value in headers.items()}
        said = small.get("authorization", "")
        found = _AUTHORIZATION(said)
        if found is None or self._credentials is None or not request.url.isascii():
            return None
        region, service, names = found.groups()
        signed = {
            name: small[name] for name in names.split(";") if name in small.keys() - _OF_ONE_REQUEST
        }
        signer = signing.Signer(request.url, signed, signing.Scope(region, service))
        keys = self._credentials.get_frozen_credentials()
        body: Any = request.body or b""
        if signer.authorization(body, keys, small.get(signing.DATE, "")) != said:
            return None
        kept = {n: value for n, value in headers.items() if n.lower() not in _OF_ONE_REQUEST}
        return _Template(request.url, kept, signer)


class _Read:
    """A body that was read already, as `AWSResponse` takes it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self) -> list[bytes]:
        """Return its only part."""
        return [self._body]


def _is_final(answer: AWSResponse) -> bool:
    """Say whether a refusal is an answer like any other, for which botocore takes nothing of its store."""
    return answer.status_code == CONDITION_FAILED[0] and CONDITION_FAILED[1] in answer.content


def _is_printable(keys: Keys) -> bool:
    """Say whether keys can stand in headers as they are."""
    text = f"{keys.access_key}{keys.token or ''}"
    return text.isascii() and text.isprintable()
