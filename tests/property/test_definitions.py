"""Any settings of a table become a request that DynamoDB's model knows, and are read back from it."""

from __future__ import annotations

from typing import Any

import jsonschema
from hypothesis import given
from hypothesis import strategies as st

from dynamodb_core.definitions import PARTS, Definition, merged, part_of
from dynamodb_core.descriptions import described
from dynamodb_core.table import Key
from target_dynamodb.table_settings import SETTINGS
from tests.engines.model import complaints

KEY = Key(("pk", "sk"), ("S", "N"))
SCHEMA = {"type": "object", "properties": SETTINGS, "additionalProperties": False}
ATTRIBUTES = {"pk": "S", "sk": "N", "day": "S", "at": "N", "bin": "B", "a": "S", "b": "N"}
units = st.integers(1, 10**6)


def optional(**members: Any) -> Any:
    return st.fixed_dictionaries({}, optional=members)


@st.composite
def keys(draw: st.DrawFn) -> dict[str, Any]:
    """A key of an index: up to four attributes and up to four more, none twice."""
    attributes = draw(st.permutations(list(ATTRIBUTES)))
    partition, sort = draw(st.integers(1, 4)), draw(st.integers(0, 3))
    parts = attributes[:partition], attributes[partition : partition + sort]
    said = [part[0] if len(part) == 1 else part for part in parts]
    return {"partition_key": said[0], **({"sort_key": said[1]} if sort else {})}


projections: st.SearchStrategy[dict[str, Any]] = st.one_of(
    st.just({}),
    st.just({"projection_type": "KEYS_ONLY"}),
    st.lists(st.sampled_from(["v", "w", "x"]), min_size=1, unique=True).map(
        lambda names: {"projection_type": "INCLUDE", "non_key_attributes": names}
    ),
)


@st.composite
def settings(draw: st.DrawFn) -> dict[str, Any]:
    """Settings of a table as `described` would give them: nothing empty, nothing by default."""
    provisioned = draw(st.booleans())
    two = (
        st.fixed_dictionaries({"read_capacity_units": units, "write_capacity_units": units})
        if provisioned
        else optional(max_read_request_units=units, max_write_request_units=units)
    )
    names = draw(st.lists(st.sampled_from(["one", "two", "three", "four"]), unique=True))
    many = draw(st.integers(0, len(names)))
    local = [
        {"name": name, "sort_key": draw(st.sampled_from(["day", "at"])), **draw(projections)}
        for name in names[:many]
    ]
    whole = [
        {"name": name, **draw(keys()), **draw(projections), **draw(two)} for name in names[many:]
    ]
    said = {
        **({"billing_mode": "PROVISIONED"} if provisioned else {}),
        **draw(two),
        **({"local_secondary_indexes": local} if local else {}),
        **({"global_secondary_indexes": whole} if whole else {}),
        **draw(
            optional(
                ttl_attribute=st.sampled_from(["ends", "at"]),
                stream_view_type=st.sampled_from(["NEW_IMAGE", "KEYS_ONLY"]),
                tags=st.dictionaries(st.sampled_from("abc"), st.text(max_size=9), min_size=1),
                table_class=st.just("STANDARD_INFREQUENT_ACCESS"),
                deletion_protection_enabled=st.just(True),
            )
        ),
    }
    if draw(st.booleans()):
        said |= {"sse_type": "KMS", "kms_master_key_id": "arn:aws:kms:eu-west-1:1:key/k"}
    return said


def as_described(request: dict[str, Any]) -> dict[str, Any]:
    """Return what DescribeTable says of a table that was made by a request."""
    said = {**request, "BillingModeSummary": {"BillingMode": request["BillingMode"]}}
    if "TableClass" in request:
        said["TableClassSummary"] = {"TableClass": request["TableClass"]}
    if "SSESpecification" in request:
        key = request["SSESpecification"]["KMSMasterKeyId"]
        said["SSEDescription"] = {"SSEType": "KMS", "KMSMasterKeyArn": key, "Status": "ENABLED"}
    if request["BillingMode"] == "PAY_PER_REQUEST":
        nothing = {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
        said["ProvisionedThroughput"] = nothing
        said["OnDemandThroughput"] = {
            "MaxReadRequestUnits": -1,
            "MaxWriteRequestUnits": -1,
            **request.get("OnDemandThroughput", {}),
        }
    return said


@given(settings())
def test_settings_are_a_request_and_are_read_back(said: dict[str, Any]) -> None:
    definition = Definition("orders", KEY, said, ATTRIBUTES)
    request = definition.create_request()
    assert complaints("CreateTable", request) == []
    found = described(
        as_described(request), ttl_attribute=said.get("ttl_attribute"), tags=said.get("tags")
    )
    types = found.pop("attributes", {})
    assert types.items() <= ATTRIBUTES.items()
    assert found == said
    jsonschema.validate({**found, "attributes": types}, SCHEMA)
    again = Definition("orders", KEY, {**found, "attributes": types})
    assert again.create_request() == request


@given(settings())
def test_indexes_are_the_same_after_the_load(said: dict[str, Any]) -> None:
    whole = Definition("orders", KEY, said, ATTRIBUTES).create_request()
    later = Definition("orders", KEY, {**said, "create_indexes": "after_load"}, ATTRIBUTES)
    requests = [later.index_request(index["name"]) for index in later.global_indexes]
    assert [found for each in requests for found in complaints("UpdateTable", each)] == []
    made = [each["GlobalSecondaryIndexUpdates"][0]["Create"] for each in requests]
    assert later.create_request() == {
        **{n: v for n, v in whole.items() if n != "GlobalSecondaryIndexes"},
        "AttributeDefinitions": later.create_request()["AttributeDefinitions"],
    }
    assert made == whole.get("GlobalSecondaryIndexes", [])


@given(settings(), settings())
def test_settings_over_others_always_make_a_table(
    below: dict[str, Any], above: dict[str, Any]
) -> None:
    """Whatever was copied: a configuration that names its billing mode is never contradicted by it."""
    above = {"billing_mode": "PAY_PER_REQUEST", **above}
    names = {index["name"] for index in above.get("global_secondary_indexes", ())}
    names |= {index["name"] for index in above.get("local_secondary_indexes", ())}
    for member in ("global_secondary_indexes", "local_secondary_indexes"):
        kept = [index for index in below.get(member, ()) if index["name"] not in names]
        below = {**below, member: kept}
    whole = Definition("orders", KEY, merged(below, above), ATTRIBUTES)
    assert complaints("CreateTable", whole.create_request()) == []
    assert above.get("ttl_attribute", below.get("ttl_attribute")) == whole.settings.get(
        "ttl_attribute"
    )


@given(settings(), st.sets(st.sampled_from(list(PARTS))))
def test_any_parts_of_settings_make_a_table(said: dict[str, Any], parts: set[str]) -> None:
    some = Definition("orders", KEY, part_of(said, parts), ATTRIBUTES)
    assert complaints("CreateTable", some.create_request()) == []
    rest = Definition("orders", KEY, part_of(said, PARTS.keys() - parts), ATTRIBUTES)
    joined = merged(some.settings, rest.settings)
    assert {n: v for n, v in joined.items() if "ind" not in n} == {
        n: v for n, v in said.items() if "ind" not in n
    }
