"""The wire over real botocore and real HTTP, against a service that fails as real ones do."""

from __future__ import annotations

import json
import logging
import traceback
import zlib
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from demo import guard
from dynamodb_core import scan
from dynamodb_core.capacity import Budget
from dynamodb_core.errors import (
    AccessError,
    ConfigError,
    CorruptReply,
    EndpointError,
    Error,
    ServiceError,
    TableNotFound,
)
from dynamodb_core.parts import Part
from dynamodb_core.plan import ReadPlan
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import CORRUPT_TRIES, THROTTLED_TRIES, BotoWire, damage
from tests.engines import faults
from tests.engines.faults import (
    Reply,
    Request,
    html,
    ok,
    refused,
    role_credentials,
    role_refused,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.engines.faults import FaultService

KEY_ID = "AKIDOFTHETESTS"
SECRET = "secret-key-of-the-tests"
TOKEN = "session-token-of-the-tests"
EXTERNAL = "external-id-of-the-tests"
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/orders"
PAGE = ok({"Items": [{"id": {"S": "a"}}], "Count": 1})
THROTTLED = refused("ProvisionedThroughputExceededException", "too fast")


@pytest.fixture
def service() -> Iterator[FaultService]:
    with faults.running() as service:
        yield service


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let botocore's tries follow each other without pauses."""
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )


class Wire(BotoWire):
    """The wire itself, with pauses of its own that are noted and not made."""

    def __init__(self, service: FaultService, **more: Any) -> None:
        self.pauses: list[float] = []
        given: dict[str, Any] = {
            "access_key_id": KEY_ID,
            "secret_access_key": SECRET,
            "session_token": TOKEN,
            "region": "eu-west-1",
            "endpoint_url": service.url,
        }
        super().__init__(AwsSettings(**{**given, **more}), sleep=self.pauses.append)


# What arrives, and what comes back


def test_request_and_answer_pass_byte_for_byte(service: FaultService) -> None:
    """Spaces, escapes and digits that any JSON library would write otherwise."""
    body = b'{ "TableName":"orders","N":1.00000000000000000000000000000000000001E+10,"t":"\\u00e9\xc3\xa9\\/"}'
    answer = b'{"Items" : [ {"n":{"N":"1E+2"}, "s":{"S":"\\ud83d\\ude00"} } ],"Count":1 }\n'
    service.replies(Reply(answer))
    assert Wire(service).call("Scan", body, table="orders") == answer
    [request] = service.requests
    assert request.body == body
    assert request.headers["X-Amz-Target"] == "DynamoDB_20120810.Scan"
    assert request.headers["Content-Type"] == "application/x-amz-json-1.0"
    assert int(request.headers["Content-Length"]) == len(body)


def test_the_body_is_what_is_signed(service: FaultService) -> None:
    """Signed by botocore, checked by the signature of a request that is made anew."""
    from botocore.auth import SigV4Auth  # noqa: PLC0415
    from botocore.awsrequest import AWSRequest  # noqa: PLC0415
    from botocore.credentials import Credentials  # noqa: PLC0415

    service.replies(PAGE)
    Wire(service).call("Scan", b'{"TableName":"orders"}', table="orders")
    [request] = service.requests
    signed = request.headers["Authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    names = {name.lower(): value for name, value in request.headers.items()}
    again = AWSRequest("POST", f"{service.url}/", data=request.body)
    for name in signed.split(";"):
        again.headers[name] = names[name]
    again.context["timestamp"] = names["x-amz-date"]
    signer = SigV4Auth(Credentials(KEY_ID, SECRET, TOKEN), "dynamodb", "eu-west-1")
    text = signer.string_to_sign(again, signer.canonical_request(again))
    assert request.headers["Authorization"].endswith(f"Signature={signer.signature(text, again)}")


@pytest.mark.parametrize("table", ["orders", ARN, "a.b-c_D"])
def test_tables_are_named_by_name_or_arn(service: FaultService, table: str) -> None:
    service.replies(PAGE)
    wire = Wire(service)
    body = json.dumps({"TableName": table}).encode()
    for operation in ("Scan", "Query", "DescribeTable", "BatchWriteItem"):
        assert wire.call(operation, body, table=table) == PAGE.body
    assert [request.body for request in service.requests] == [body] * 4


def test_a_call_without_a_table_works(service: FaultService) -> None:
    service.replies(ok({"TableNames": []}))
    assert Wire(service).call("ListTables", b"{}") == b'{"TableNames": []}'


def test_several_threads_share_a_wire(service: FaultService) -> None:
    service.answers(lambda request: Reply(request.body))
    wire = Wire(service)
    bodies = [b'{"TableName":"t","Segment":%d}' % number for number in range(60)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda body: wire.call("Scan", body, table="t"), bodies))
    assert answers == bodies


