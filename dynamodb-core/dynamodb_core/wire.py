"""The network edge: DynamoDB as a function from operation and body bytes to body bytes.

botocore keeps what it is good at (credentials, endpoints, signing, retries, error classes); its walk
over every attribute of every item is left out. A request's body is put in just before it is signed,
an answer's body is taken out just before it would be parsed.
"""

from __future__ import annotations

import platform
import threading
import time
import zlib
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

import boto3
from botocore import exceptions as boto_errors
from botocore.awsrequest import AWSResponse
from botocore.config import Config

from dynamodb_core import assume_role
from dynamodb_core.errors import (
    AccessError,
    ConfigError,
    CorruptReply,
    EndpointError,
    Error,
    ServiceError,
    TableNotFound,
)
from dynamodb_core.retry import Backoff
from dynamodb_core.shortcut import FIRST_FAILURE, Shortcut

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from dynamodb_core.settings import AwsSettings

DATA_OPERATIONS = frozenset({"Scan", "Query", "BatchWriteItem", "BatchGetItem"})
"""Operations that are worth many retries; the others fail soon, so that a wrong endpoint is told."""

USER_AGENT = f"ferry-dynamodb Boto3/{boto3.__version__} Python/{platform.python_version()}"
"""Said in whole: botocore would put its own together, twice a call, at a seventh of the call's cost."""

CORRUPT_TRIES = 4
THROTTLED_TRIES = 40
"""Tries of a throttled call after botocore's own. Those come out of a store that all calls share, and
it is empty soon where a table is throttled for long."""

THROTTLED_PAUSES = Backoff(first=1.0, limit=20.0)
MOST_TEXT = 300
"""Characters of an error's text that are shown; a proxy's may be a whole page."""

