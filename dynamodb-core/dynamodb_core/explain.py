"""botocore's errors in our words, by what the user can do about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from botocore import exceptions as boto_errors

from dynamodb_core.errors import (
    AccessError,
    ConfigError,
    EndpointError,
    Error,
    ServiceError,
    StreamNotFound,
    TableNotFound,
)

if TYPE_CHECKING:
    from dynamodb_core.settings import AwsSettings

FAILURES = (boto_errors.BotoCoreError, boto_errors.ClientError, ValueError)
"""What a call or the opening of a client raises, and `explain` takes."""

MOST_TEXT = 300
"""Characters of an error's text that are shown; a proxy's may be a whole page."""

_SERVICES = {
    "dynamodb": ("aws_endpoint_url", "DynamoDB"),
    "dynamodbstreams": ("aws_endpoint_url_streams", "DynamoDB Streams"),
    "kinesis": ("aws_endpoint_url_kinesis", "Kinesis"),
    "s3": ("aws_endpoint_url_s3", "S3"),
}
"""The setting of a service's endpoint, and its name, by botocore's name of it."""

THROTTLED = ("ProvisionedThroughputExceeded", "ThrottlingException", "RequestLimitExceeded")
STREAM_THROTTLED = (*THROTTLED, "LimitExceededException", "KMSThrottlingException")
"""How codes begin that say that too much is asked of a service of streams; for tables, a limit that is
exceeded is none of reading."""

TWO_READERS = (
    "A shard takes two readers at once: see what else reads the stream (functions, replicas, "
    "other runs)"
)
_CROWDED = {
    "dynamodbstreams": TWO_READERS,
    "kinesis": "A shard gives 2 MB and five reads a second to all its readers: see what else reads the "
    "stream",
}
"""Why reads of a stream are throttled, by botocore's name of its service."""

ACCESS_CODES = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidClientTokenId",
        "InvalidSignatureException",
        "KMSAccessDeniedException",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "NotAuthorizedException",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)


class _About(NamedTuple):
    """What a call was about, and where it went."""

    service: str
    name: str
    setting: str
    what: str
    thing: str
    place: str


def explain(
    error: Exception, operation: str, table: str, settings: AwsSettings, service: str = "dynamodb"
) -> Error:
    """Turn botocore's error into ours, by what the user can do about it.

    Args:
        error: What botocore raised.
        operation: The operation that failed.
        table: The table or stream it was about; may be empty.
        settings: Where the service is.
        service: botocore's name of the service.

    Returns:
        The error to raise. No secret is in it.
    """
    place = f"region {settings.region or 'of the environment'}"
    own = settings.endpoint_of(service)
    if own:
        place = f"{own}, {place}"
    setting, name = _SERVICES[service]
    if service in _CROWDED and own == settings.endpoint_url and own:
        setting = "aws_endpoint_url"
    thing = f"{'stream' if service in _CROWDED else 'table'} {table}".rstrip()
    what = f"{operation} on {thing}" if table else operation
    if isinstance(error, boto_errors.ClientError):
        return _refusal(error, _About(service, name, setting, what, thing, place), settings)
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
    wrong = _setting(error)
    if wrong:
        return ConfigError(*wrong)
    said = str(error)
    hint = f"Check {setting}, aws_region and the network"
    known: dict[str, Any] = getattr(error, "kwargs", {})
    if isinstance(error, boto_errors.SSLError):
        hint = "Check aws_ca_bundle, or AWS_CA_BUNDLE, and the certificate of the endpoint or proxy"
    elif isinstance(error, boto_errors.ProxyConnectionError):
        hint = "Check aws_proxy_url, or HTTPS_PROXY and NO_PROXY, and its certificate if it has one"
        said = _discreet(f"{said}: {known.get('error')}", settings)
    elif _is_sts(str(known.get("endpoint_url")), settings):
        hint = "Check aws_endpoint_url_sts, aws_region and the network"
    return EndpointError(f"{what} did not reach {name} ({place}): {said}".rstrip(". "), hint)


