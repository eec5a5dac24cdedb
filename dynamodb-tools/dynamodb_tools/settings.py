"""The settings that all commands share, as JSON Schema: who asks, and where."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core.settings import AWS_PROPERTIES, AwsSettings
from dynamodb_tools.options import check

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dynamodb_tools.options import Config, Properties

AWS: Properties = {**AWS_PROPERTIES}
"""The AWS settings, by name; the same as the plugins'."""

SIDES: Properties = {
    side: {
        "type": ["object", "null"],
        "title": f"AWS settings of {side.upper()}",
        "description": (
            f"AWS settings that hold for table {side.upper()} alone, for example "
            "aws_region=eu-west-1,aws_profile=archive."
        ),
    }
    for side in ("a", "b")
}
"""Settings of one side of a comparison."""


def aws_of(config: Mapping[str, Any], side: str = "") -> AwsSettings:
    """Return who asks, and where.

    Args:
        config: Values of settings; what is no AWS setting is passed over.
        side: `a` or `b`, whose own settings come first; empty where there are no sides.

    Raises:
        ConfigError: A value is wrong.
    """
    shared: Config = {name: value for name, value in config.items() if name in AWS}
    own = config.get(side) or {}
    if own:
        check(AWS, own, f" of {side.upper()}")
    return AwsSettings.from_config(shared | own)
