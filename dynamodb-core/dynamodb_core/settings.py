"""The AWS settings that every dress of the core shares."""

from __future__ import annotations

from dataclasses import dataclass
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT_ID_ENDPOINT_MODES = ("preferred", "disabled", "required")

AWS_PROPERTIES: dict[str, dict[str, Any]] = {
    "aws_access_key_id": {
        "type": ["string", "null"],
        "secret": True,
        "title": "AWS access key id",
        "description": (
            "Access key id. Left out, the usual chain applies: environment, profile, "
            "container or instance role."
        ),
    },
    "aws_secret_access_key": {
        "type": ["string", "null"],
        "secret": True,
        "title": "AWS secret access key",
        "description": "Secret access key that goes with aws_access_key_id.",
    },
    "aws_session_token": {
        "type": ["string", "null"],
        "secret": True,
        "title": "AWS session token",
        "description": "Session token of temporary credentials.",
    },
    "aws_profile": {
        "type": ["string", "null"],
        "title": "AWS profile",
        "description": "Named profile of the shared AWS configuration files.",
    },
    "aws_region": {
        "type": ["string", "null"],
        "title": "AWS region",
        "description": "Region of the tables, for example eu-west-1.",
    },
    "aws_endpoint_url": {
        "type": ["string", "null"],
        "title": "Endpoint URL",
        "description": (
            "Endpoint of DynamoDB, for an engine on this machine or a private endpoint. "
            "Left out, the requests go to AWS."
        ),
    },
    "aws_endpoint_url_streams": {
        "type": ["string", "null"],
        "title": "Endpoint URL of DynamoDB Streams",
        "description": "Endpoint of DynamoDB Streams. Left out, aws_endpoint_url holds for it too.",
    },
    "aws_endpoint_url_kinesis": {
        "type": ["string", "null"],
        "title": "Endpoint URL of Kinesis",
        "description": (
            "Endpoint of Kinesis Data Streams. Left out, aws_endpoint_url holds for it too."
        ),
    },
    "aws_endpoint_url_s3": {
        "type": ["string", "null"],
        "title": "Endpoint URL of S3",
        "description": "Endpoint of S3. Left out, the requests go to AWS.",
    },
    "aws_endpoint_url_sts": {
        "type": ["string", "null"],
        "title": "Endpoint URL of STS",
        "description": "Endpoint of STS, which roles are assumed at. Left out, the requests go to AWS.",
    },
    "aws_proxy_url": {
        "type": ["string", "null"],
        "secret": True,
        "title": "Proxy URL",
        "description": (
            "Proxy for every call, for example http://proxy.example.com:3128. Left out, HTTPS_PROXY, "
            "HTTP_PROXY and NO_PROXY of the environment count."
        ),
    },
    "aws_ca_bundle": {
        "type": ["string", "null"],
        "title": "CA bundle",
        "description": (
            "Path of a PEM file with the certificate authorities to trust. Left out, AWS_CA_BUNDLE "
            "or the profile names it, else those that are publicly trusted count."
        ),
    },
    "aws_account_id_endpoint_mode": {
        "type": ["string", "null"],
        "enum": [*ACCOUNT_ID_ENDPOINT_MODES, None],
        "title": "Account-based endpoints",
        "description": (
            "Whether calls go to the endpoint of the table's account: preferred (where the account is "
            "known), disabled or required. Left out, AWS_ACCOUNT_ID_ENDPOINT_MODE or the profile "
            "decides, else preferred."
        ),
    },
    "aws_assume_role_arn": {
        "type": ["string", "null"],
        "title": "Role to assume",
        "description": "ARN of a role to assume; its credentials are refreshed in long runs.",
    },
    "aws_assume_role_external_id": {
        "type": ["string", "null"],
        "secret": True,
        "title": "External id",
        "description": "External id that the role to assume asks for.",
    },
    "aws_assume_role_session_name": {
        "type": ["string", "null"],
        "default": "ferry-dynamodb",
        "title": "Role session name",
        "description": "Name of the assumed role's session, as it appears in CloudTrail.",
    },
}
"""JSON Schema of the settings, by name."""


