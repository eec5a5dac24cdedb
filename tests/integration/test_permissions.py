"""The policies of docs/permissions.md are enough for their modes, and nothing in them is idle.

The engine checks signatures and policies here. Each mode runs as a user who has its policy and no other
permission; what goes over the wire is compared with the policy, action by action and resource by
resource; and the mode fails clearly when an action is taken out of it.
"""

from __future__ import annotations

import copy
import itertools
import json
import re
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import pytest

from demo import engine as ministack
from dynamodb_core.errors import AccessError, ConfigError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tests.engines import exports, relay
from tests.engines.buckets import TestBucket
from tests.engines.tables import Tables
from tests.engines.tap import Command, make, sync
from tests.integration import target_process as target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from demo.engine import Engine
    from dynamodb_core.throttling import Throttle
    from tests.engines.relay import Relay
    from tests.engines.tap import Output
    from tests.integration.target_process import TargetProcess

Policy = dict[str, Any]
Pair = tuple[str, str]

PAGE = Path(__file__).parents[2] / "docs" / "permissions.md"
ACCOUNT = "777788889999"
EXTERNAL_ID = "external"
SERVICES = {"AssumeRole": "sts"}
UNKNOWN = re.compile(
    ":(Tag|Untag|ListTagsOf)|dynamodb:(DescribeStream|Get(ShardIterator|Records))$"
    "|kinesis:GetRecords"
)
"""Calls of which the engine does not know what they are about: table, or stream."""
OPTIONAL = {
    "dynamodb:DescribeContinuousBackups",
    "dynamodb:DescribeTimeToLive",
    "dynamodb:ListTagsOfResource",
}
"""What the plugins ask for where they may, and go without where they may not."""
INDEX: dict[str, Any] = {
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by_day",
            "KeySchema": [
                {"AttributeName": "day", "KeyType": "HASH"},
                {"AttributeName": "changed", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "S"} for name in ("id", "day", "changed")
    ],
}
NAMES = {"BUCKET": "bucket", "EXPORTS": "exports"}
ITEMS: list[dict[str, Any]] = [
    {
        "id": {"S": f"i{n:02}"},
        "day": {"S": "monday"},
        "changed": {"S": f"2026-01-01T00:00:{n:02}Z"},
        "ends": {"N": "1700000000" if n else "4000000000"},
    }
    for n in range(30)
]