def test_nothing_is_opened_before_the_first_call(service: FaultService) -> None:
    Wire(service, profile="not-there", region=None)
    assert service.requests == []


def test_the_region_is_that_of_the_settings_or_of_the_environment(service: FaultService) -> None:
    assert Wire(service, region="ap-south-1").region == "ap-south-1"
    assert Wire(service, region=None).region == guard.REGION


# Damaged answers: botocore hands these out as empty ones


def test_a_wrong_checksum_is_tried_again(service: FaultService) -> None:
    service.replies(Reply(PAGE.body, crc=12345), PAGE)
    wire = Wire(service)
    assert wire.call("Scan", b"{}", table="t") == PAGE.body
    assert len(service.requests) == 2


@pytest.mark.usefixtures("at_once")
def test_a_checksum_that_stays_wrong_is_a_corrupt_reply(service: FaultService) -> None:
    service.replies(Reply(PAGE.body, crc=12345))
    wire = Wire(service)
    with pytest.raises(CorruptReply, match=r"DescribeTable on t: .* checksum, 4 times"):
        wire.call("DescribeTable", b"{}", table="t")
    assert len(wire.pauses) == CORRUPT_TRIES - 1


def test_a_body_that_was_cut_below_its_checksum_is_tried_again(service: FaultService) -> None:
    service.replies(Reply(PAGE.body[:20], crc=zlib.crc32(PAGE.body)), PAGE)
    assert Wire(service).call("Scan", b"{}", table="t") == PAGE.body


def test_a_cut_body_without_a_checksum_is_tried_again(service: FaultService) -> None:
    """The trap: botocore cannot parse it, and calls it an empty page, a normal end."""
    service.replies(Reply(PAGE.body[:20], crc=None), PAGE)
    wire = Wire(service)
    assert wire.call("Scan", b"{}", table="t") == PAGE.body
    assert len(wire.pauses) == 1


@pytest.mark.parametrize(
    "body", [b"", PAGE.body[:20], PAGE.body[:-1], b"<html>login</html>", b"null", b'"x"']
)
def test_what_is_no_whole_object_is_a_corrupt_reply(service: FaultService, body: bytes) -> None:
    service.replies(Reply(body, crc=None))
    wire = Wire(service)
    with pytest.raises(CorruptReply, match="no whole JSON object, 4 times") as caught:
        wire.call("Scan", b"{}", table="t")
    assert caught.value.code == "CorruptReply"
    assert len(service.requests) == CORRUPT_TRIES


def test_a_body_that_is_cut_behind_a_brace_is_caught_by_the_scan(service: FaultService) -> None:
    whole = ok({"Count": 2, "Items": [{"id": {"S": "a"}}, {"id": {"S": "b"}}]}).body
    cut = whole[: whole.index(b"}") + 1]
    assert damage(cut, {}) == ""
    service.replies(Reply(cut, crc=None))
    with pytest.raises(CorruptReply, match="segment 2 of 3 of table t"):
        scan.read_page(Wire(service), ReadPlan("t", 3), Part(2), Budget(None), 1.0)


@pytest.mark.parametrize(
    "fault", [Reply(reset=True), Reply(PAGE.body, sent=10), Reply(PAGE.body, sent=0)]
)
def test_a_connection_that_breaks_is_tried_again(service: FaultService, fault: Reply) -> None:
    service.replies(fault, PAGE)
    assert Wire(service).call("Scan", b"{}", table="t") == PAGE.body
    assert len(service.requests) == 2


@pytest.mark.usefixtures("at_once")
def test_a_connection_that_always_breaks_is_an_endpoint_error(service: FaultService) -> None:
    service.replies(Reply(reset=True))
    with pytest.raises(EndpointError, match="DescribeTable on table t did not reach DynamoDB"):
        Wire(service).call("DescribeTable", b"{}", table="t")


# Failures of the service


@pytest.mark.parametrize(
    "fault",
    [
        refused("InternalServerError", status=500),
        html(503),
        html(502, b"<!DOCTYPE html><html></html>"),
        Reply(b"", 500, crc=None),
    ],
    ids=["500", "503 html", "502 doctype", "500 empty"],
)
def test_a_failure_of_the_service_is_tried_again(service: FaultService, fault: Reply) -> None:
    service.replies(fault, fault, PAGE)
    wire = Wire(service)
    assert wire.call("Scan", b"{}", table="t") == PAGE.body
    assert wire.throttles == 0
    assert wire.pauses == []  # botocore's own


