"""The wire to DynamoDB Streams and Kinesis: what is sent where, what is tried again, what the user reads."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, Any

import pytest
from botocore import xform_name
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest, AWSResponse
from botocore.credentials import Credentials

from dynamodb_core import connect
from dynamodb_core.errors import (
    AccessError,
    ConfigError,
    CorruptReply,
    EndpointError,
    ServiceError,
    StreamNotFound,
    TableNotFound,
)
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import STREAM_THROTTLED_TRIES, BotoWire
from tests.engines import faults
from tests.engines.faults import Reply, html, ok, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dynamodb_core.throttling import Throttle
    from tests.engines.faults import FaultService, Request

REGION = "eu-west-1"
KEYS = {"access_key_id": "AKIDOFTHETESTS", "secret_access_key": "secret-key-of-the-tests"}
STREAM = f"arn:aws:dynamodb:{REGION}:123456789012:table/orders/stream/2026-11-22T00:00:00.000"
KINESIS = f"arn:aws:kinesis:{REGION}:123456789012:stream/orders"
ARNS = {"dynamodbstreams": STREAM, "kinesis": KINESIS}
BOTH = pytest.mark.parametrize("kind", list(ARNS))
PAGE = ok({"Records": [], "NextShardIterator": "next"})


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultService]:
    """A service; botocore's tries at it follow each other without pauses."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )
    with faults.running() as service:
        yield service


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the endpoint of the environment: requests would go to AWS, if they went."""
    monkeypatch.delenv("AWS_ENDPOINT_URL")


def wire_to(service: FaultService, kind: str, **more: Any) -> BotoWire:
    given: dict[str, Any] = {**KEYS, "region": REGION, "endpoint_url": service.url}
    settings = AwsSettings(**{**given, **more})
    return BotoWire(settings, service=kind, sleep=lambda _seconds: None)


def read(wire: BotoWire, kind: str, body: bytes = b'{"ShardIterator":"it"}') -> bytes:
    return wire.call("GetRecords", body, table=ARNS[kind])


def is_signed(request: Request, url: str, name: str) -> bool:
    """Say whether a signature is the one that botocore makes for the service of a name."""
    sent = {each.lower(): value for each, value in request.headers.items()}
    again = AWSRequest("POST", f"{url}/", data=request.body)
    for each in sent["authorization"].partition("SignedHeaders=")[2].partition(",")[0].split(";"):
        again.headers[each] = sent[each]
    again.context["timestamp"] = sent["x-amz-date"]
    keys = Credentials(KEYS["access_key_id"], KEYS["secret_access_key"])
    signer = SigV4Auth(keys, name, REGION)
    signature = signer.signature(
        signer.string_to_sign(again, signer.canonical_request(again)), again
    )
    return sent["authorization"].endswith(f"Signature={signature}")


@pytest.mark.parametrize(
    ("kind", "target", "form", "name"),
    [
        ("dynamodbstreams", "DynamoDBStreams_20120810.GetRecords", "1.0", "dynamodb"),
        ("kinesis", "Kinesis_20131202.GetRecords", "1.1", "kinesis"),
    ],
)
def test_bodies_pass_byte_for_byte_the_whole_way_and_the_short_one(
    service: FaultService, kind: str, target: str, form: str, name: str
) -> None:
    body = b'{ "ShardIterator":"arn|1|AAA\\u00e9=", "Limit" : 1e3}'
    answer = b'{"Records" : [ {"n":{"N":"1E+2"}} ] }\n'
    service.replies(Reply(answer, crc=-1 if kind == "dynamodbstreams" else None))
    wire = wire_to(service, kind)
    assert [read(wire, kind, body) for _ in range(3)] == [answer] * 3
    for request in service.requests:
        assert request.body == body
        assert request.headers["X-Amz-Target"] == target
        assert request.headers["Content-Type"] == f"application/x-amz-json-{form}"
        assert is_signed(request, service.url, name)
    ways = ["amz-sdk-invocation-id" in request.headers for request in service.requests]
    assert ways == [True, False, False]


@BOTH
def test_operations_without_a_stream_go_too(service: FaultService, kind: str) -> None:
    service.replies(ok({"Streams": []}))
    assert wire_to(service, kind).call("ListStreams", b"{}") == b'{"Streams": []}'


@BOTH
def test_a_wire_of_another_process_speaks_to_the_same_service(
    service: FaultService, kind: str
) -> None:
    service.replies(PAGE)
    read(wire_to(service, kind), kind)
    again: BotoWire = pickle.loads(pickle.dumps(wire_to(service, kind)))
    read(again, kind)
    first, second = (request.headers["X-Amz-Target"] for request in service.requests)
    assert first == second


@pytest.mark.parametrize("kind", ["dynamodb", *ARNS])
def test_the_endpoint_of_its_own_setting_goes_before_that_of_dynamodb(kind: str) -> None:
    with faults.running() as own, faults.running() as other:
        own.replies(PAGE)
        setting = {"dynamodbstreams": "endpoint_url_streams", "kinesis": "endpoint_url_kinesis"}
        given = {"endpoint_url": other.url, setting.get(kind, "endpoint_url"): own.url}
        wire = wire_to(other, kind, **given)
        wire.call("Scan" if kind == "dynamodb" else "GetRecords", b"{}", table=ARNS.get(kind, "t"))
        assert (len(own.requests), len(other.requests)) == (1, 0)


# Endpoints of accounts: what the rules look at


def url_of(kind: str, operation: str, thing: str, **more: Any) -> str:
    """Return where botocore would send a call about a stream; nothing is sent."""
    settings = AwsSettings(**KEYS, region=REGION, **more)
    client = connect.open_client(connect.open_session(settings), kind, parameter_validation=False)
    sent: list[str] = []

    def hold_up(request: Any, **_event: object) -> AWSResponse:
        sent.append(request.url)
        raw: Any = type("Empty", (), {"stream": lambda _self: [b"{}"]})()
        return AWSResponse(request.url, 200, {}, raw)  # type: ignore[arg-type]

    client.meta.events.register("before-send", hold_up)
    parameters = connect.endpoint_parameters(client, operation, thing)
    getattr(client, xform_name(operation))(**parameters)
    return sent[0]


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("operation", ["DescribeStream", "GetShardIterator", "GetRecords"])
def test_calls_about_a_stream_go_to_the_endpoint_of_its_account(operation: str) -> None:
    urls = {kind: url_of(kind, operation, thing) for kind, thing in ARNS.items()}
    part = "control" if operation == "DescribeStream" else "data"
    assert urls == {
        "dynamodbstreams": f"https://123456789012.streams-ddb.{REGION}.amazonaws.com/",
        "kinesis": f"https://123456789012.{part}-kinesis.{REGION}.amazonaws.com/",
    }


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("operation", ["DescribeStream", "GetShardIterator", "GetRecords"])
def test_without_accounts_they_go_to_the_endpoint_of_the_region(operation: str) -> None:
    url = url_of("dynamodbstreams", operation, STREAM, account_id_endpoint_mode="disabled")
    assert url == f"https://streams.dynamodb.{REGION}.amazonaws.com/"


@pytest.mark.usefixtures("bare")
@BOTH
def test_a_stream_of_another_region_is_told(kind: str) -> None:
    with pytest.raises(ConfigError) as caught:
        url_of(kind, "GetRecords", ARNS[kind].replace(REGION, "us-east-2"))
    said = str(caught.value)
    assert said.startswith(
        f"Stream {ARNS[kind].replace(REGION, 'us-east-2')} is in region us-east-2"
    )
    assert "Set aws_region to us-east-2; streams of several regions" in said


# What is tried again


@BOTH
@pytest.mark.parametrize(
    "code",
    ["LimitExceededException", "ThrottlingException", "ProvisionedThroughputExceededException"],
)
def test_throttled_reads_are_tried_again_and_told(
    service: FaultService, kind: str, code: str
) -> None:
    service.replies(*[refused(code)] * 15, PAGE)
    wire = wire_to(service, kind)
    told: list[Throttle] = []
    end = wire.watch(ARNS[kind], told.append)
    assert read(wire, kind) == PAGE.body
    assert wire.throttles == len(told) == 15
    end()


def test_the_limits_of_tables_are_no_throttle(service: FaultService) -> None:
    service.replies(refused("LimitExceededException"))
    wire = wire_to(service, "dynamodb")
    with pytest.raises(ServiceError) as caught:
        wire.call("CreateTable", b"{}", table="orders")
    assert caught.value.code == "LimitExceededException"
    assert wire.throttles == 0
    assert len(service.requests) == 4


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        ("dynamodbstreams", "A shard takes two readers at once"),
        ("kinesis", "A shard gives 2 MB and five reads a second to all its readers"),
    ],
)
def test_reads_that_stay_throttled_say_why(service: FaultService, kind: str, why: str) -> None:
    service.replies(refused("LimitExceededException", "Subscriber limit"))
    with pytest.raises(ServiceError, match=rf"{why}.*, and run again to go on\.$") as caught:
        read(wire_to(service, kind), kind)
    assert caught.value.code == "LimitExceededException"
    assert len(service.requests) == 10 * (1 + STREAM_THROTTLED_TRIES)


def test_a_listing_that_stays_throttled_does_not_blame_readers(service: FaultService) -> None:
    service.replies(refused("ThrottlingException"))
    with pytest.raises(ServiceError) as caught:
        wire_to(service, "dynamodbstreams").call("DescribeStream", b"{}", table=STREAM)
    assert caught.value.hint == "Run again to go on"


@BOTH
@pytest.mark.parametrize(
    "code",
    ["ExpiredIteratorException", "TrimmedDataAccessException", "ValidationException"],
)
def test_what_no_try_would_change_is_tried_once(
    service: FaultService, kind: str, code: str
) -> None:
    service.replies(refused(code, "that is how it is"))
    with pytest.raises(ServiceError, match=f"{code}: that is how it is") as caught:
        read(wire_to(service, kind), kind)
    assert caught.value.code == code
    assert len(service.requests) == 1


@BOTH
def test_a_failure_of_the_service_is_tried_again(service: FaultService, kind: str) -> None:
    failed = refused("InternalServerError", status=500)
    service.replies(PAGE, failed, html(503), Reply(reset=True), PAGE)
    wire = wire_to(service, kind)
    assert [read(wire, kind) for _ in range(2)] == [PAGE.body] * 2
    assert len(service.requests) == 5


@BOTH
def test_reads_are_worth_more_tries_than_listings(service: FaultService, kind: str) -> None:
    service.replies(refused("InternalServerError", status=500))
    wire = wire_to(service, kind)
    for operation in ("GetRecords", "DescribeStream"):
        with pytest.raises(ServiceError, match="InternalServerError"):
            wire.call(operation, b"{}", table=ARNS[kind])
    operations = service.operations()
    assert (operations.count("GetRecords"), operations.count("DescribeStream")) == (10, 4)


@BOTH
@pytest.mark.parametrize(
    "damaged", [Reply(b'{"Records":[', crc=None), Reply(b'{"Records":[]}', crc=1)]
)
def test_a_damaged_answer_is_asked_for_again(
    service: FaultService, kind: str, damaged: Reply
) -> None:
    service.replies(damaged, damaged, PAGE)
    assert read(wire_to(service, kind), kind) == PAGE.body
    service.replies(damaged)
    with pytest.raises(CorruptReply, match=f"GetRecords on {ARNS[kind]}"):
        read(wire_to(service, kind), kind)


# What the user reads


@pytest.mark.parametrize(
    ("kind", "setting"),
    [("dynamodbstreams", "aws_endpoint_url_streams"), ("kinesis", "aws_endpoint_url_kinesis")],
)
def test_a_stream_that_is_not_there(service: FaultService, kind: str, setting: str) -> None:
    service.replies(refused("ResourceNotFoundException", "Requested resource not found"))
    own = {setting.removeprefix("aws_"): service.url, "endpoint_url": "http://127.0.0.1:1"}
    with pytest.raises(StreamNotFound) as caught:
        read(wire_to(service, kind, **own), kind)
    assert str(caught.value) == (
        f"Stream {ARNS[kind]} does not exist ({service.url}, region {REGION}). Check its ARN, "
        f"aws_region, {setting} and the account of the credentials."
    )


def test_a_table_that_is_not_there_is_a_table_still(service: FaultService) -> None:
    service.replies(refused("ResourceNotFoundException"))
    with pytest.raises(TableNotFound, match=r"^Table orders does not exist.*Check its name, "):
        wire_to(service, "dynamodb").call("Scan", b"{}", table="orders")


@BOTH
@pytest.mark.parametrize(
    "code", ["AccessDeniedException", "UnrecognizedClientException", "KMSAccessDeniedException"]
)
def test_a_refusal(service: FaultService, kind: str, code: str) -> None:
    service.replies(refused(code, "User: u is not authorized to perform: GetRecords"))
    with pytest.raises(AccessError) as caught:
        read(wire_to(service, kind), kind)
    assert str(caught.value).startswith(
        f"GetRecords on stream {ARNS[kind]} is refused with {code}: User: u is not authorized"
    )
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    ("kind", "setting", "name"),
    [
        ("dynamodbstreams", "aws_endpoint_url_streams", "DynamoDB Streams"),
        ("dynamodbstreams", "aws_endpoint_url", "DynamoDB Streams"),
        ("kinesis", "aws_endpoint_url_kinesis", "Kinesis"),
        ("kinesis", "aws_endpoint_url", "Kinesis"),
    ],
)
def test_a_place_where_no_such_service_is(
    service: FaultService, kind: str, setting: str, name: str
) -> None:
    """The setting that is named is the one that the endpoint came from."""
    service.replies(html(404))
    given = setting.removeprefix("aws_")
    with pytest.raises(
        EndpointError, match=rf"with 404, and not by {name}: .*Check {setting}, and"
    ):
        read(wire_to(service, kind, **{"endpoint_url": None, given: service.url}), kind)
    wire = wire_to(service, kind, **{"endpoint_url": None, given: "http://127.0.0.1:1"})
    with pytest.raises(EndpointError, match=rf"did not reach {name} .*Check {setting}, aws_region"):
        wire.call("DescribeStream", b"{}", table=ARNS[kind])