def policies() -> dict[str, list[str]]:
    """Return the text of the policies by the heading that they stand under."""
    parts = re.split(r"^#+ (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    return {
        heading: re.findall(r"```json\n(.+?)```", text, re.DOTALL)
        for heading, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def actions(policy: Policy) -> list[str]:
    return sorted({action for action, _resource in pairs(policy)})


def pairs(policy: Policy) -> set[Pair]:
    """Return what a policy allows: each action with each resource."""
    found = set()
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        action, resource = statement["Action"], statement["Resource"]
        found |= set(
            itertools.product(
                [action] if isinstance(action, str) else action,
                [resource] if isinstance(resource, str) else resource,
            )
        )
    return found


def without(policy: Policy, action: str) -> Policy:
    """Return a policy that allows one action less; it may allow nothing then."""
    cut = copy.deepcopy(policy)
    for statement in cut["Statement"]:
        named = statement["Action"]
        kept = [each for each in ([named] if isinstance(named, str) else named) if each != action]
        statement["Action"] = kept or ["iam:GetUser"]
    return cut


def table_arn(seen: Relay, name: str) -> str:
    if name.startswith("arn:"):
        return name
    return f"arn:aws:dynamodb:{seen.engine.region}:{ACCOUNT}:table/{name}"


def installed(policy: Policy) -> Policy:
    """Return a policy for the engine, which does not know what some calls are about."""
    unknown = [action for action in actions(policy) if UNKNOWN.search(action)]
    anywhere = {"Effect": "Allow", "Action": unknown, "Resource": "*"}
    return {**policy, "Statement": policy["Statement"] + [anywhere] * bool(unknown)}


def made(seen: Relay) -> set[Pair]:
    """Return what the calls needed: each action with the resource that it was for."""
    found: set[Pair] = set()
    stream = ""
    for each in seen.calls:
        operation, request = each.operation, each.request
        service = "kinesis" if each.service == "Kinesis" else SERVICES.get(operation, "dynamodb")
        if (
            operation == "CreateTable" and "Tags" in request
        ):  # the engine does not ask for it, AWS does
            found.add(("dynamodb:TagResource", table_arn(seen, request["TableName"])))
        stream = request.get("StreamArn") or request.get("StreamARN") or stream
        if each.service == "Kinesis" or "Streams" in each.service:
            found.add((f"{service}:{operation}", stream))  # an iterator is of a stream before
            continue
        named = request.get("TableName", request.get("ResourceArn", ""))
        for name in request.get("RequestItems", [named]):
            arn = table_arn(seen, name) if name else "*"
            index = f"/index/{request['IndexName']}" if "IndexName" in request else ""
            found.add((f"{service}:{operation}", request.get("RoleArn", arn + index)))
    return found


def check_exact(policy: Policy, seen: Relay) -> None:
    """Check that the calls need what the policy allows, no more and no less."""
    used: set[Pair] = set()
    for action, resource in made(seen):
        allowing = {
            each for each in pairs(policy) if each[0] == action and fnmatchcase(resource, each[1])
        }
        assert allowing or action in OPTIONAL, f"{action} on {resource} is not in the policy"
        used |= allowing
    assert used == pairs(policy)


class Guarded:
    """ministack where IAM counts, with a table that has everything, and a relay to look over it.

    Attributes:
        root: The account's owner, who may do everything.
        tables: Tables that root made.
        table: The table.
        expiring: Another one, of which the engine deletes what has expired, sooner or later.
        relay: What the users' calls go through.
    """

    def __init__(self, root: Engine, tables: Tables, seen: Relay) -> None:
        self.root = root
        self.tables = tables
        self.relay = seen
        self.table = tables.create(ITEMS, label="orders", **INDEX)
        self.expiring = tables.create(ITEMS, label="expiring", **INDEX)
        enable = {"Enabled": True, "AttributeName": "ends"}
        self.tables.wire.call(
            "UpdateTimeToLive", {"TableName": self.expiring, "TimeToLiveSpecification": enable}
        )
        self.iam = boto3.client(
            "iam",
            endpoint_url=root.endpoint_url,
            aws_access_key_id=root.access_key_id,
            aws_secret_access_key=root.secret_access_key,
            region_name=root.region,
        )
        self._numbers = itertools.count(1)

    def policy(self, heading: str, number: int = 0, **names: str) -> Policy:
        """Return a policy of the page with its placeholders filled in."""
        text = policies()[heading][number]
        filled = {
            "REGION": self.root.region,
            "ACCOUNT": ACCOUNT,
            "TABLE": self.table,
            "PREFIX": self.table[:-1],
            "INDEX": "by_day",
            "EXTERNAL_ID": EXTERNAL_ID,
            **names,
        }
        text = re.sub(r"\b[A-Z]{4,}(?:_[A-Z]+)*\b", lambda found: filled[found[0]], text)
        policy: Policy = json.loads(text)
        return policy

    def user(self, policy: Policy, name: str = "") -> Engine:
        """Make a user with one policy; return the engine as the user reaches it, by the relay."""
        name = name or self.name("user")
        self.iam.create_user(UserName=name)
        document = json.dumps(installed(policy))
        self.iam.put_user_policy(UserName=name, PolicyName="own", PolicyDocument=document)
        key = self.iam.create_access_key(UserName=name)["AccessKey"]
        self.relay.forget()
        return replace(
            self.relay.engine,
            access_key_id=key["AccessKeyId"],
            secret_access_key=key["SecretAccessKey"],
        )

    def name(self, label: str) -> str:
        """Return a name that is used nowhere else here."""
        return f"{label}{next(self._numbers)}"


@pytest.fixture(scope="module")
def guarded() -> Iterator[Guarded]:
    with ExitStack() as stack:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AUTH", "true")  # ministack's own word for it
            engine = stack.enter_context(ministack.running())
        root = engine.account(ACCOUNT)
        tables = Tables(root)
        yield Guarded(root, tables, stack.enter_context(relay.running(root)))
        tables.drop()


def test_every_policy_of_the_page_is_tried_here() -> None:
    tools = {"Comparing", "Generating", "Planning"}  # test_permissions_tools.py
    tried = {
        ROLE,
        STAGED,
        EXPORTS,
        ASKED,
        *FOLLOWED,
        *tools,
        *(mode.heading for mode in MODES.values()),
        *TARGETS,
    }
    assert {heading for heading, found in policies().items() if found} == tried


# The tap


@dataclass(frozen=True)
class Mode:
    """A way to run the tap.

    Attributes:
        heading: The part of the page that says what it needs.
        options: Of the table.
        chosen: By what the table is chosen: `TABLE`, `ARN` or `PREFIX*`.
        records: How many items it reads.
        expiring: Whether it reads the table of which items expire.
    """

    heading: str
    options: dict[str, Any]
    chosen: str = "TABLE"
    records: int = len(ITEMS)
    expiring: bool = False

    def table(self, guarded: Guarded) -> str:
        """Return the name of the table."""
        return guarded.expiring if self.expiring else guarded.table

    def policy(self, guarded: Guarded) -> Policy:
        """Return the policy of the page."""
        return guarded.policy(self.heading, TABLE=self.table(guarded))

    def config(self, guarded: Guarded) -> dict[str, Any]:
        """Return the configuration, without a connection."""
        table = self.table(guarded)
        names = {
            "TABLE": table,
            "ARN": f"arn:aws:dynamodb:{guarded.root.region}:{ACCOUNT}:table/{table}",
            "PREFIX*": f"{table[:-1]}*",
        }
        chosen = names[self.chosen]
        return {"tables": [chosen], "segments": 2, "table_options": {table: self.options}}


MONDAY = {"query": {"day": "monday"}, "index": "by_day"}
BY_NAME = "Tables by name or ARN"
MODES = {
    "name": Mode(BY_NAME, {}),
    "ARN": Mode(BY_NAME, {}, chosen="ARN"),
    "share": Mode(BY_NAME, {"segments": 3, "segment_range": "0-2"}),
    "entities": Mode(BY_NAME, {"entities": [{"stream": "e", "where": {"id": {"prefix": "i0"}}}]}),
    "filter": Mode(
        BY_NAME, {"filter": {"expression": "id = :i", "values": {":i": "i07"}}}, records=1
    ),
    "packed": Mode(BY_NAME, {"item_format": "packed"}),
    "consistent": Mode(BY_NAME, {"consistent_read": True}),
    "incremental": Mode(BY_NAME, {"replication_key": "changed"}),
    "pattern": Mode("Tables by pattern", {}, chosen="PREFIX*"),
    "index": Mode("An index", {"index": "by_day"}),
    "query": Mode("Partitions", {"query": {"id": ["i01", "i02"]}}, records=2),
    "query of an index": Mode("Partitions of an index", MONDAY),
    "incremental, ordered": Mode(
        "Partitions of an index",
        {**MONDAY, "replication_key": "changed", "start_date": "2026-01-01T00:00:10Z"},
        records=20,
    ),
    "expired": Mode("Without what has expired", {"skip_expired": True}, records=1, expiring=True),
    "percent": Mode("In percent of the account's limit", {"read_capacity_percent": 5}),
    "settings": Mode("What a copy is to be like", {}),
}


def tapped(user: Engine, config: dict[str, Any], **more: Any) -> Output:
    """Run the tap as a user."""
    connection = {**user.config(), **config}
    return sync(BotoWire(AwsSettings.from_config(connection)), connection, **more)


@pytest.mark.parametrize("mode", MODES.values(), ids=MODES)
def test_the_tap_makes_the_calls_of_its_policy_and_no_others(guarded: Guarded, mode: Mode) -> None:
    policy = mode.policy(guarded)
    output = tapped(guarded.user(policy), mode.config(guarded))
    assert len(output.records()) == mode.records
    check_exact(policy, guarded.relay)


def test_a_catalog_saves_the_sample_and_no_permission(guarded: Guarded) -> None:
    policy = guarded.policy(BY_NAME)
    user = guarded.user(policy)
    config = {**user.config(), "tables": [guarded.table]}
    catalog = make(BotoWire(AwsSettings.from_config(config)), config).catalog_dict
    check_exact(policy, guarded.relay)
    guarded.relay.forget()
    assert len(tapped(user, config, catalog=catalog).records()) == len(ITEMS)
    check_exact(policy, guarded.relay)


def test_the_tap_fails_where_an_action_is_taken_away(guarded: Guarded) -> None:
    one_of_each = {mode.heading: mode for mode in MODES.values()}
    for mode in one_of_each.values():
        policy = mode.policy(guarded)
        for action in actions(policy):
            operation = action.partition(":")[2]
            if mode.chosen == "PREFIX*" and operation == "DescribeTable":
                continue  # what a pattern finds and may not be described is left out
            if mode is MODES["settings"] and action in OPTIONAL:
                output = tapped(guarded.user(without(policy, action)), mode.config(guarded))
                assert len(output.records()) == len(ITEMS)
                continue
            user = guarded.user(without(policy, action))
            with pytest.raises(
                AccessError, match=f"^{operation}\\b.* is refused with AccessDenied"
            ):
                tapped(user, mode.config(guarded))


def test_when_nothing_that_a_pattern_finds_may_be_described_it_is_an_error(
    guarded: Guarded,
) -> None:
    mode = MODES["pattern"]
    policy = without(mode.policy(guarded), "dynamodb:DescribeTable")
    with pytest.raises(AccessError, match=f"DescribeTable on table {guarded.table} is refused"):
        tapped(guarded.user(policy), mode.config(guarded))


def test_a_missing_permission_is_one_line_of_the_command(guarded: Guarded, tmp_path: Path) -> None:
    user = guarded.user(without(guarded.policy(BY_NAME), "dynamodb:Scan"))
    output = Command(tmp_path, user.config())({"tables": [guarded.table]})
    assert output.code == 1
    (line,) = output.errors
    assert f"Scan on table {guarded.table} is refused with AccessDenied" in line
    assert "not authorized to perform: dynamodb:Scan" in line
    assert "Traceback" not in output.log


# The target

SCHEMA = target.schema("people", {"id": {"type": "string"}})
MESSAGES = (
    SCHEMA,
    target.record("people", {"id": "a"}),
    target.record("people", {"id": "b", "_sdc_deleted_at": "2026-01-01T00:00:00Z"}),
    target.state({"people": 1}),
)
EXISTING, NEW = "Tables that exist", "Tables that the target makes"
RICH = "Tables with TTL, tags or indexes after the load"
WARM = "A warm-up"


def existing(guarded: Guarded) -> str:
    return guarded.tables.create([{"id": {"S": "b"}}])


def new(guarded: Guarded) -> str:
    return guarded.tables.name("new")


def provisioned(guarded: Guarded) -> str:
    units = {"ReadCapacityUnits": 5, "WriteCapacityUnits": 5}
    return guarded.tables.create(
        [{"id": {"S": "b"}}], BillingMode="PROVISIONED", ProvisionedThroughput=units
    )


TARGETS: dict[str, Callable[[Guarded], str]] = {
    EXISTING: existing,
    NEW: new,
    RICH: new,
    WARM: provisioned,
}
CONFIGS: dict[str, dict[str, Any]] = {
    RICH: {
        "table_settings": {
            "ttl_attribute": "ends",
            "tags": {"team": "blue"},
            "create_indexes": "after_load",
            "attributes": {"day": "S"},
            "global_secondary_indexes": [{"name": "by_day", "partition_key": "day"}],
        }
    },
    WARM: {"warm_up": {"method": "provisioned", "write_units": 500}},
}


def loaded(user: Engine, table: str, folder: Path, heading: str = NEW) -> TargetProcess:
    return target.run(folder, user, MESSAGES, table_name=table, **CONFIGS.get(heading, {}))


@pytest.mark.parametrize("heading", TARGETS)
def test_the_target_makes_the_calls_of_its_policy_and_no_others(
    guarded: Guarded, heading: str, tmp_path: Path
) -> None:
    table = TARGETS[heading](guarded)
    policy = guarded.policy(heading, TABLE=table)
    ended = loaded(guarded.user(policy), table, tmp_path, heading)
    assert ended.process.returncode == 0, ended.log
    assert guarded.tables.items(table) == [{"id": {"S": "a"}}]
    check_exact(policy, guarded.relay)


@pytest.mark.parametrize(
    ("heading", "operation"),
    [
        (EXISTING, "BatchWriteItem"),
        (EXISTING, "DescribeTable"),
        (NEW, "CreateTable"),
        (RICH, "UpdateTimeToLive"),
        (WARM, "UpdateTable"),
    ],
)
def test_the_target_fails_in_one_line_where_an_action_is_taken_away(
    guarded: Guarded, heading: str, operation: str, tmp_path: Path
) -> None:
    table = TARGETS[heading](guarded)
    policy = without(guarded.policy(heading, TABLE=table), f"dynamodb:{operation}")
    ended = loaded(guarded.user(policy), table, tmp_path, heading)
    assert ended.process.returncode == 1
    assert ended.states == []
    (line,) = ended.errors()
    assert f"{operation} on table {table} is refused with AccessDenied" in line
    assert not any("Traceback" in each for each in ended.log)


def test_where_an_index_may_not_be_added_after_the_load_the_state_is_out_all_the_same(
    guarded: Guarded, tmp_path: Path
) -> None:
    table = new(guarded)
    policy = without(guarded.policy(RICH, TABLE=table), "dynamodb:UpdateTable")
    ended = loaded(guarded.user(policy), table, tmp_path, RICH)
    assert ended.process.returncode == 1
    assert ended.states == [{"people": 1}]
    (line,) = ended.errors()
    assert f"UpdateTable on table {table} is refused with AccessDenied" in line


# Loads that DynamoDB does by itself

STAGED = "Loads that DynamoDB does by itself"


def imported(guarded: Guarded, folder: Path, taken_away: str = "") -> TargetProcess:
    """Import a table as a user who has the page's policy, but for one action.

    The engine does not know which table an import is about: the resource of that statement counts here
    for nothing.
    """
    table, bucket = new(guarded), TestBucket(guarded.root)
    policy = guarded.policy(STAGED, TABLE=table, BUCKET=bucket.name, STAGED="staged")
    assert not taken_away or taken_away in actions(policy)
    policy["Statement"][0]["Resource"] = "*"
    ended = target.run(
        folder,
        guarded.user(without(policy, taken_away)),
        MESSAGES,
        table_name=table,
        write_mode="import",
        staging=f"s3://{bucket.name}/staged",
        staging_remove=True,
        aws_endpoint_url_s3=guarded.root.endpoint_url,
    )
    if not taken_away:
        assert guarded.tables.items(table) == [{"id": {"S": "a"}}]
        assert bucket.keys() == []
    return ended


def test_an_import_goes_by_the_policy_of_the_page(guarded: Guarded, tmp_path: Path) -> None:
    ended = imported(guarded, tmp_path)
    assert (ended.process.returncode, len(ended.states)) == (0, 1), ended.log
    wanted = {"dynamodb:DescribeTable", "dynamodb:ImportTable", "dynamodb:DescribeImport"}
    assert {f"dynamodb:{call.operation}" for call in guarded.relay.calls} == wanted


@pytest.mark.parametrize(
    ("action", "words", "states"),
    [
        ("dynamodb:ImportTable", "ImportTable on table", 0),
        ("dynamodb:DescribeImport", "DescribeImport on table", 0),
        ("s3:PutObject", "PutObject of s3://", 0),
        ("s3:DeleteObject", "s3:DeleteObject|DeleteObjects of s3://", 1),  # everything is loaded
    ],
)
def test_an_import_fails_in_one_line_where_an_action_is_taken_away(
    guarded: Guarded, tmp_path: Path, action: str, words: str, states: int
) -> None:
    ended = imported(guarded, tmp_path, action)
    assert (ended.process.returncode, len(ended.states)) == (1, states), ended.log
    (line,) = ended.errors()
    assert re.search(words, line)
    assert "AccessDenied" in line


# Exports

EXPORTS, ASKED = "Exports", "Exports that the tap asks for"


class Writing:
    """The way to an engine that calls exports done and writes none; this writes them."""

    region = "eu-west-1"
    throttles = 0

    def __init__(self, wire: BotoWire, bucket: TestBucket, folder: Path) -> None:
        self._wire = wire
        self._bucket = bucket
        self._folder = folder

    def watch(self, table: str, listener: Callable[[Throttle], object]) -> Callable[[], None]:
        return self._wire.watch(table, listener)

    def call(self, operation: str, body: bytes, *, table: str = "") -> bytes:
        answer = self._wire.call(operation, body, table=table)
        if operation == "ExportTableToPointInTime":
            told = json.loads(answer)["ExportDescription"]
            written = exports.write_full(
                self._folder,
                ITEMS,
                prefix="exports",
                export=told["ExportArn"].rpartition("/")[2],
                bucket=self._bucket.name,
            )
            exports.upload(written, self._bucket.client, self._bucket.name)
        return answer


def exported(
    guarded: Guarded, folder: Path, heading: str, taken_away: str = "", location: str = ""
) -> Output:
    """Read a table from an export, made for it or not, as a user who has a policy of the page.

    The engine does not know which table or export these calls are about: the resources of those
    statements count here for nothing.
    """
    bucket = TestBucket(guarded.root)
    policy = guarded.policy(heading, TABLE=guarded.table, BUCKET=bucket.name, EXPORTS="exports")
    assert not taken_away or taken_away in actions(policy)
    policy["Statement"][0]["Resource"] = "*"
    boto3.client(
        "dynamodb",
        endpoint_url=guarded.root.endpoint_url,
        aws_access_key_id=guarded.root.access_key_id,
        aws_secret_access_key=guarded.root.secret_access_key,
        region_name=guarded.root.region,
    ).update_continuous_backups(
        TableName=guarded.table,
        PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
    )
    user = guarded.user(without(policy, taken_away))
    config = {
        **user.config(),
        "aws_endpoint_url_s3": guarded.root.endpoint_url,
        "source": "export",
        "tables": [guarded.table],
        "export": {"trigger": "full", "bucket": bucket.name, "prefix": "exports"},
    }
    if location:
        written = exports.write_full(folder, ITEMS, prefix="exports", bucket=bucket.name)
        exports.upload(written, bucket.client, bucket.name)
        place = f"s3://{bucket.name}/exports"
        config["export"] = {"location": place, "table_name": guarded.table}
    return sync(Writing(BotoWire(AwsSettings.from_config(config)), bucket, folder), config)


def test_an_export_is_read_by_the_policy_of_the_page(guarded: Guarded, tmp_path: Path) -> None:
    output = exported(guarded, tmp_path, EXPORTS, location="exports")
    assert len(output.records()) == len(ITEMS)


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("dynamodb:DescribeTable", "DescribeTable on table .* is refused"),
        ("s3:GetObject", "GetObject of s3://"),
        ("s3:ListBucket", "ListObjectsV2 of s3://"),
    ],
)
def test_an_export_is_not_read_where_an_action_is_taken_away(
    guarded: Guarded, tmp_path: Path, action: str, words: str
) -> None:
    with pytest.raises((AccessError, ConfigError), match=words):
        exported(guarded, tmp_path, EXPORTS, action, location="exports")


