"""Proxies, certificates and account-based endpoints, on all roads, without leaving this machine.

The first call of an operation on a table is botocore's whole way, the second the short way by its
session, the third is said in our own words on a connection of theirs.
"""

from __future__ import annotations

import base64
import logging
import pickle
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from dynamodb_core import connect, exchange
from dynamodb_core.errors import ConfigError, EndpointError
from dynamodb_core.settings import AwsSettings
from dynamodb_core.wire import BotoWire
from tests.engines import faults, proxy
from tests.engines.authority import REGION, Authority
from tests.engines.faults import ok, role_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dynamodb_core.exchange import Answer
    from tests.engines.faults import FaultService
    from tests.engines.proxy import Proxy

OWN, OTHER = "123456789012", "999999999999"
KEYS = {"access_key_id": "AKIDOFTHETESTS", "secret_access_key": "secret-key-of-the-tests"}
PAGE = ok({"Items": [{"id": {"S": "a"}}], "Count": 1})
REGIONAL = f"dynamodb.{REGION}.amazonaws.com:443"
OF_A_WHOLE_CALL = "amz-sdk-invocation-id"


@pytest.fixture(scope="session")
def authority() -> Authority:
    return Authority()


@pytest.fixture
def bundle(authority: Authority, tmp_path: Path) -> str:
    return authority.bundle(tmp_path)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "botocore.retries.standard.ExponentialBackoff.delay_amount", lambda self, context: 0.0
    )


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without endpoint, credentials, and without exceptions from proxies."""
    for name in (
        *("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        *("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"),
    ):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.fixture
def plain() -> Iterator[FaultService]:
    with faults.running() as service:
        service.replies(PAGE)
        yield service


@pytest.fixture
def service(authority: Authority) -> Iterator[FaultService]:
    """A service with TLS that passes for DynamoDB and STS in one region."""
    with faults.running(authority.server()) as service:
        service.replies(PAGE)
        yield service


@pytest.fixture
def way_out(service: FaultService, bare: pytest.MonkeyPatch) -> Iterator[Proxy]:
    """A proxy before that service: the only way out there is."""
    with proxy.running(service.url) as way_out:
        yield way_out


def open_wire(**given: Any) -> BotoWire:
    settings = AwsSettings(**{**KEYS, "region": REGION, **given})
    return BotoWire(settings, sleep=lambda _seconds: None)


def scan_thrice(
    wire: BotoWire, service: FaultService, table: str = "t", *, forwarded: bool = False
) -> None:
    """Scan by all roads, and see to it that each was taken, but for ours where a proxy forwards."""
    spoken: list[bool] = []

    def post(*arguments: Any, **keywords: Any) -> Answer | None:
        answer = exchange_post(*arguments, **keywords)
        spoken.append(answer is not None)
        return answer

    exchange_post = exchange.post
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "post", post)
        for _ in range(3):
            assert wire.call("Scan", b"{}", table=table) == PAGE.body
    ways = [
        OF_A_WHOLE_CALL in each.headers for each in service.requests if each.operation == "Scan"
    ]
    assert ways[-3:] == [True, False, False]
    assert spoken == [not forwarded]


def hosts(service: FaultService) -> list[str]:
    """The hosts that the scans were meant for."""
    return [each.headers["Host"] for each in service.requests if each.operation == "Scan"]


# Proxies


def test_a_proxy_passes_on_what_is_plain(plain: FaultService) -> None:
    with proxy.running(plain.url) as way:
        wire = open_wire(endpoint_url="http://engine.internal:8000", proxy_url=way.url)
        scan_thrice(wire, plain, forwarded=True)
    assert way.forwarded == ["http://engine.internal:8000/"] * 3
    assert way.tunnels == []
    assert hosts(plain) == ["engine.internal:8000"] * 3


def test_a_proxy_tunnels_tls(service: FaultService, way_out: Proxy, bundle: str) -> None:
    wire = open_wire(proxy_url=way_out.url, ca_bundle=bundle)
    scan_thrice(wire, service)
    wire.call("DescribeTable", b"{}", table="t")  # by another client
    assert way_out.tunnels == [REGIONAL] * 2  # one connection a client serves all roads
    assert way_out.forwarded == []


@pytest.mark.usefixtures("bare")
def test_a_proxy_that_is_reached_over_tls_is_trusted_by_the_bundle(
    service: FaultService, authority: Authority, bundle: str
) -> None:
    with proxy.running(service.url, authority.server()) as way:
        scan_thrice(open_wire(proxy_url=way.url, ca_bundle=bundle), service)
        assert way.tunnels == [REGIONAL]
        with pytest.raises(EndpointError, match=r"CERTIFICATE_VERIFY_FAILED.*Check aws_proxy_url"):
            open_wire(proxy_url=way.url).call("DescribeTable", b"{}", table="t")


def test_a_proxy_gets_name_and_password(
    plain: FaultService, service: FaultService, way_out: Proxy, bundle: str
) -> None:
    with_name = way_out.url.replace("http://", "http://user:pass%40word@")
    scan_thrice(open_wire(proxy_url=with_name, ca_bundle=bundle), service)
    expected = "Basic " + base64.b64encode(b"user:pass@word").decode()
    assert way_out.authorizations == [expected]
    assert not any("Proxy-Authorization" in each.headers for each in service.requests)
    with proxy.running(plain.url) as way:
        with_name = way.url.replace("http://", "http://user:pass%40word@")
        scan_thrice(
            open_wire(endpoint_url="http://a.internal", proxy_url=with_name), plain, forwarded=True
        )
    assert way.authorizations == [expected] * 3


def test_the_proxy_of_the_environment_counts(
    service: FaultService, way_out: Proxy, bare: pytest.MonkeyPatch, bundle: str
) -> None:
    bare.setenv("HTTPS_PROXY", way_out.url)
    scan_thrice(open_wire(ca_bundle=bundle), service)
    assert way_out.tunnels == [REGIONAL]


def test_no_proxy_leads_past_the_proxy_of_the_environment(
    plain: FaultService, bare: pytest.MonkeyPatch
) -> None:
    with proxy.running(plain.url) as way:
        bare.setenv("HTTP_PROXY", way.url)
        scan_thrice(open_wire(endpoint_url=plain.url), plain, forwarded=True)
        assert len(way.forwarded) == 3
        bare.setenv("NO_PROXY", "127.0.0.1")
        scan_thrice(open_wire(endpoint_url=plain.url), plain)
        assert len(way.forwarded) == 3


def test_a_proxy_of_the_settings_goes_before_the_environment(
    plain: FaultService, bare: pytest.MonkeyPatch
) -> None:
    bare.setenv("NO_PROXY", "127.0.0.1")
    with proxy.running(plain.url) as way:
        scan_thrice(open_wire(endpoint_url=plain.url, proxy_url=way.url), plain, forwarded=True)
    assert len(way.forwarded) == 3


@pytest.mark.parametrize("status", [403, 407])
def test_a_proxy_that_refuses_is_told_without_its_password(
    service: FaultService, way_out: Proxy, status: int
) -> None:
    way_out.refusal = status
    wire = open_wire(proxy_url=way_out.url.replace("//", "//user:confidential@"))
    with pytest.raises(EndpointError, match=rf"proxy.*{status}.*Check aws_proxy_url") as caught:
        wire.call("DescribeTable", b"{}", table="t")
    assert "confidential" not in str(caught.value)
    assert service.requests == []


def test_a_proxy_that_is_not_there_is_told(bare: pytest.MonkeyPatch) -> None:
    wire = open_wire(proxy_url="http://user:confidential@127.0.0.1:1")
    with pytest.raises(EndpointError, match="Check aws_proxy_url") as caught:
        wire.call("DescribeTable", b"{}", table="t")
    assert "confidential" not in str(caught.value)


# Certificates


def test_a_certificate_of_an_unknown_authority_is_refused(service: FaultService) -> None:
    wire = open_wire(endpoint_url=service.url)
    with pytest.raises(EndpointError, match=r"CERTIFICATE_VERIFY_FAILED.*Check aws_ca_bundle"):
        wire.call("DescribeTable", b"{}", table="t")
    assert service.requests == []


def test_the_authority_of_the_bundle_is_trusted_on_both_roads(
    service: FaultService, bundle: str
) -> None:
    scan_thrice(open_wire(endpoint_url=service.url, ca_bundle=bundle), service)


def test_the_bundle_of_the_environment_counts(
    service: FaultService, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", bundle)
    scan_thrice(open_wire(endpoint_url=service.url), service)


def test_a_bundle_of_the_settings_goes_before_the_environment(
    service: FaultService, bundle: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/at-all.pem")
    scan_thrice(open_wire(endpoint_url=service.url, ca_bundle=bundle), service)


def test_the_bundle_of_a_profile_counts(
    service: FaultService, bundle: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config").write_text(f"[profile mine]\nca_bundle = {bundle}\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    scan_thrice(open_wire(endpoint_url=service.url, profile="mine"), service)


def test_a_bundle_of_the_environment_that_is_missing_is_told(
    service: FaultService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_CA_BUNDLE", "/nowhere/at-all.pem")
    with pytest.raises(EndpointError, match="AWS_CA_BUNDLE"):
        open_wire(endpoint_url=service.url).call("DescribeTable", b"{}", table="t")
    monkeypatch.setenv("AWS_CA_BUNDLE", " ")
    with pytest.raises(ConfigError, match="AWS_CA_BUNDLE"):
        open_wire(endpoint_url=service.url).call("DescribeTable", b"{}", table="t")


def test_a_certificate_of_another_host_is_refused(authority: Authority, bundle: str) -> None:
    with faults.running(authority.server("other.example.com")) as service:
        wire = open_wire(endpoint_url=service.url, ca_bundle=bundle)
        with pytest.raises(EndpointError, match=r"127\.0\.0\.1"):
            wire.call("DescribeTable", b"{}", table="t")
        assert service.requests == []


@pytest.mark.parametrize("content", ["", "no certificate"])
def test_a_bundle_without_certificates_is_told_by_its_name(
    service: FaultService, tmp_path: Path, content: str
) -> None:
    path = tmp_path / "wrong.pem"
    path.write_text(content)
    with pytest.raises(ConfigError, match=r"aws_ca_bundle .*wrong\.pem cannot be read"):
        open_wire(endpoint_url=service.url, ca_bundle=str(path)).call("ListTables", b"{}")


def test_a_bundle_that_is_no_file_is_told_by_its_name(
    service: FaultService, tmp_path: Path
) -> None:
    for path in (tmp_path, tmp_path / "missing.pem"):
        wire = open_wire(endpoint_url=service.url, ca_bundle=str(path))
        with pytest.raises(ConfigError, match=f"aws_ca_bundle {path} is no file"):
            wire.call("ListTables", b"{}")


# Endpoints of accounts


def arn(account: str, region: str = REGION) -> str:
    return f"arn:aws:dynamodb:{region}:{account}:table/orders"


def account_host(account: str) -> str:
    return f"{account}.ddb.{REGION}.amazonaws.com"


@pytest.fixture
def own_account(bare: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Credentials of the environment that name their account."""
    for name, value in KEYS.items():
        bare.setenv(f"AWS_{name.upper()}", value)
    bare.setenv("AWS_ACCOUNT_ID", OWN)
    return bare


