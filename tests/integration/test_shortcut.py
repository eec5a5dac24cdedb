"""The short way through botocore: what it sends, and that a failure is botocore's own first try."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from dynamodb_core import signing
from dynamodb_core.errors import AccessError, ServiceError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.shortcut import DETOUR
from dynamodb_core.wire import BotoWire
from tests.engines import faults
from tests.engines.faults import Reply, Request, html, ok, refused

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.engines.faults import FaultService

KEY_ID, SECRET, TOKEN = "AKIDOFTHETESTS", "secret-key-of-the-tests", "token-of-the-tests"
KEYS = Credentials(KEY_ID, SECRET, TOKEN)
PAGE = ok({"Items": [{"id": {"S": "a"}}], "Count": 1})
FAILURE = refused("InternalServerError", status=500)
OF_A_WHOLE_CALL = "amz-sdk-invocation-id"


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultService]:
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )
    with faults.running() as service:
        yield service


@pytest.fixture
def wire(service: FaultService) -> BotoWire:
    settings = AwsSettings(
        access_key_id=KEY_ID,
        secret_access_key=SECRET,
        session_token=TOKEN,
        region="eu-west-1",
        endpoint_url=service.url,
    )
    return BotoWire(settings, sleep=lambda _seconds: None)


def scan(wire: BotoWire, body: bytes = b"{}", table: str = "t") -> bytes:
    return wire.call("Scan", body, table=table)


def whole(service: FaultService) -> list[bool]:
    """Which requests went botocore's whole way."""
    return [OF_A_WHOLE_CALL in request.headers for request in service.requests]


