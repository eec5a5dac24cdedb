"""A table behind `Wire` whose pages are read late and stale, on the clock of the stream of its changes.

A replica may lag: an eventually consistent page shows each item as it was a while before, and another
item as it was at another moment. And an answer may be long under way: what it shows was true when it was
read, and more was written until it arrives. Writes are those of a `ScriptedStream`.
"""

from __future__ import annotations

import hashlib
import threading
from typing import TYPE_CHECKING, Any

import orjson

from tests.engines.scanned import ScannedTable
from tests.engines.scripted import ScriptedWire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.engines.scripted import Answer
    from tests.engines.shards import Identity, Item, ScriptedStream

SPACE = 2**32


class StaleTable(ScriptedWire):
    """A table that can be described and scanned.

    Args:
        stream: The table's stream, which is written to.
        clock: Says what time it is: the stream's.
        sleep: Lets time pass: the stream's.
        lag: Returns by how many seconds an item is shown too late; asked once for each item of a page.
        latency: Returns how many seconds pass until a page is read.
        late: Returns how many seconds pass from then until it arrives.
        page: How many items a page holds.

    Attributes:
        read: When each page was read.
    """

    def __init__(
        self,
        stream: ScriptedStream,
        *,
        clock: Callable[[], float],
        sleep: Callable[[float], object],
        lag: Callable[[], float] = lambda: 0.0,
        latency: Callable[[], float] = lambda: 0.0,
        late: Callable[[], float] = lambda: 0.0,
        page: int = 100,
    ) -> None:
        super().__init__(self._answered)
        self.stream = stream
        self.read: list[float] = []
        self._clock, self._sleep = clock, sleep
        self._lag, self._latency, self._late = lag, latency, late
        self._page = page
        self._reading = threading.Lock()
        self._described = ScannedTable(
            key=stream.key,
            more={
                "StreamSpecification": {"StreamEnabled": True, "StreamViewType": stream.view},
                "LatestStreamArn": stream.arn,
                "LatestStreamLabel": stream.label,
            },
        )

    def _answered(self, operation: str, request: dict[str, Any]) -> Answer:
        if operation == "DescribeTable":
            return {"Table": self._described.description(self.stream.table)}
        if operation == "DescribeTimeToLive":
            return {"TimeToLiveDescription": self._described.expiry()}
        if operation == "ListTagsOfResource":
            return {"Tags": []}
        assert operation == "Scan", operation
        self._sleep(self._latency())
        with self._reading:
            self.stream.catch_up()
            answer = self._scan(request)
        self._sleep(self._late())
        return answer

    def _scan(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return a page: items in the order of their partition keys' hashes, as they were at some time."""
        now = self._clock()
        self.read.append(now)
        segment, segments = request.get("Segment", 0), request.get("TotalSegments", 1)
        start = request.get("ExclusiveStartKey")
        after = (-1, ()) if start is None else self._place(self.stream.identity(start))
        shown: list[Item] = []
        for identity in sorted(self.stream.versions, key=self._place):
            place = self._place(identity)
            if place <= after or place[0] * segments // SPACE != segment:
                continue
            lag = 0.0 if request.get("ConsistentRead") else self._lag()
            item = self._then(identity, now - lag)
            if item is not None:
                shown.append(item)
        page = shown[: min(self._page, request.get("Limit", self._page))]
        more = len(page) < len(shown)
        last = {name: page[-1][name] for name, _ in self.stream.key} if more else None
        return {
            "Items": page,
            "Count": len(page),
            "ScannedCount": len(page),
            "ConsumedCapacity": {"TableName": self.stream.table, "CapacityUnits": 0.5},
            **({"LastEvaluatedKey": last} if last else {}),
        }

    def _then(self, identity: Identity, at: float) -> Item | None:
        """Return what an item was at a moment."""
        shown = None
        for since, item in self.stream.versions[identity]:
            if since > at:
                break
            shown = item
        return shown

    def _place(self, identity: Identity) -> tuple[int, Any]:
        """Return where an item stands in a scan."""
        digest = hashlib.md5(orjson.dumps(str(identity[0]))).digest()
        return int.from_bytes(digest[:4], "big"), identity