NOBODY = {"access_key_id": None, "secret_access_key": None}


@pytest.mark.usefixtures("own_account")
@pytest.mark.parametrize("mode", [None, "preferred", "required"])
@pytest.mark.parametrize(
    ("table", "account"), [("orders", OWN), (arn(OWN), OWN), (arn(OTHER), OTHER)]
)
def test_calls_go_to_the_endpoint_of_the_tables_account(
    service: FaultService, way_out: Proxy, bundle: str, mode: str | None, table: str, account: str
) -> None:
    wire = open_wire(
        **NOBODY, proxy_url=way_out.url, ca_bundle=bundle, account_id_endpoint_mode=mode
    )
    scan_thrice(wire, service, table)
    for _ in range(2):
        wire.call("BatchWriteItem", b"{}", table=table)
        wire.call("BatchGetItem", b"{}", table=table)
        wire.call("DescribeTable", b"{}", table=table)
    assert {each.headers["Host"] for each in service.requests} == {account_host(account)}
    assert set(way_out.tunnels) == {f"{account_host(account)}:443"}


def test_what_is_about_no_table_goes_to_the_own_account(
    service: FaultService, way_out: Proxy, bundle: str, own_account: pytest.MonkeyPatch
) -> None:
    wire = open_wire(**NOBODY, proxy_url=way_out.url, ca_bundle=bundle)
    wire.call("ListTables", b"{}")
    wire.call("ListTables", b"{}")
    assert [each.headers["Host"] for each in service.requests] == [account_host(OWN)] * 2