@dataclass(frozen=True)
class AwsSettings:
    """Where the services are and who asks. Each attribute is the setting of its name.

    Raises:
        ConfigError: A URL is none, or the mode of account-based endpoints is unknown.
    """

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    endpoint_url_streams: str | None = None
    endpoint_url_kinesis: str | None = None
    endpoint_url_s3: str | None = None
    endpoint_url_sts: str | None = None
    proxy_url: str | None = None
    ca_bundle: str | None = None
    account_id_endpoint_mode: str | None = None
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = None
    assume_role_session_name: str | None = "ferry-dynamodb"

    def __post_init__(self) -> None:
        for name in (*_ENDPOINTS.values(), "proxy_url"):
            url = getattr(self, name)
            if url is not None and not _is_url(url):
                what = f"aws_{name}" if name == "proxy_url" else f"aws_{name} {url!r}"
                raise ConfigError(
                    f"{what} is no URL", f"Write aws_{name} as http://host:port or https://host"
                )
        if self.account_id_endpoint_mode not in (*ACCOUNT_ID_ENDPOINT_MODES, None):
            raise ConfigError(
                f"aws_account_id_endpoint_mode {self.account_id_endpoint_mode!r} is unknown",
                f"It takes {', '.join(ACCOUNT_ID_ENDPOINT_MODES)}",
            )

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> AwsSettings:
        """Take the `aws_*` settings out of a plugin's configuration.

        Args:
            config: The plugin's configuration; other settings are ignored.

        Returns:
            The settings; an empty string counts as left out.

        Raises:
            ConfigError: A part of the credentials is missing, or a setting is wrong in itself.
        """
        given = {
            name.removeprefix("aws_"): config[name]
            for name in AWS_PROPERTIES
            if config.get(name) not in (None, "")
        }
        pair = {"access_key_id", "secret_access_key"}
        if given.keys() & {*pair, "session_token"} and not pair <= given.keys():
            raise ConfigError(
                "A part of the AWS credentials is missing",
                "Set both aws_access_key_id and aws_secret_access_key, or none of aws_access_key_id, "
                "aws_secret_access_key and aws_session_token",
            )
        return cls(**given)

    def endpoint_of(self, service: str) -> str | None:
        """Return the endpoint that the settings name for a service.

        Args:
            service: botocore's name of the service, for example `dynamodbstreams`.

        Returns:
            The URL; None leaves it to the environment, the profile and AWS.
        """
        name = _ENDPOINTS.get(service)
        own: str | None = getattr(self, name) if name else None
        return self.endpoint_url if own is None and service in _OF_CHANGES else own

    def __repr__(self) -> str:
        """Name the place, never the secrets."""
        return f"AwsSettings(region={self.region!r}, endpoint_url={self.endpoint_url!r})"


_ENDPOINTS = {
    "dynamodb": "endpoint_url",
    "dynamodbstreams": "endpoint_url_streams",
    "kinesis": "endpoint_url_kinesis",
    "s3": "endpoint_url_s3",
    "sts": "endpoint_url_sts",
}
_OF_CHANGES = frozenset({"dynamodbstreams", "kinesis"})


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, an address with half of its brackets
        return False


def is_open(url: str) -> bool:
    """Say whether what is sent to a URL can be read on the way: plain http beyond this machine.

    Args:
        url: The endpoint of a service.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "http" or host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True


def discreet(complaint: str) -> str:
    """Return a complaint of the SDK about a setting, without the value where that is a secret.

    Args:
        complaint: What is wrong, ending with the setting as `config['name']`.
    """
    for name, schema in AWS_PROPERTIES.items():
        if schema.get("secret") and complaint.endswith(f"config['{name}']"):
            return f"config['{name}'] is of another type than {' or '.join(schema['type'])}"
    return complaint