def test_an_export_is_made_by_the_policy_of_the_page(guarded: Guarded, tmp_path: Path) -> None:
    output = exported(guarded, tmp_path, ASKED)
    assert len(output.records()) == len(ITEMS)
    wanted = {
        action for action in actions(guarded.policy(ASKED, 0, **NAMES)) if "dynamodb:" in action
    }
    assert {f"dynamodb:{call.operation}" for call in guarded.relay.calls} - OPTIONAL == (
        wanted - OPTIONAL
    )


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("dynamodb:DescribeContinuousBackups", "DescribeContinuousBackups on table"),
        ("dynamodb:DescribeExport", "DescribeExport on table"),
        ("dynamodb:ExportTableToPointInTime", "ExportTableToPointInTime on table"),
        ("dynamodb:ListExports", "ListExports on table"),
        ("s3:GetObject", "GetObject of s3://"),
        ("s3:ListBucket", "ListObjectsV2 of s3://"),
    ],
)
def test_an_export_is_not_made_where_an_action_is_taken_away(
    guarded: Guarded, tmp_path: Path, action: str, words: str
) -> None:
    with pytest.raises(AccessError, match=words):
        exported(guarded, tmp_path, ASKED, action)


# Changes


@dataclass(frozen=True)
class Followed:
    """A way to follow the changes of a table.

    Attributes:
        changes: The setting.
        view: That of the table's stream; none where it has none.
        kinesis: Whether its changes go to a Kinesis stream.
        without: Actions that a run does without, with a warning.
    """

    changes: dict[str, Any]
    view: str = ""
    kinesis: bool = False
    without: frozenset[str] = frozenset()