@pytest.mark.usefixtures("own_account")
@pytest.mark.parametrize("table", ["orders", arn(OTHER)])
def test_without_accounts_calls_go_to_the_endpoint_of_the_region(
    service: FaultService, way_out: Proxy, bundle: str, table: str
) -> None:
    wire = open_wire(
        **NOBODY, proxy_url=way_out.url, ca_bundle=bundle, account_id_endpoint_mode="disabled"
    )
    scan_thrice(wire, service, table)
    assert way_out.tunnels == [REGIONAL]


def test_the_mode_of_the_environment_counts(
    service: FaultService, way_out: Proxy, bundle: str, own_account: pytest.MonkeyPatch
) -> None:
    own_account.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "disabled")
    scan_thrice(open_wire(**NOBODY, proxy_url=way_out.url, ca_bundle=bundle), service)
    assert way_out.tunnels == [REGIONAL]


def test_a_mode_of_the_environment_that_is_unknown_is_told(
    own_account: pytest.MonkeyPatch,
) -> None:
    own_account.setenv("AWS_ACCOUNT_ID_ENDPOINT_MODE", "perhaps")
    with pytest.raises(ConfigError, match=r"perhaps.*account_id_endpoint_mode"):
        open_wire(**NOBODY).call("ListTables", b"{}")


