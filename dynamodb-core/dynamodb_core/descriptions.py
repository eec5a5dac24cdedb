"""What a table is like, as settings of which another one can be made; pure.

DescribeTable says all of it but the attribute by which items expire, and the tags. What no settings
can carry is named in words.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dynamodb_core.definitions import INDEXES, MAXIMA, ON_DEMAND, PROVISIONED, UNITS

if TYPE_CHECKING:
    from collections.abc import Mapping

STANDARD = "STANDARD"
AWS_TAG = "aws:"
"""How tags begin that AWS itself has given; nobody else can give them."""

UNSEEN = (
    "backups and point-in-time recovery, autoscaling, policies, Kinesis destinations and alarms"
)
"""What is not looked at, as it takes calls of its own and is no matter of one table."""


def described(
    description: Mapping[str, Any],
    *,
    ttl_attribute: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Return a table's settings, without those that every new table has.

    Args:
        description: The `Table` member of DescribeTable's answer.
        ttl_attribute: The attribute by which items expire; None where they do not, or nobody knows.
        tags: Its tags; None where nobody knows them.
    """
    own = {part["AttributeName"] for part in description.get("KeySchema", ())}
    mode = description.get("BillingModeSummary", {}).get("BillingMode", PROVISIONED)
    indexes = {
        member: [_index(each, mode) for each in description.get(described_as) or ()]
        for member, described_as in zip(
            INDEXES, ("GlobalSecondaryIndexes", "LocalSecondaryIndexes"), strict=True
        )
    }
    for each in indexes["local_secondary_indexes"]:
        del each["partition_key"]  # its table's
    stream = description.get("StreamSpecification") or {}
    encryption = description.get("SSEDescription") or {}
    table_class = (description.get("TableClassSummary") or {}).get("TableClass", STANDARD)
    said = {
        **indexes,
        "attributes": {
            part["AttributeName"]: part["AttributeType"]
            for part in description.get("AttributeDefinitions", ())
            if part["AttributeName"] not in own
        },
        "ttl_attribute": ttl_attribute,
        "stream_view_type": stream.get("StreamViewType") if stream.get("StreamEnabled") else None,
        "tags": {n: v for n, v in (tags or {}).items() if not n.lower().startswith(AWS_TAG)},
        "table_class": None if table_class == STANDARD else table_class,
        "deletion_protection_enabled": description.get("DeletionProtectionEnabled"),
        "billing_mode": None if mode == ON_DEMAND else mode,
        **_capacity(description, mode),
        "sse_type": encryption.get("SSEType"),
        "kms_master_key_id": encryption.get("KMSMasterKeyArn"),
    }
    return {name: value for name, value in said.items() if value}


def beyond(description: Mapping[str, Any]) -> list[str]:
    """Name what a table has that no settings carry, with the reason where it is not plain.

    Args:
        description: The `Table` member of DescribeTable's answer.
    """
    found = [
        f"vector index {index.get('IndexName')} (its vectors are; no engine that this was tried on "
        "has such indexes: add it with UpdateTable)"
        for index in description.get("VectorIndexes") or ()
    ]
    regions = [str(each.get("RegionName")) for each in description.get("Replicas") or ()]
    if regions:
        found.append(f"replicas in {', '.join(regions)}")
    return found


def _index(described: Mapping[str, Any], mode: str) -> dict[str, Any]:
    projection = described.get("Projection", {})
    partition, sort = (
        [part["AttributeName"] for part in described["KeySchema"] if part["KeyType"] == role]
        for role in ("HASH", "RANGE")
    )
    kind = projection.get("ProjectionType", "ALL")
    said = {
        "name": described["IndexName"],
        "partition_key": partition[0] if len(partition) == 1 else partition,
        "sort_key": sort[0] if len(sort) == 1 else sort,
        "projection_type": None if kind == "ALL" else kind,
        "non_key_attributes": projection.get("NonKeyAttributes"),
        **_capacity(described, mode),
    }
    return {name: value for name, value in said.items() if value}


def _capacity(described: Mapping[str, Any], mode: str) -> dict[str, int]:
    """Return the units of a table or index, or their maxima on demand; none is 0 or -1 there."""
    if mode == PROVISIONED:
        given, names = described.get("ProvisionedThroughput") or {}, UNITS
        found = (given.get("ReadCapacityUnits"), given.get("WriteCapacityUnits"))
    else:
        given, names = described.get("OnDemandThroughput") or {}, MAXIMA
        found = (given.get("MaxReadRequestUnits"), given.get("MaxWriteRequestUnits"))
    return {
        name: int(units)
        for name, units in zip(names, found, strict=True)
        if units is not None and units > 0
    }
