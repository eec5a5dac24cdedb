"""The AWS settings that every dress of the core shares."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

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
    """Where the service is and who asks. Each attribute is the setting of its name."""

    access_key_id: str | None = None
    secret_access_key: str | None = None
    session_token: str | None = None
    profile: str | None = None
    region: str | None = None
    endpoint_url: str | None = None
    assume_role_arn: str | None = None
    assume_role_external_id: str | None = None
    assume_role_session_name: str | None = "ferry-dynamodb"

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> AwsSettings:
        """Take the `aws_*` settings out of a plugin's configuration.

        Args:
            config: The plugin's configuration; other settings are ignored.

        Returns:
            The settings; an empty string counts as left out.

        Raises:
            ConfigError: A part of the credentials is missing.
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

    def __repr__(self) -> str:
        """Name the place, never the secrets."""
        return f"AwsSettings(region={self.region!r}, endpoint_url={self.endpoint_url!r})"


def discreet(complaint: str) -> str:
    """Return a complaint of the SDK about a setting, without the value where that is a secret.

    Args:
        complaint: What is wrong, ending with the setting as `config['name']`.
    """
    for name, schema in AWS_PROPERTIES.items():
        if schema.get("secret") and complaint.endswith(f"config['{name}']"):
            return f"config['{name}'] is of another type than {' or '.join(schema['type'])}"
    return complaint
