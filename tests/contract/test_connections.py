"""The private members of botocore and urllib3 that decision 3 lists."""

from __future__ import annotations

import inspect
from typing import Any

import boto3
from botocore.awsrequest import AWSPreparedRequest, HeadersDict
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection

from tests.engines import faults
from tests.engines.faults import ok


def test_an_answer_leads_to_the_pool_of_its_connection() -> None:
    with faults.running() as service:
        service.replies(ok())
        client: Any = boto3.client("dynamodb", endpoint_url=service.url)
        request = AWSPreparedRequest("POST", f"{service.url}/", HeadersDict(), b"{}", False)  # type: ignore[arg-type]
        answer = client._endpoint.http_session.send(request)
        assert answer.content == b"{}"
        pool = answer.raw._pool
        assert isinstance(pool, HTTPConnectionPool)
        connection: Any = pool._get_conn()
        assert not connection.is_closed
        assert not connection.proxy_is_forwarding
        assert connection.sock.gettimeout() == client.meta.config.read_timeout
        pool._put_conn(connection)
        again = pool._get_conn()
        again.close()
        client.close()
        assert again is connection


def test_a_closed_connection_is_a_connection_still() -> None:
    assert isinstance(HTTPConnection("localhost").is_closed, bool)
    assert HTTPConnection("localhost").is_closed
    assert list(inspect.signature(HTTPConnectionPool._put_conn).parameters) == ["self", "conn"]
