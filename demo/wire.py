"""DynamoDB's raw wire, for the demo, the comparison and the tests: JSON in, JSON out.

It shares nothing with the packages that are shown and tested: what they misread, this does not.
Requests are signed by botocore and sent by the standard library; no value is converted on the way.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import time
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from demo.guard import ACCESS_KEY_ID, REGION, SECRET_ACCESS_KEY, loopback

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from demo.engine import Engine

Item = dict[str, dict[str, Any]]
"""One item as it stands on the wire: `{"id": {"S": "a"}, "n": {"N": "1"}}`."""

KeySchema = tuple[tuple[str, str], ...]
"""Names and types (`S`, `N`, `B`) of the key attributes, the partition key first."""


class WireError(Exception):
    """DynamoDB refused a request, or its answer is not whole; `.code` is its name for that."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class Wire:
    """Requests to one engine as one account; any number of threads may call at once."""

    def __init__(
        self,
        endpoint_url: str,
        access_key_id: str = ACCESS_KEY_ID,
        secret_access_key: str = SECRET_ACCESS_KEY,
        region: str = REGION,
    ) -> None:
        parts = urlsplit(loopback(endpoint_url))
        self._url = f"{endpoint_url.rstrip('/')}/"
        self._address = (parts.hostname or "127.0.0.1", parts.port or 80)
        self._auth = (Credentials(access_key_id, secret_access_key), "dynamodb", region)
        self._idle: list[http.client.HTTPConnection] = []

    @classmethod
    def of(cls, engine: Engine) -> Wire:
        """Open a wire to `engine`, as its account."""
        return cls(
            engine.endpoint_url, engine.access_key_id, engine.secret_access_key, engine.region
        )

    def call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        """Send one request and return the answer's JSON; raise WireError when it is an error."""
        data = json.dumps(body).encode()
        headers = {
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": f"DynamoDB_20120810.{operation}",
            "Host": f"{self._address[0]}:{self._address[1]}",
        }
        request = AWSRequest(method="POST", url=self._url, data=data, headers=headers)
        SigV4Auth(*self._auth).add_auth(request)
        response, raw = self._send(data, dict(request.headers.items()))
        crc = response.getheader("x-amz-crc32")
        if crc is not None and int(crc) != zlib.crc32(raw):
            raise WireError("CorruptReply", f"the checksum of {operation}'s answer does not fit")
        answer: dict[str, Any] = json.loads(raw) if raw else {}
        if response.status != http.client.OK:
            code = str(answer.get("__type", response.status)).rpartition("#")[2]
            raise WireError(code, str(answer.get("message", answer.get("Message", ""))))
        return answer

    def _send(self, data: bytes, headers: dict[str, str]) -> tuple[http.client.HTTPResponse, bytes]:
        while self._idle:
            # The engine may have hung up on a connection that was idle: then a new one is made.
            with contextlib.suppress(http.client.RemoteDisconnected, ConnectionError, IndexError):
                return self._exchange(self._idle.pop(), data, headers)
        return self._exchange(http.client.HTTPConnection(*self._address, timeout=60), data, headers)

    def _exchange(
        self, connection: http.client.HTTPConnection, data: bytes, headers: dict[str, str]
    ) -> tuple[http.client.HTTPResponse, bytes]:
        try:
            connection.request("POST", "/", body=data, headers=headers)
            response = connection.getresponse()
            raw = response.read()
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return response, raw

    def close(self) -> None:
        """Close the connections; a later call opens new ones."""
        while self._idle:
            self._idle.pop().close()

    def create_table(self, name: str, key: KeySchema, **more: Any) -> None:
        """Create an on-demand table and return when it is active; `more` joins the request."""
        request = {
            "TableName": name,
            "AttributeDefinitions": [{"AttributeName": n, "AttributeType": t} for n, t in key],
            "KeySchema": [
                {"AttributeName": n, "KeyType": kind}
                for (n, _), kind in zip(key, ("HASH", "RANGE"))  # noqa: B905  (a key has 1 or 2)
            ],
            "BillingMode": "PAY_PER_REQUEST",
        }
        self.call("CreateTable", {**request, **more})
        deadline = time.monotonic() + 30
        while self.describe(name)["TableStatus"] != "ACTIVE":
            if time.monotonic() > deadline:
                raise WireError("NotActive", f"table {name} did not become active in 30 s")

    def describe(self, name: str) -> dict[str, Any]:
        """Return what DescribeTable says of a table."""
        description: dict[str, Any] = self.call("DescribeTable", {"TableName": name})["Table"]
        return description

    def key_of(self, name: str) -> KeySchema:
        """Return the key of a table."""
        table = self.describe(name)
        types = {d["AttributeName"]: d["AttributeType"] for d in table["AttributeDefinitions"]}
        names = {k["KeyType"]: k["AttributeName"] for k in table["KeySchema"]}
        return tuple((names[k], types[names[k]]) for k in ("HASH", "RANGE") if k in names)

    def scan(self, name: str) -> Iterator[Item]:
        """Yield every item of a table, read consistently; raise WireError on a page not whole."""
        request: dict[str, Any] = {"TableName": name, "ConsistentRead": True}
        while True:
            page = self.call("Scan", request)
            items = page.get("Items")
            if items is None or page.get("Count") != len(items):
                raise WireError("CorruptReply", f"a page of {name} does not hold what it counts")
            yield from items
            if "LastEvaluatedKey" not in page:
                return
            request["ExclusiveStartKey"] = page["LastEvaluatedKey"]

    def put(self, name: str, items: Iterable[Item]) -> int:
        """Write items, at most 25 and about 4 MB a request; return how many. Keys must differ."""
        count = 0
        for batch in _batches(items):
            pending = {name: [{"PutRequest": {"Item": item}} for item in batch]}
            while pending:
                pending = self.call("BatchWriteItem", {"RequestItems": pending}).get(
                    "UnprocessedItems", {}
                )
            count += len(batch)
        return count


def _batches(items: Iterable[Item]) -> Iterator[list[Item]]:
    batch: list[Item] = []
    size = 0
    for item in items:
        weight = len(json.dumps(item))
        if batch and (len(batch) == 25 or size + weight > 4_000_000):  # noqa: PLR2004  (the API's)
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += weight
    if batch:
        yield batch