def throttle_codes(service: str) -> tuple[str, ...]:
    """Return how the codes begin by which a service says that it is asked too much.

    Args:
        service: botocore's name of the service.
    """
    return STREAM_THROTTLED if service in _CROWDED else THROTTLED


def throttled(error: boto_errors.ClientError, service: str = "dynamodb") -> bool:
    """Say whether a call may succeed when it is tried again, and botocore will not.

    Args:
        error: What the call raised.
        service: botocore's name of the service.
    """
    code = error.response.get("Error", {}).get("Code", "")
    return (
        code.startswith(throttle_codes(service))
        or "RetryQuotaReached" in error.response["ResponseMetadata"]
    )


def _refusal(error: boto_errors.ClientError, about: _About, settings: AwsSettings) -> Error:
    service, name, setting, what, thing, place = about
    code = error.response.get("Error", {}).get("Code", "")
    text = _discreet(str(error.response.get("Error", {}).get("Message", "")), settings)
    if code == "ResourceNotFoundException":
        absent, sign = (StreamNotFound, "ARN") if service in _CROWDED else (TableNotFound, "name")
        return absent(
            f"{thing[:1].upper()}{thing[1:]} does not exist ({place})",
            f"Check its {sign}, aws_region, {setting} and the account of the credentials",
        )
    if code in ACCESS_CODES and error.operation_name == "AssumeRole":
        return AccessError(
            f"The role {settings.assume_role_arn} cannot be assumed: {code}: {text}".rstrip(". "),
            "Check aws_assume_role_arn and its external id, the role's trust, and the permission of "
            "the credentials to assume it",
        )
    if code in ACCESS_CODES:
        return AccessError(
            f"{what} is refused with {code}: {text} ({place})",
            "Check the credentials and their permission for this call",
        )
    if code.startswith(("3", "4")):  # a status alone, where DynamoDB gives a code
        return EndpointError(
            f"{what} was answered with {code}, and not by {name}: {text} ({place})",
            f"Check {setting}, and proxies on the way",
        )
    hint = "Run again to go on"
    crowded = _CROWDED.get(service)
    if crowded and error.operation_name == "GetRecords" and code.startswith(STREAM_THROTTLED):
        hint = f"{crowded}, and run again to go on"
    return ServiceError(f"{what} failed with {code}: {text} ({place})", hint, code=code)


def _setting(error: Exception) -> tuple[str, str] | None:
    """Return message and hint where a setting, here or of the environment, is wrong."""
    said = str(error).rstrip(". ")
    if isinstance(error, boto_errors.ProfileNotFound):
        return said, "Check aws_profile"
    if isinstance(error, boto_errors.NoRegionError):
        return "No AWS region is set", "Set aws_region, for example eu-west-1"
    if isinstance(error, boto_errors.EndpointProviderError) and "AccountId" in said:
        hint = (
            "Set aws_account_id_endpoint_mode to preferred, or name the account: by ARNs as tables, "
            "by a role, or by the account id of a profile or the environment"
        )
        return f"There is no account-based endpoint to go to: {said}", hint
    if isinstance(error, boto_errors.InvalidConfigError):
        return said, "Check the AWS_ variables of the environment and the profile"
    if isinstance(error, ValueError):
        return said, "Check aws_endpoint_url and aws_region, or AWS_ENDPOINT_URL and AWS_REGION"
    return None


def _is_sts(url: str, settings: AwsSettings) -> bool:
    own = settings.endpoint_url_sts
    return url.startswith(own) if own else url.startswith("https://sts.")


def _discreet(text: str, settings: AwsSettings) -> str:
    """Return an error's text, shortened, without the request that some refusals repeat."""
    text = text.partition("\n\n")[0]
    for secret in (
        settings.access_key_id,
        settings.secret_access_key,
        settings.session_token,
        settings.assume_role_external_id,
        urlsplit(settings.proxy_url or "").netloc.rpartition("@")[0],
    ):
        if secret:
            text = text.replace(secret, "***")
    return (text if len(text) <= MOST_TEXT else f"{text[:MOST_TEXT]}…").rstrip(". ")