@pytest.mark.usefixtures("at_once")
def test_a_lasting_failure_of_the_service_is_told_with_its_code(service: FaultService) -> None:
    service.replies(refused("InternalServerError", "try later", status=500))
    with pytest.raises(ServiceError, match="try later") as caught:
        Wire(service).call("DescribeTable", b"{}", table="t")
    assert caught.value.code == "InternalServerError"
    assert service.url in str(caught.value)
    assert len(service.requests) == 4


@pytest.mark.usefixtures("at_once")
def test_a_web_page_in_place_of_an_error_stays_one_short_line(service: FaultService) -> None:
    page = b"<!DOCTYPE html>\n<html>" + b"<p>We are sorry.</p>\n" * 2000 + b"</html>"
    service.replies(html(503, page))
    with pytest.raises(ServiceError) as caught:
        Wire(service).call("DescribeTable", b"{}", table="t")
    assert len(str(caught.value)) < 600
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [302, 403, 404, 407])
def test_something_that_is_not_dynamodb_is_told_as_a_wrong_endpoint(
    service: FaultService, status: int
) -> None:
    service.replies(html(status, b"<html>Nothing here</html>"))
    with pytest.raises(EndpointError, match=f"{status}, and not by DynamoDB.*aws_endpoint_url"):
        Wire(service).call("DescribeTable", b"{}", table="t")


def test_a_refused_request_is_not_tried_again(service: FaultService) -> None:
    service.replies(refused("ValidationException", "Item size has exceeded the maximum."))
    with pytest.raises(ServiceError, match="Item size has exceeded the maximum") as caught:
        Wire(service).call("BatchWriteItem", b"{}", table="t")
    assert caught.value.code == "ValidationException"
    assert len(service.requests) == 1


@pytest.mark.parametrize(
    "code",
    ["ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded"],
)
@pytest.mark.usefixtures("at_once")
def test_throttled_calls_are_tried_again_and_counted(service: FaultService, code: str) -> None:
    service.replies(refused(code), refused(code), PAGE, PAGE)
    wire = Wire(service)
    wire.call("Scan", b"{}", table="t")
    wire.call("Scan", b"{}", table="t")
    assert wire.throttles == 2


@pytest.mark.usefixtures("at_once")
def test_a_table_that_is_throttled_for_long_is_read_to_its_end(service: FaultService) -> None:
    """botocore's store of retries is empty after a hundred such calls; the table is only slow."""
    count = iter(range(10_000))
    service.answers(lambda _request: THROTTLED if next(count) % 3 else PAGE)
    wire = Wire(service)
    for _ in range(250):
        assert wire.call("Scan", b"{}", table="t") == PAGE.body
    assert wire.throttles == 498
    assert 0 < max(wire.pauses) <= 20.0


@pytest.mark.usefixtures("at_once")
def test_failures_are_tried_again_when_botocores_store_of_retries_is_empty(
    service: FaultService,
) -> None:
    failures = refused("InternalServerError", status=500)
    service.replies(*[THROTTLED] * 120, failures, PAGE)
    assert Wire(service).call("Scan", b"{}", table="t") == PAGE.body


@pytest.mark.usefixtures("at_once")
def test_a_table_that_is_throttled_for_ever_is_an_error(service: FaultService) -> None:
    service.replies(THROTTLED)
    wire = Wire(service)
    with pytest.raises(ServiceError, match="too fast") as caught:
        wire.call("Scan", b"{}", table="t")
    assert caught.value.code == "ProvisionedThroughputExceededException"
    assert len(wire.pauses) == THROTTLED_TRIES


# Access


@pytest.mark.parametrize(
    "code",
    [
        "AccessDeniedException",
        "ExpiredTokenException",
        "InvalidSignatureException",
        "UnrecognizedClientException",
    ],
)
def test_a_refusal_of_access_is_told_at_once(service: FaultService, code: str) -> None:
    service.replies(refused(code, "User is not authorized to perform dynamodb:Scan"))
    with pytest.raises(AccessError, match=rf"Scan on table t is refused with {code}: User is not"):
        Wire(service).call("Scan", b"{}", table="t")
    assert len(service.requests) == 1


