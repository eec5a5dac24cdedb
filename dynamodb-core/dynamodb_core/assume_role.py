"""Credentials of an assumed role, refreshed by botocore before they expire."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.credentials import (
    AssumeRoleCredentialFetcher,
    CredentialProvider,
    DeferredRefreshableCredentials,
)
from botocore.exceptions import NoCredentialsError

if TYPE_CHECKING:
    import boto3
    import botocore.session

    from dynamodb_core.settings import AwsSettings


class _AssumedRole(CredentialProvider):
    METHOD = "assume-role"
    CANONICAL_NAME = "ferry-assumed-role"

    def __init__(self, fetcher: AssumeRoleCredentialFetcher) -> None:
        super().__init__()
        self._fetcher = fetcher

    def load(self) -> DeferredRefreshableCredentials:
        return DeferredRefreshableCredentials(self._fetcher.fetch_credentials, self.METHOD)


def provide(
    assumed: botocore.session.Session, source: boto3.Session, settings: AwsSettings
) -> None:
    """Give a session the credentials of the role in the settings, before any others.

    Args:
        assumed: The session that gets them; nothing has been asked of it yet.
        source: A session whose credentials may assume the role, and whose clients reach STS.
        settings: Names the role, and perhaps an external id and a session name.

    Raises:
        NoCredentialsError: The source has no credentials.
    """
    credentials = source.get_credentials()
    if credentials is None:
        raise NoCredentialsError
    arguments: dict[str, Any] = {"RoleSessionName": settings.assume_role_session_name}
    if settings.assume_role_external_id:
        arguments["ExternalId"] = settings.assume_role_external_id

    def client(service: str, **keys: Any) -> Any:
        return source.client(service, region_name=source.region_name, **keys)  # type: ignore[call-overload]

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=client,
        source_credentials=credentials,
        role_arn=settings.assume_role_arn or "",
        extra_args=arguments,
    )
    providers = assumed.get_component("credential_provider").providers
    providers.insert(0, _AssumedRole(fetcher))
