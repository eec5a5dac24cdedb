"""Settings that are none of this tap: another tap's, or misspelt; pure."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from dynamodb_core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_ROLE = "aws_assume_role_arn, aws_assume_role_external_id and aws_assume_role_session_name"

FOREIGN = {
    "aws_default_region": "Set aws_region",
    "region_name": "Set aws_region",
    "infer_schema_sample_size": "Set sample_size",
    "table_scan_kwargs": (
        "Set table_options: filter, index, segments and consistent_read say for a table what "
        "arguments of Scan would"
    ),
    "use_aws_env_vars": "Leave it out: without keys the environment is asked by itself",
    "use_local_dynamo": "Set aws_endpoint_url, for example http://127.0.0.1:8000",
    "account_id": f"Set {_ROLE}",
    "external_id": f"Set {_ROLE}",
    "role_name": f"Set {_ROLE}",
    "projections": "Select attributes: in the catalog, or with select in meltano.yml",
}
"""What to do instead, by the name of the setting elsewhere."""


def refuse_foreign(config: Mapping[str, object]) -> None:
    """Refuse settings of another tap, which would be without effect here.

    Args:
        config: The tap's configuration.

    Raises:
        ConfigError: One of them is set; names it and what to do instead.
    """
    for name in config:
        if name in FOREIGN and config[name] not in (None, "", {}, []):
            raise ConfigError(f"{name} is a setting of another tap for DynamoDB", FOREIGN[name])


def unknown(config: Mapping[str, object], names: Collection[str]) -> list[str]:
    """Return a line for each setting that there is not.

    Args:
        config: The tap's configuration.
        names: The settings there are.
    """
    lines = []
    for name in config:
        if name not in names and name not in FOREIGN:
            alike = get_close_matches(name, names, 1)
            meant = f"; {alike[0]} is one" if alike else ""
            lines.append(f"{name} is no setting of this tap, and without effect{meant}")
    return lines