THROTTLED = ("ProvisionedThroughputExceeded", "ThrottlingException", "RequestLimitExceeded")
ACCESS_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorizedException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
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
            operation: DynamoDB's name of the operation, for example `Scan`.
            body: The request as JSON.
            table: Name or ARN of the table, for the endpoint rules and for messages.

        Returns:
            The whole answer as JSON; its checksum, where there is one, has been verified.

        Raises:
            Error: The call failed after every retry; the class says what the user can do.
        """
        ...


class BotoWire:
    """A `Wire` over botocore's client. Opens its connections at the first call.

    Args:
        settings: Where the service is and who asks.
        connections: How many calls go on at once.
        sleep: Waits for seconds before a damaged or throttled call is tried again.
    """

    def __init__(
        self,
        settings: AwsSettings,
        *,
        connections: int = 10,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self.throttles = 0
        self._settings = settings
        self._connections = connections
        self._sleep = sleep
        self._lock = threading.Lock()
        self._session: boto3.Session | None = None
        self._clients: dict[int, Shortcut] = {}

    @property
    def region(self) -> str:
        """The region that the settings, the environment or the profile name."""
        return str(self._client(tries=4).client.meta.region_name or "")

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        """Carry out one operation; see `Wire.call`."""
        shortcut = self._client(tries=10 if operation in DATA_OPERATIONS else 4)
        params: dict[str, Any] = {_BODY: body}
        if operation == "BatchWriteItem":
            params["RequestItems"] = {table: []}
        elif table:
            params["TableName"] = table
        delays = Backoff().delays()
        for left in reversed(range(CORRUPT_TRIES)):
            try:
                answer = self._patiently(shortcut, operation, table, params)
            except (boto_errors.BotoCoreError, boto_errors.ClientError, ValueError) as error:
                raise explain(error, operation, table, self._settings) from error
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

    def _patiently(
        self, shortcut: Shortcut, operation: str, table: str, params: dict[str, Any]
    ) -> Any:
        def attempt() -> Any:
            answer = shortcut.send(operation, table, params[_BODY])
            if isinstance(answer, AWSResponse) and answer.status_code < FIRST_FAILURE:
                return {_BODY: answer.content, _HEADERS: answer.headers}
            with shortcut.whole(operation, table, answer):
                return shortcut.client._make_api_call(operation, params.copy())  # noqa: SLF001 -
                # every public method of a client is this call under another name

        pauses = islice(THROTTLED_PAUSES.delays(), THROTTLED_TRIES)
        while True:
            try:
                return attempt()
            except boto_errors.ClientError as error:
                pause = next(pauses, None) if _throttled(error) else None
                if pause is None:
                    raise
            self._sleep(pause)

    def _client(self, *, tries: int) -> Shortcut:
        with self._lock:
            if tries not in self._clients:
                self._clients[tries] = self._open(tries)
            return self._clients[tries]

    def _open(self, tries: int) -> Shortcut:
        settings = self._settings
        config = Config(
            parameter_validation=False,
            max_pool_connections=self._connections,
            connect_timeout=10,
            read_timeout=60,
            tcp_keepalive=True,
            retries={"mode": "standard", "total_max_attempts": tries},
            user_agent=USER_AGENT,
        )
        try:
            if self._session is None:
                self._session = open_session(settings)
            client = self._session.client(
                "dynamodb", endpoint_url=settings.endpoint_url, config=config
            )
            credentials = self._session.get_credentials()
        except (boto_errors.BotoCoreError, ValueError) as error:
            raise explain(error, "the first call", "", settings) from error
        events = client.meta.events
        events.register("before-parameter-build.dynamodb", _hold_body)
        events.register("before-call.dynamodb", _put_body)
        events.register("before-parse.dynamodb", self._take_body)
        return Shortcut(client, credentials)

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
        elif any(code.encode() in body for code in THROTTLED):
            with self._lock:
                self.throttles += 1


def open_session(settings: AwsSettings) -> boto3.Session:
    """Return a session with the credentials and the region of the settings.

    Args:
        settings: Who asks, and where.

    Raises:
        BotoCoreError: The profile does not exist, or the keys are incomplete.
    """
    session = boto3.Session(
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
        aws_session_token=settings.session_token,
        region_name=settings.region,
        profile_name=settings.profile,
    )
    if settings.assume_role_arn:
        return boto3.Session(
            botocore_session=assume_role.session(session, settings), region_name=settings.region
        )
    return session


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


def explain(error: Exception, operation: str, table: str, settings: AwsSettings) -> Error:
    """Turn botocore's error into ours, by what the user can do about it.

    Args:
        error: What botocore raised.
        operation: The operation that failed.
        table: The table it was about; may be empty.
        settings: Where the service is.

    Returns:
        The error to raise. No secret is in it.
    """
    place = f"region {settings.region or 'of the environment'}"
    if settings.endpoint_url:
        place = f"{settings.endpoint_url}, {place}"
    what = f"{operation} on table {table}" if table else operation
    if isinstance(error, boto_errors.ClientError):
        code = error.response.get("Error", {}).get("Code", "")
        text = _discreet(str(error.response.get("Error", {}).get("Message", "")), settings)
        if code == "ResourceNotFoundException":
            return TableNotFound(
                f"Table {table} does not exist ({place})",
                "Check its name, aws_region, aws_endpoint_url and the account of the credentials",
            )
        if code in ACCESS_CODES:
            return AccessError(
                f"{what} is refused with {code}: {text} ({place})",
                "Check the credentials and their permission for this call",
            )
        if code.startswith(("3", "4")):  # a status alone, where DynamoDB gives a code
            return EndpointError(
                f"{what} was answered with {code}, and not by DynamoDB: {text} ({place})",
                "Check aws_endpoint_url, and proxies on the way",
            )
        return ServiceError(
            f"{what} failed with {code}: {text} ({place})", "Run again to go on", code=code
        )
    if isinstance(
        error,
        boto_errors.NoCredentialsError
        | boto_errors.PartialCredentialsError
        | boto_errors.CredentialRetrievalError
        | boto_errors.TokenRetrievalError
        | boto_errors.UnauthorizedSSOTokenError,
    ):
        return AccessError(
            f"There are no usable AWS credentials: {error}".rstrip(". "),
            "Set aws_access_key_id and aws_secret_access_key, aws_profile, or the environment",
        )
    if isinstance(error, boto_errors.ProfileNotFound):
        return ConfigError(str(error).rstrip(". "), "Check aws_profile")
    if isinstance(error, boto_errors.NoRegionError):
        return ConfigError("No AWS region is set", "Set aws_region, for example eu-west-1")
    if isinstance(error, ValueError):
        return ConfigError(str(error).rstrip(". "), "Check aws_endpoint_url and aws_region")
    return EndpointError(
        f"{what} did not reach DynamoDB ({place}): {error}".rstrip(". "),
        "Check aws_endpoint_url, aws_region and the network",
    )


def _throttled(error: boto_errors.ClientError) -> bool:
    """Return whether a call may succeed when it is tried again, and botocore will not."""
    code = error.response.get("Error", {}).get("Code", "")
    return code.startswith(THROTTLED) or "RetryQuotaReached" in error.response["ResponseMetadata"]


def _discreet(text: str, settings: AwsSettings) -> str:
    """Return an error's text, shortened, without the request that some refusals repeat."""
    text = text.partition("\n\n")[0]
    for secret in (
        settings.access_key_id,
        settings.secret_access_key,
        settings.session_token,
        settings.assume_role_external_id,
    ):
        if secret:
            text = text.replace(secret, "***")
    return (text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…").rstrip(". ")


def _hold_body(params: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    context[_BODY] = params.pop(_BODY)


def _put_body(params: dict[str, Any], context: dict[str, Any], **_event: object) -> None:
    params["body"] = context.pop(_BODY)