FOLLOWED = {
    "Changes": Followed({}, "NEW_IMAGE"),
    "Changes of a stream that the tap turns on": Followed({"enable_stream": True}),
    "Changes whose items are looked up": Followed({"fetch": True}, "KEYS_ONLY"),
    "Changes by Kinesis": Followed(
        {},
        kinesis=True,
        without=frozenset(
            {"dynamodb:DescribeKinesisStreamingDestination", "kinesis:DescribeStreamSummary"}
        ),
    ),
}
FEW = ITEMS[:5]


def followed(guarded: Guarded, heading: str, taken_away: str = "") -> tuple[Policy, Output]:
    """Follow a table of its own as a user who has a policy of the page, but for one action."""
    way = FOLLOWED[heading]
    root, changes = guarded.root, dict(way.changes)
    streaming = {"StreamEnabled": True, "StreamViewType": way.view}
    more: dict[str, Any] = {"StreamSpecification": streaming} if way.view else {}
    table = guarded.tables.create(**more)
    stream = guarded.name("stream")
    if way.kinesis:
        keys: Any = {
            "endpoint_url": root.endpoint_url,
            "aws_access_key_id": root.access_key_id,
            "aws_secret_access_key": root.secret_access_key,
            "region_name": root.region,
        }
        changes["stream"] = f"arn:aws:kinesis:{root.region}:{ACCOUNT}:stream/{stream}"
        boto3.client("kinesis", **keys).create_stream(StreamName=stream, ShardCount=1)
        boto3.client("dynamodb", **keys).enable_kinesis_streaming_destination(
            TableName=table, StreamArn=changes["stream"]
        )
    guarded.tables.wire.put(table, FEW)
    policy = guarded.policy(heading, TABLE=table, STREAM=stream)
    assert not taken_away or taken_away in actions(policy)
    user = guarded.user(without(policy, taken_away))
    config = {
        "aws_endpoint_url_kinesis": user.endpoint_url,
        "tables": [table],
        "segments": 1,
        "replication_method": "LOG_BASED",
        "consistent_read": True,  # nothing is waited for then
        "changes": changes,
    }
    return policy, tapped(user, config)