def test_a_missing_table_is_told_with_its_place(service: FaultService) -> None:
    service.replies(refused("ResourceNotFoundException", "Requested resource not found"))
    with pytest.raises(TableNotFound, match=r"Table t does not exist .*eu-west-1"):
        Wire(service).call("DescribeTable", b"{}", table="t")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without credentials and without a region."""
    for name in (
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_PROFILE",
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


NOBODY = {"access_key_id": None, "secret_access_key": None, "session_token": None}


def test_without_credentials_it_says_how_to_give_them(
    service: FaultService, bare: pytest.MonkeyPatch
) -> None:
    wire = Wire(service, **NOBODY)
    with pytest.raises(AccessError, match=r"no usable AWS credentials.*Set aws_access_key_id"):
        wire.call("Scan", b"{}", table="t")
    assert service.requests == []


def test_half_of_the_credentials_in_the_environment_are_no_credentials(
    service: FaultService, bare: pytest.MonkeyPatch
) -> None:
    bare.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
    with pytest.raises(AccessError, match="no usable AWS credentials") as caught:
        Wire(service, **NOBODY).call("Scan", b"{}", table="t")
    assert KEY_ID not in str(caught.value)


def test_without_a_region_it_says_how_to_set_one(
    service: FaultService, bare: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match=r"No AWS region is set\. Set aws_region"):
        Wire(service, region=None).call("Scan", b"{}", table="t")


def test_a_profile_that_is_missing_is_told(service: FaultService) -> None:
    with pytest.raises(ConfigError, match=r"profile \(absent\).*Check aws_profile"):
        Wire(service, **NOBODY, profile="absent").call("Scan", b"{}", table="t")


@pytest.fixture
def profile(tmp_path: Path, bare: pytest.MonkeyPatch) -> str:
    """A profile of the shared files that names keys and a region."""
    keys = f"aws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n"
    (tmp_path / "credentials").write_text(f"[mine]\n{keys}")
    (tmp_path / "config").write_text("[profile mine]\nregion = sa-east-1\n")
    bare.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    bare.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    return "mine"


def test_a_profile_gives_credentials_and_region(service: FaultService, profile: str) -> None:
    service.replies(PAGE)
    wire = Wire(service, **NOBODY, region=None, profile=profile)
    wire.call("Scan", b"{}", table="t")
    assert service.requests[0].access_key_id == KEY_ID
    assert wire.region == "sa-east-1"


# Endpoints


@pytest.mark.usefixtures("at_once")
def test_an_endpoint_where_nothing_listens_is_told(service: FaultService) -> None:
    wire = Wire(service, endpoint_url=guard.NOWHERE)
    with pytest.raises(EndpointError, match=rf"ListTables did not reach .*{guard.NOWHERE}"):
        wire.call("ListTables", b"{}")


@pytest.mark.parametrize("url", ["localhost:8000", "not a url", "http://", "127.0.0.1"])
def test_an_endpoint_that_is_no_url_is_told(service: FaultService, url: str) -> None:
    with pytest.raises(ConfigError, match="aws_endpoint_url"):
        Wire(service, endpoint_url=url).call("ListTables", b"{}")


# Secrets


def everything_said(error: Error, wire: BotoWire, settings: AwsSettings) -> str:
    return "\n".join((str(error), repr(error), repr(wire), str(wire), repr(settings)))


@pytest.mark.parametrize(
    "code", ["InvalidSignatureException", "ValidationException", "AccessDeniedException"]
)
def test_no_secret_is_in_an_error_even_when_the_service_repeats_it(
    service: FaultService, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """AWS answers a wrong signature with the request as it understood it, token included."""
    message = (
        f"The key {KEY_ID} with {SECRET} does not fit.\n\nThe Canonical String should have been"
        f"\n'POST\nx-amz-security-token:{TOKEN}\nx-amz-security-token:token-of-the-environment'"
    )
    service.replies(refused(code, message))
    wire = Wire(service, assume_role_external_id=EXTERNAL)
    with caplog.at_level(logging.INFO), pytest.raises(Error) as caught:
        wire.call("Scan", b"{}", table="t")
    said = everything_said(caught.value, wire, wire._settings) + caplog.text
    for secret in (KEY_ID, SECRET, TOKEN, EXTERNAL, "token-of-the-environment"):
        assert secret not in said


# Assuming a role


def in_(minutes: float) -> str:
    moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


class Role:
    """STS and DynamoDB on one service; each AssumeRole gives the next credentials."""

    def __init__(self, *granted: Reply) -> None:
        self._granted = list(granted)

    def __call__(self, request: Request) -> Reply:
        if request.operation != "AssumeRole":
            return PAGE
        return self._granted.pop(0) if len(self._granted) > 1 else self._granted[0]


@pytest.fixture
def sts(service: FaultService, monkeypatch: pytest.MonkeyPatch) -> FaultService:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", service.url)
    return service


ROLE = {"assume_role_arn": "arn:aws:iam::123456789012:role/reader"}


def test_a_role_is_assumed_with_external_id_and_session_name(sts: FaultService) -> None:
    sts.answers(Role(role_credentials("ASIAROLE", in_(60))))
    wire = Wire(
        sts, **ROLE, assume_role_external_id=EXTERNAL, assume_role_session_name="nightly-load"
    )
    for _ in range(3):
        wire.call("Scan", b"{}", table="t")
    wire.call("DescribeTable", b"{}", table="t")  # by another client of the same session
    asked, *calls = sts.requests
    assert asked.access_key_id == KEY_ID
    assert (
        asked.form.items()
        >= {
            "RoleArn": ROLE["assume_role_arn"],
            "ExternalId": EXTERNAL,
            "RoleSessionName": "nightly-load",
        }.items()
    )
    assert [call.access_key_id for call in calls] == ["ASIAROLE"] * 4
    assert calls[0].headers["X-Amz-Security-Token"] == "token-of-ASIAROLE"


def test_without_an_external_id_none_is_sent(sts: FaultService) -> None:
    sts.answers(Role(role_credentials("ASIAROLE", in_(60))))
    Wire(sts, **ROLE).call("Scan", b"{}", table="t")
    assert "ExternalId" not in sts.requests[0].form
    assert sts.requests[0].form["RoleSessionName"] == "ferry-dynamodb"


def test_credentials_of_a_role_are_refreshed_before_they_expire(sts: FaultService) -> None:
    """A table that takes a day outlives the hour of a role."""
    sts.answers(
        Role(role_credentials("ASIAFIRST", in_(5)), role_credentials("ASIASECOND", in_(60)))
    )
    wire = Wire(sts, **ROLE)
    for _ in range(3):
        wire.call("Scan", b"{}", table="t")
    assert sts.operations().count("AssumeRole") == 2
    scans = [request for request in sts.requests if request.operation == "Scan"]
    assert [scan.access_key_id for scan in scans[1:]] == ["ASIASECOND"] * 2


def test_a_role_is_assumed_from_a_profile_and_keeps_its_region(
    sts: FaultService, profile: str
) -> None:
    sts.answers(Role(role_credentials("ASIAROLE", in_(60))))
    wire = Wire(sts, **ROLE, **NOBODY, region=None, profile=profile)
    wire.call("Scan", b"{}", table="t")
    assert [request.access_key_id for request in sts.requests] == [KEY_ID, "ASIAROLE"]
    assert wire.region == "sa-east-1"
    assert "/sa-east-1/dynamodb/" in sts.requests[1].headers["Authorization"]


def test_the_environments_own_keys_do_not_pass_for_the_role(sts: FaultService) -> None:
    """The environment holds keys as well; they may assume the role, and sign nothing else."""
    sts.answers(Role(role_credentials("ASIAROLE", in_(60))))
    Wire(sts, **ROLE, **NOBODY).call("Scan", b"{}", table="t")
    signers = [request.access_key_id for request in sts.requests]
    assert signers == [guard.ACCESS_KEY_ID, "ASIAROLE"]


def test_a_role_that_may_not_be_assumed_is_told(sts: FaultService) -> None:
    denial = "User: arn:aws:iam::1:user/u is not authorized to perform: sts:AssumeRole"
    sts.answers(Role(role_refused("AccessDenied", denial)))
    with pytest.raises(AccessError, match=r"AccessDenied: .*sts:AssumeRole") as caught:
        Wire(sts, **ROLE, assume_role_external_id=EXTERNAL).call("Scan", b"{}", table="t")
    assert caught.value.hint.startswith("Check aws_assume_role_arn and its external id")
    assert EXTERNAL not in "".join(traceback.format_exception_only(caught.value))
    assert sts.operations() == ["AssumeRole"]


def test_a_role_cannot_be_assumed_by_nobody(sts: FaultService, bare: pytest.MonkeyPatch) -> None:
    with pytest.raises(AccessError, match="no usable AWS credentials"):
        Wire(sts, **ROLE, **NOBODY).call("Scan", b"{}", table="t")


def test_a_role_whose_credentials_come_expired_is_told(sts: FaultService) -> None:
    """As on a machine whose clock is an hour fast."""
    sts.answers(Role(role_credentials("ASIAROLE", in_(-5))))
    with pytest.raises(AccessError, match=r"expired.*clock"):
        Wire(sts, **ROLE).call("Scan", b"{}", table="t")
