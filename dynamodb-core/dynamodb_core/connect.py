"""Sessions and clients of AWS's services, as the settings say: who asks, where, and which way."""

from __future__ import annotations

import logging
import platform
import re
import ssl
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
import botocore.session
from botocore.config import Config

from dynamodb_core import assume_role
from dynamodb_core.errors import ConfigError
from dynamodb_core.explain import FAILURES, explain
from dynamodb_core.settings import is_open

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_core.settings import AwsSettings

USER_AGENT = f"ferry-dynamodb Boto3/{boto3.__version__} Python/{platform.python_version()}"
"""Said in whole: botocore would put its own together, twice a call, at a seventh of the call's cost."""

_NOTHING: Mapping[str, Any] = {"BatchWriteItem": [], "BatchGetItem": {}}
"""What these operations would do to no item; they name their tables as keys of `RequestItems`."""

_ARN_REGION = re.compile("arn:[^:]+:(?:dynamodb|kinesis):([^:]+):")

_OF_STREAMS = ("StreamArn", "StreamARN", "ShardIterator")
"""What the endpoint rules of the services of streams look at. An iterator of DynamoDB Streams begins with
the stream's ARN, and they take that out of it."""

log = logging.getLogger("ferry-dynamodb")


class Session(botocore.session.Session):
    """A session that goes by the settings wherever a client is opened.

    botocore opens some for itself: STS for a profile's role or a web identity, SSO for a token.

    Args:
        settings: Which endpoints, proxy, CA bundle and profile.
        told: Endpoints over plain http that need no more warning; more are put in.
    """

    def __init__(self, settings: AwsSettings, told: set[str]) -> None:
        super().__init__(profile=settings.profile)
        self.settings = settings
        self._told = told
        common: dict[str, Any] = {}
        if settings.proxy_url:
            common["proxies"] = {"http": settings.proxy_url, "https": settings.proxy_url}
        if settings.account_id_endpoint_mode:
            common["account_id_endpoint_mode"] = settings.account_id_endpoint_mode
        self.set_default_client_config(Config(**common))
        if settings.ca_bundle:
            self.set_config_variable("ca_bundle", settings.ca_bundle)

    def create_client(self, service_name: str, *arguments: Any, **keywords: Any) -> Any:
        """Open a client, as `botocore.session.Session` does; plain http is warned of, once.

        Args:
            service_name: botocore's name of the service.
            *arguments: As botocore takes them.
            **keywords: As botocore takes them; an `endpoint_url` goes before the settings.
        """
        own = keywords.get("endpoint_url") or self.settings.endpoint_of(service_name)
        client = super().create_client(
            service_name, *arguments, **{**keywords, "endpoint_url": own}
        )
        url = client.meta.endpoint_url
        if is_open(url) and url not in self._told:
            self._told.add(url)
            log.warning(
                "Calls to %s go over plain http, for everyone on the way to read and to change; "
                "use https",
                url,
            )
        return client


def open_session(settings: AwsSettings, told: set[str] | None = None) -> boto3.Session:
    """Return a session with the credentials and the region of the settings.

    Args:
        settings: Who asks, and where.
        told: Endpoints over plain http that need no more warning; more are put in.

    Raises:
        ConfigError: The profile does not exist, or the CA bundle cannot be read.
        AccessError: A role is to be assumed, by nobody.
    """
    _check_ca_bundle(settings)
    logging.getLogger("botocore.credentials").addFilter(_in_one_line)
    told = set() if told is None else told
    try:
        session = boto3.Session(
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
            aws_session_token=settings.session_token,
            region_name=settings.region,
            botocore_session=Session(settings, told),
        )
        if settings.assume_role_arn:
            assumed = Session(settings, told)
            assume_role.provide(assumed, session, settings)
            return boto3.Session(botocore_session=assumed, region_name=settings.region)
    except FAILURES as error:
        raise explain(error, "the first call", "", settings) from error
    return session


def _in_one_line(said: logging.LogRecord) -> bool:
    """Put the reason in place of the traceback where credentials could not be renewed."""
    error = said.exc_info[1] if said.exc_info else None
    if error is not None:
        response: dict[str, Any] = getattr(error, "response", {})
        reason = response.get("Error", {}).get("Code") or type(error).__name__
        said.msg, said.args = f"{said.getMessage()} {reason}", ()
        said.exc_info = None
    return True


def open_client(
    session: boto3.Session, service: str, *, tries: int = 4, connections: int = 10, **more: Any
) -> Any:
    """Return botocore's client of a service; nothing is sent yet.

    Args:
        session: What `open_session` returned.
        service: `dynamodb`, `dynamodbstreams`, `kinesis`, `s3` or `sts`.
        tries: How often a call is tried in all.
        connections: How many calls go on at once.
        **more: More of `botocore.config.Config`.

    Raises:
        ConfigError: A setting, here or of the environment or the profile, is wrong.
        AccessError: There are no usable credentials.
    """
    config = Config(
        max_pool_connections=connections,
        connect_timeout=10,
        read_timeout=60,
        tcp_keepalive=True,
        retries={"mode": "standard", "total_max_attempts": tries},
        user_agent=USER_AGENT,
        **more,
    )
    inner: Any = session._session  # noqa: SLF001 - boto3 has no other name for it
    try:
        return session.client(service, config=config)  # type: ignore[call-overload]
    except FAILURES as error:
        raise explain(error, "the first call", "", inner.settings) from error


def endpoint_parameters(client: Any, operation: str, table: str) -> dict[str, Any]:
    """Return what botocore's endpoint rules look at in a request.

    Args:
        client: botocore's client of DynamoDB, DynamoDB Streams or Kinesis.
        operation: The service's name of the operation.
        table: Name or ARN of what it is about, the ARN of a stream; may be empty.

    Raises:
        ConfigError: The table or stream is in another region than the client speaks to.
    """
    if not table:
        return {}
    service = client.meta.service_model.service_name
    kind = "Table" if service == "dynamodb" else "Stream"
    arn, region = _ARN_REGION.match(table), client.meta.region_name
    regional = region in urlsplit(client.meta.endpoint_url).netloc.split(".")  # no engine's own
    if arn and arn[1] != region and regional:
        raise ConfigError(
            f"{kind} {table} is in region {arn[1]}, and the calls go to region {region}",
            f"Set aws_region to {arn[1]}; {kind.lower()}s of several regions take a plugin for each",
        )
    if operation in _NOTHING:
        return {"RequestItems": {table: _NOTHING[operation]}}
    if operation == "ImportTable":
        return {"TableCreationParameters": {"TableName": table}}
    if operation not in client.meta.service_model.operation_names:
        raise ConfigError(
            f"The installed botocore does not know {operation}, which is newer than it is",
            "Update boto3 and botocore",
        )
    model = client.meta.service_model.operation_model(operation)
    names = {each.name: each.member_name for each in model.context_parameters}
    if service == "dynamodb":
        return {names.get("ResourceArn", "TableName"): table}
    return {names[name]: table for name in _OF_STREAMS if name in names}


def _check_ca_bundle(settings: AwsSettings) -> None:
    """Look into the file now: later it would fail as a connection does, and be tried again."""
    path = settings.ca_bundle
    if path is None:
        return
    hint = "Give the path of a PEM file with certificates"
    if not Path(path).is_file():
        raise ConfigError(f"aws_ca_bundle {path} is no file", hint)
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:  # an ssl.SSLError is one
        raise ConfigError(
            f"aws_ca_bundle {path} cannot be read: {error}".rstrip(". "), hint
        ) from error