@pytest.mark.parametrize("heading", FOLLOWED)
def test_changes_are_followed_by_the_calls_of_their_policy_and_no_others(
    guarded: Guarded, heading: str
) -> None:
    policy, output = followed(guarded, heading)
    assert {record["id"] for record in output.records()} == {item["id"]["S"] for item in FEW}
    check_exact(policy, guarded.relay)


@pytest.mark.parametrize(
    ("heading", "action"),
    [
        *[("Changes", f"dynamodb:{name}") for name in ("DescribeTable", "Scan", "DescribeStream")],
        *[("Changes", f"dynamodb:{name}") for name in ("GetShardIterator", "GetRecords")],
        ("Changes of a stream that the tap turns on", "dynamodb:UpdateTable"),
        ("Changes whose items are looked up", "dynamodb:BatchGetItem"),
        *[("Changes by Kinesis", f"kinesis:{name}") for name in ("ListShards", "GetRecords")],
        ("Changes by Kinesis", "kinesis:GetShardIterator"),
        *[("Changes by Kinesis", each) for each in sorted(FOLLOWED["Changes by Kinesis"].without)],
    ],
)
def test_changes_are_not_followed_where_an_action_is_taken_away(
    guarded: Guarded, heading: str, action: str
) -> None:
    if action in FOLLOWED[heading].without:
        _, output = followed(guarded, heading, action)
        assert {record["id"] for record in output.records()} == {item["id"]["S"] for item in FEW}
        return
    with pytest.raises(
        AccessError, match=f"^{action.partition(':')[2]}\\b.* is refused with AccessDenied"
    ):
        followed(guarded, heading, action)