def test_an_account_that_is_required_and_unknown_is_told(
    service: FaultService, way_out: Proxy, bundle: str
) -> None:
    wire = open_wire(proxy_url=way_out.url, ca_bundle=bundle, account_id_endpoint_mode="required")
    with pytest.raises(ConfigError, match="Set aws_account_id_endpoint_mode to preferred"):
        wire.call("Scan", b"{}", table="orders")
    assert way_out.tunnels == []
    scan_thrice(wire, service, arn(OTHER))  # the ARN names one
    assert way_out.tunnels == [f"{account_host(OTHER)}:443"]


def test_keys_without_an_account_go_to_the_endpoint_of_the_region(
    service: FaultService, way_out: Proxy, bundle: str
) -> None:
    wire = open_wire(proxy_url=way_out.url, ca_bundle=bundle)
    scan_thrice(wire, service, "orders")
    scan_thrice(wire, service, arn(OTHER))
    assert set(way_out.tunnels) == {REGIONAL, f"{account_host(OTHER)}:443"}
    assert hosts(service) == [REGIONAL[:-4]] * 3 + [account_host(OTHER)] * 3


def test_an_endpoint_of_the_settings_goes_before_those_of_accounts(
    service: FaultService, bundle: str, own_account: pytest.MonkeyPatch
) -> None:
    wire = open_wire(**NOBODY, endpoint_url=service.url, ca_bundle=bundle)
    scan_thrice(wire, service, arn(OTHER))
    assert set(hosts(service)) == {service.url.removeprefix("https://")}


# Regions


@pytest.mark.usefixtures("bare")
@pytest.mark.parametrize("operation", ["Scan", "BatchWriteItem", "DescribeTable"])
def test_a_table_of_another_region_is_told_before_anything_is_sent(
    way_out: Proxy, operation: str
) -> None:
    wire = open_wire(proxy_url=way_out.url)
    with pytest.raises(ConfigError, match=r"in region us-east-1.*Set aws_region to us-east-1"):
        wire.call(operation, b"{}", table=arn(OWN, "us-east-1"))
    assert way_out.tunnels == []