def signature(request: Request, url: str, keys: Credentials = KEYS) -> str:
    names = {name.lower(): value for name, value in request.headers.items()}
    signed = names["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
    again = AWSRequest("POST", f"{url}/", data=request.body)
    for name in signed.split(";"):
        again.headers[name] = names[name]
    again.context["timestamp"] = names["x-amz-date"]
    signer = SigV4Auth(keys, "dynamodb", "eu-west-1")
    return signer.signature(signer.string_to_sign(again, signer.canonical_request(again)), again)


def test_the_first_call_of_an_operation_on_a_table_shows_the_way(
    service: FaultService, wire: BotoWire
) -> None:
    service.replies(PAGE)
    calls = [("Scan", "t"), ("Scan", "t"), ("Scan", "u"), ("BatchWriteItem", "t"), ("Scan", "t")]
    for operation, table in calls:
        assert wire.call(operation, b"{}", table=table) == PAGE.body
    assert whole(service) == [True, False, True, True, False]


def test_the_short_request_is_the_whole_one_but_for_body_time_and_signature(
    service: FaultService, wire: BotoWire
) -> None:
    """By botocore's session, and on its open connection."""
    service.replies(PAGE)
    bodies = [b'{"TableName":"t"}', b'{"TableName":"t","Segment":1}', b'{"TableName":"t"}', b""]
    for body in bodies:
        scan(wire, body)
    assert [request.body for request in service.requests] == bodies
    for request in service.requests:
        assert request.headers["Authorization"].endswith(signature(request, service.url))
    own = {"authorization", "content-length", "x-amz-date", OF_A_WHOLE_CALL, "amz-sdk-request"}
    same = [
        {name.lower(): value for name, value in request.headers.items() if name.lower() not in own}
        for request in service.requests
    ]
    assert same[1:] == same[:-1]


BEFORE = pytest.mark.parametrize("before", [1, 2], ids=["by the session", "in our own words"])


@BEFORE
@pytest.mark.parametrize("fault", [FAILURE, html(503), Reply(reset=True)])
def test_a_failure_is_botocores_first_try(
    service: FaultService, wire: BotoWire, fault: Reply, before: int
) -> None:
    service.replies(*[PAGE] * before, fault, PAGE)
    for _ in range(before + 1):
        assert scan(wire) == PAGE.body
    assert len(service.requests) == before + 2
    assert "attempt=2" in service.requests[-1].headers["amz-sdk-request"]


@BEFORE
@pytest.mark.parametrize("fault", [Reply(PAGE.body, crc=12345), Reply(PAGE.body, sent=10)])
def test_a_damaged_answer_is_asked_for_again(
    service: FaultService, wire: BotoWire, fault: Reply, before: int
) -> None:
    service.replies(*[PAGE] * before, fault, PAGE)
    for _ in range(before + 1):
        assert scan(wire) == PAGE.body
    assert len(service.requests) == before + 2


@BEFORE
def test_a_throttled_call_is_counted_once(
    service: FaultService, wire: BotoWire, before: int
) -> None:
    service.replies(*[PAGE] * before, refused("ThrottlingException"), PAGE)
    for _ in range(before + 1):
        scan(wire)
    assert wire.throttles == 1


@BEFORE
def test_a_refusal_is_sent_once(service: FaultService, wire: BotoWire, before: int) -> None:
    service.replies(*[PAGE] * before, refused("ValidationException", "too large"))
    for _ in range(before):
        scan(wire)
    with pytest.raises(ServiceError, match="too large") as caught:
        scan(wire)
    assert caught.value.code == "ValidationException"
    assert len(service.requests) == before + 1


def test_access_that_ends_in_the_middle_is_told_at_once(
    service: FaultService, wire: BotoWire
) -> None:
    service.replies(PAGE, PAGE, refused("ExpiredTokenException", "The token is expired"))
    scan(wire)
    scan(wire)
    with pytest.raises(AccessError, match="ExpiredTokenException"):
        scan(wire)
    assert len(service.requests) == 3


def test_after_a_failure_the_next_calls_fill_botocores_store_of_retries(
    service: FaultService, wire: BotoWire
) -> None:
    service.replies(PAGE, FAILURE, PAGE)
    for _ in range(DETOUR + 4):
        scan(wire)
    assert whole(service) == [True, False, True, *[True] * DETOUR, False, False]


def test_a_condition_that_fails_is_an_answer_like_any_other(
    service: FaultService, wire: BotoWire
) -> None:
    """An insert finds items by the thousand; botocore's store of retries does not pay for that."""
    service.replies(PAGE, refused("ConditionalCheckFailedException"), PAGE)
    scan(wire)
    with pytest.raises(ServiceError) as raised:
        scan(wire)
    assert raised.value.code == "ConditionalCheckFailedException"
    scan(wire)
    assert whole(service) == [True, False, False]  # and it was sent once


class Renewed:
    """Credentials that are others at each look, but for the first ones, as a role's when they expire."""

    def __init__(self, *keys: Credentials) -> None:
        self.keys = list(keys)

    def get_frozen_credentials(self) -> Any:
        keys = self.keys.pop(0) if len(self.keys) > 1 else self.keys[0]
        return keys.get_frozen_credentials()


def test_renewed_keys_sign_from_then_on(service: FaultService, wire: BotoWire) -> None:
    service.replies(PAGE)
    others = [
        Credentials("ASIAOTHER", "another-secret", "another-token"),
        Credentials("AKIDTHIRD", "third secret"),  # without a token
        Credentials("ASIAOTHER", "another-secret", "newer token  of the same keys"),
        Credentials("ASIAOTHER", "newer-secret", "another-token"),
    ]
    scan(wire)
    scan(wire)
    wire._client(tries=10)._credentials = Renewed(*others)
    for keys in others:
        scan(wire)
        request = service.requests[-1]
        assert OF_A_WHOLE_CALL not in request.headers
        assert request.access_key_id == keys.access_key
        assert request.headers.get("X-Amz-Security-Token") == keys.token
        assert request.headers["Authorization"].endswith(signature(request, service.url, keys))


@pytest.mark.parametrize("token", ["a\r\nX-Injected: b", "a\nb", "\x00", "größe"])
def test_keys_that_no_header_can_hold_are_left_to_botocore(
    service: FaultService, wire: BotoWire, token: str
) -> None:
    service.replies(PAGE)
    scan(wire)
    scan(wire)
    shortcut = wire._client(tries=10)
    shortcut._credentials = Renewed(Credentials("ASIAOTHER", "another-secret", token))
    assert shortcut.send("Scan", "t", b"{}") is None
    assert len(service.requests) == 2


def test_a_signature_that_is_not_botocores_is_never_sent(
    service: FaultService, wire: BotoWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a service that is signed otherwise: all calls go the whole way, and are right."""
    monkeypatch.setattr(signing.Signer, "authorization", lambda *_arguments: "another one")
    service.replies(PAGE)
    for _ in range(3):
        assert scan(wire) == PAGE.body
    assert whole(service) == [True] * 3


@pytest.mark.parametrize(
    ("path", "short"), [("/prefix", True), ("/a/b/", True), ("/a%20b", False), ("/?a=b", False)]
)
def test_an_endpoint_with_a_path_is_signed_right_or_not_at_all(
    service: FaultService, path: str, short: bool
) -> None:
    service.replies(PAGE)
    settings = AwsSettings(
        KEY_ID, SECRET, TOKEN, region="eu-west-1", endpoint_url=service.url + path
    )
    wire = BotoWire(settings)
    for _ in range(3):
        assert scan(wire) == PAGE.body
    assert whole(service) == [True, not short, not short]


def test_the_moment_is_that_of_the_call(
    service: FaultService, wire: BotoWire, monkeypatch: pytest.MonkeyPatch
) -> None:
    service.replies(PAGE)
    scan(wire)
    scan(wire)
    moments = []
    for seconds in (1_800_000_000.9, 1_800_000_001.0, 1_799_999_999.0, 4_102_444_800.5):
        monkeypatch.setattr("dynamodb_core.signing.time.time", lambda now=seconds: now)
        scan(wire)
        request = service.requests[-1]
        moments.append(request.headers["X-Amz-Date"])
        assert request.headers["Authorization"].endswith(signature(request, service.url))
    assert moments == [
        "20270115T080000Z",
        "20270115T080001Z",
        "20270115T075959Z",
        "21000101T000000Z",
    ]


def test_threads_do_not_get_each_others_outcomes(service: FaultService, wire: BotoWire) -> None:
    count = itertools.count()
    failures = []

    def answer(request: Request) -> Reply:
        if next(count) % 7 == 3:
            failures.append(request.body)
            return FAILURE
        return Reply(request.body)

    service.answers(answer)
    bodies = [b'{"TableName":"t","Segment":%d}' % number for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda body: scan(wire, body), bodies)) == bodies
    assert len(service.requests) == len(bodies) + len(failures)
    assert not all(whole(service))