# Roles

ROLE = "A role"


@dataclass(frozen=True)
class Assumed:
    """Somebody who may assume a role, and the role that may read the table."""

    person: Engine
    config: dict[str, Any]
    policies: tuple[Policy, Policy]


def assumed(guarded: Guarded, taken_away: str = "", external_id: str = EXTERNAL_ID) -> Assumed:
    """Make both, as the page says, but for one action."""
    person, role = guarded.name("user"), guarded.name("role")
    whole = (guarded.policy(ROLE, ROLE=role), guarded.policy(BY_NAME))
    may_assume, may_read = (without(policy, taken_away) for policy in whole)
    user = guarded.user(may_assume, person)
    trust = guarded.policy(ROLE, 1, USER=person)
    guarded.iam.create_role(RoleName=role, AssumeRolePolicyDocument=json.dumps(trust))
    guarded.iam.put_role_policy(
        RoleName=role, PolicyName="own", PolicyDocument=json.dumps(may_read)
    )
    config = {
        "tables": [guarded.table],
        "aws_endpoint_url_sts": user.endpoint_url,
        "aws_assume_role_arn": f"arn:aws:iam::{ACCOUNT}:role/{role}",
        "aws_assume_role_external_id": external_id,
    }
    return Assumed(user, config, whole)


def test_a_role_reads_and_whoever_assumes_it_may_do_nothing_else(guarded: Guarded) -> None:
    both = assumed(guarded)
    assert len(tapped(both.person, both.config).records()) == len(ITEMS)
    may_assume, may_read = both.policies
    check_exact({"Statement": may_assume["Statement"] + may_read["Statement"]}, guarded.relay)


@pytest.mark.parametrize(
    ("taken_away", "external_id", "words"),
    [
        ("sts:AssumeRole", EXTERNAL_ID, "not authorized to perform: sts:AssumeRole"),
        ("dynamodb:Scan", EXTERNAL_ID, "Scan on table"),
        ("dynamodb:DescribeTable", EXTERNAL_ID, "DescribeTable on table"),
        ("", "another", "not authorized to perform: sts:AssumeRole"),
    ],
)
def test_a_role_fails_where_something_is_missing(
    guarded: Guarded, taken_away: str, external_id: str, words: str
) -> None:
    both = assumed(guarded, taken_away, external_id)
    with pytest.raises(AccessError, match=words):
        tapped(both.person, both.config)