def test_an_engine_may_call_its_region_as_it_likes(plain: FaultService) -> None:
    """DynamoDB Local calls every region ddblocal."""
    scan_thrice(open_wire(endpoint_url=plain.url), plain, arn(OWN, "ddblocal"))


# Roles


def in_(minutes: float) -> str:
    moment = datetime.now(timezone.utc) + timedelta(minutes=minutes)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


ROLE = {"assume_role_arn": f"arn:aws:iam::{OTHER}:role/reader"}


def test_a_role_is_assumed_at_the_endpoint_of_sts_alone(
    plain: FaultService, service: FaultService, bundle: str, bare: pytest.MonkeyPatch
) -> None:
    plain.replies(role_credentials("ASIAROLE", in_(60)))
    wire = open_wire(
        **ROLE,
        endpoint_url=service.url,
        endpoint_url_sts=plain.url,
        ca_bundle=bundle,
        assume_role_external_id="external",
        assume_role_session_name="nightly",
    )
    scan_thrice(wire, service)
    [asked] = plain.requests
    assert asked.operation == "AssumeRole"
    assert (asked.form["ExternalId"], asked.form["RoleSessionName"]) == ("external", "nightly")
    assert [each.access_key_id for each in service.requests] == ["ASIAROLE"] * 3


def test_without_an_endpoint_of_its_own_sts_is_reached_by_proxy_and_bundle(
    service: FaultService, way_out: Proxy, bundle: str
) -> None:
    """And the role's own account is the one that is called, also once its keys are renewed."""
    granted = iter(
        [
            role_credentials("ASIAFIRST", in_(5), OTHER),
            role_credentials("ASIASECOND", in_(60), OTHER),
        ]
    )
    service.answers(lambda each: next(granted) if each.operation == "AssumeRole" else PAGE)
    wire = open_wire(**ROLE, proxy_url=way_out.url, ca_bundle=bundle)
    for _ in range(4):
        wire.call("Scan", b"{}", table="orders")
    scans = [each for each in service.requests if each.operation == "Scan"]
    assert scans[-1].access_key_id == "ASIASECOND"
    assert OF_A_WHOLE_CALL not in scans[-1].headers
    assert {each.headers["Host"] for each in scans} == {account_host(OTHER)}
    assert set(way_out.tunnels) == {
        f"sts.{REGION}.amazonaws.com:443",
        f"{account_host(OTHER)}:443",
    }


def test_a_role_of_a_profile_is_assumed_by_the_same_ways(
    service: FaultService, way_out: Proxy, bundle: str, tmp_path: Path, bare: pytest.MonkeyPatch
) -> None:
    """botocore opens that client of STS by itself."""
    (tmp_path / "config").write_text(
        f"[profile mine]\nrole_arn = {ROLE['assume_role_arn']}\nsource_profile = base\n"
        f"[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n"
    )
    bare.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    service.answers(
        lambda each: (
            role_credentials("ASIAROLE", in_(60), OTHER) if each.operation == "AssumeRole" else PAGE
        )
    )
    wire = open_wire(**NOBODY, profile="mine", proxy_url=way_out.url, ca_bundle=bundle)
    scan_thrice(wire, service)
    assert [each.access_key_id for each in service.requests] == ["AKIDBASE", *["ASIAROLE"] * 3]
    assert way_out.tunnels[0].startswith("sts.")


def test_an_sts_that_is_not_there_is_told_by_its_setting(plain: FaultService) -> None:
    wire = open_wire(**ROLE, endpoint_url=plain.url, endpoint_url_sts="http://127.0.0.1:1")
    with pytest.raises(EndpointError, match=r"127\.0\.0\.1:1/.*Check aws_endpoint_url_sts"):
        wire.call("Scan", b"{}", table="t")
    assert plain.requests == []


# Clients of the other services


@pytest.mark.parametrize("service_name", ["dynamodb", "dynamodbstreams", "kinesis", "s3", "sts"])
def test_every_service_has_its_endpoint_its_proxy_and_its_bundle(
    service_name: str, bundle: str
) -> None:
    settings = AwsSettings(
        **KEYS,
        region=REGION,
        endpoint_url="https://dynamodb.internal",
        endpoint_url_streams="https://dynamodbstreams.internal",
        endpoint_url_kinesis="https://kinesis.internal",
        endpoint_url_s3="https://s3.internal",
        endpoint_url_sts="https://sts.internal",
        proxy_url="http://proxy.internal:3128",
        ca_bundle=bundle,
        account_id_endpoint_mode="disabled",
    )
    client = connect.open_client(connect.open_session(settings), service_name)
    assert client.meta.endpoint_url == f"https://{service_name}.internal"
    assert client.meta.config.proxies["https"] == "http://proxy.internal:3128"
    assert client.meta.config.account_id_endpoint_mode == "disabled"
    assert client._endpoint.http_session._verify == bundle


def test_endpoints_of_the_environment_count_where_the_settings_name_none(
    bare: pytest.MonkeyPatch,
) -> None:
    bare.setenv("AWS_ENDPOINT_URL_STS", "https://sts.internal")
    bare.setenv("AWS_ENDPOINT_URL_DYNAMODB_STREAMS", "https://streams.internal")
    session = connect.open_session(AwsSettings(**KEYS, region=REGION))
    urls = {
        name: connect.open_client(session, name).meta.endpoint_url
        for name in ("dynamodb", "dynamodbstreams", "sts")
    }
    assert urls == {
        "dynamodb": f"https://dynamodb.{REGION}.amazonaws.com",
        "dynamodbstreams": "https://streams.internal",
        "sts": "https://sts.internal",
    }


# Plain http


def warnings_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [each.getMessage() for each in caplog.records if "plain http" in each.getMessage()]


def test_plain_http_beyond_this_machine_is_warned_of_once(
    plain: FaultService, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.running(plain.url) as way, caplog.at_level(logging.WARNING):
        wire = open_wire(endpoint_url="http://engine.internal:8000", proxy_url=way.url)
        scan_thrice(wire, plain, forwarded=True)
        wire.call("DescribeTable", b"{}", table="t")
    [said] = warnings_of(caplog)
    assert "http://engine.internal:8000" in said


def test_a_wire_of_another_process_does_not_warn_again(
    plain: FaultService, caplog: pytest.LogCaptureFixture
) -> None:
    with proxy.running(plain.url) as way, caplog.at_level(logging.WARNING):
        wire = open_wire(endpoint_url="http://engine.internal:8000", proxy_url=way.url)
        wire.call("DescribeTable", b"{}", table="t")
        again = pickle.loads(pickle.dumps(wire))
        scan_thrice(again, plain, forwarded=True)
    assert len(warnings_of(caplog)) == 1


def test_two_services_at_one_endpoint_are_warned_of_once(
    plain: FaultService, caplog: pytest.LogCaptureFixture
) -> None:
    granted = role_credentials("ASIAROLE", in_(60))
    plain.answers(lambda each: granted if each.operation == "AssumeRole" else PAGE)
    url = "http://engine.internal:8000"
    with proxy.running(plain.url) as way, caplog.at_level(logging.WARNING):
        wire = open_wire(**ROLE, endpoint_url=url, endpoint_url_sts=url, proxy_url=way.url)
        scan_thrice(wire, plain, forwarded=True)
    assert way.forwarded == [f"{url}/"] * 4
    assert len(warnings_of(caplog)) == 1


def test_plain_http_of_the_environment_is_warned_of_as_well(
    bare: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bare.setenv("AWS_ENDPOINT_URL_DYNAMODB", "http://engine.internal:8000")
    with caplog.at_level(logging.WARNING):
        assert open_wire().region == REGION
    assert len(warnings_of(caplog)) == 1


def test_of_loopback_and_tls_nothing_is_said(
    plain: FaultService, service: FaultService, bundle: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        scan_thrice(open_wire(endpoint_url=plain.url), plain)
        scan_thrice(open_wire(endpoint_url=service.url, ca_bundle=bundle), service)
    assert warnings_of(caplog) == []
