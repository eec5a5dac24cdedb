"""Microseconds an item, from a Scan answer's body to finished JSON records, by road and item mix.

    python benchmarks/converter.py

CPU time, medians of several rounds, each road in each round, on pages of one megabyte, with the garbage
collector set as our entry points set it. The figures hold for the machine and the moment; compare only
what stands in one table.

- compiled: the converter, in each layout.
- dispatch: the reference, `codec.to_plain`, with orjson around it.
- boto3: botocore's parser, `TypeDeserializer`, and the standard library's json, as a script does it.
"""

from __future__ import annotations

import base64
import gc
import json
import random
import statistics
import time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import botocore.parsers
import botocore.session
import msgspec
import orjson
from boto3.dynamodb.types import Binary, TypeDeserializer

from dynamodb_core.codec import to_plain
from dynamodb_core.converter import Converter
from dynamodb_core.layouts import Columns, Packed, Typed

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 1 << 20
ROUNDS = 9


class Page(msgspec.Struct):
    """The part of a Scan answer that counts here."""

    Items: list[msgspec.Raw]


def flat(seed: random.Random, n: int) -> dict[str, Any]:
    """An item of 170 bytes and 8 attributes."""
    return {
        "pk": {"S": f"customer#{n:07}"},
        "sk": {"N": str(1_700_000_000 + n)},
        "name": {"S": seed.choice(("Ann Example", "Bo Beispiel", "Cy Esempio"))},
        "active": {"BOOL": seed.random() < 0.5},
        "amount": {"N": f"{seed.randrange(10000)}.{seed.randrange(100):02}"},
        "city": {"S": seed.choice(("Berlin", "Lisboa", "Oslo"))},
        "note": {"S": "hello"},
        "visits": {"N": str(seed.randrange(100))},
    }


def nested(seed: random.Random, n: int) -> dict[str, Any]:
    """An item of 1.6 KB and up to 20 attributes, with maps in lists, sets and binary."""
    item = {
        **flat(seed, n),
        "email": {"S": f"person{n}@example.com"},
        "created": {"S": "2024-05-06T07:08:09.123456Z"},
        "tags": {"SS": ["new", "vip", "web"]},
        "scores": {"NS": ["1", "2.5", "3"]},
        "photo": {"B": base64.b64encode(seed.randbytes(48)).decode()},
        "deleted": {"NULL": True} if seed.random() < 0.9 else {"S": "2024-05-07"},
        "address": {
            "M": {
                "street": {"S": "Main Street 1"},
                "zip": {"S": "12345"},
                "geo": {"M": {"lat": {"N": "52.520008"}, "lon": {"N": "13.404954"}}},
            }
        },
        "lines": {"L": [_line(seed, i) for i in range(6)]},
        "history": {"L": [{"N": str(seed.randrange(10**6))} for _ in range(10)]},
        "flags": {"M": {f"flag{i}": {"BOOL": True} for i in range(6)}},
        "words": {"L": [{"S": "alpha"}, {"S": "beta"}, {"S": "gamma"}]},
    }
    if seed.random() < 0.5:
        item["coupon"] = {"S": "SPRING"}
    return item


def _line(seed: random.Random, i: int) -> dict[str, Any]:
    note = {"note": {"S": "please wrap"}} if seed.random() < 0.3 else {}
    fields: dict[str, Any] = {
        "sku": {"S": f"SKU-{seed.randrange(99999):05}"},
        "quantity": {"N": str(seed.randrange(1, 9))},
        "price": {"N": f"{seed.randrange(900)}.{i}5"},
        "gift": {"BOOL": False},
    }
    return {"M": {**fields, **note}}


def columns(items: list[dict[str, Any]]) -> Columns:
    """The columns that these items need."""
    types: dict[str, str] = {}
    for item in items:
        for name, typed in item.items():
            kind = next(iter(typed))
            if kind != "NULL":
                types.setdefault(name, kind)
    return Columns(types, open=False)


def roads(items: list[dict[str, Any]]) -> dict[str, Callable[[], object]]:
    """Each road as a function over a whole page of these items."""
    answered = orjson.dumps({"Items": items, "Count": len(items), "ScannedCount": len(items)})
    page = msgspec.json.Decoder(Page).decode

    # Each page of a scan is a new megabyte, and its release tells malloc to keep memory: without
    # that, some roads pay for page faults that a scan does not have.
    def body() -> bytes:
        return bytes(memoryview(answered))

    plain = columns(items)
    keys = {"pk": "S", "sk": "N"}
    model = botocore.session.Session().get_service_model("dynamodb")
    shape = model.operation_model("Scan").output_shape
    assert shape is not None
    parser = botocore.parsers.JSONParser()
    deserialize = TypeDeserializer().deserialize

    def compiled(layout: Columns | Packed | Typed) -> Callable[[], object]:
        converter = Converter(layout)
        return lambda: converter.convert(page(body()).Items)

    def dispatch() -> object:
        return [
            orjson.dumps(to_plain(item, plain, orjson.Fragment).record)
            for item in orjson.loads(body())["Items"]
        ]

    def default(value: object) -> object:
        if isinstance(value, Decimal):
            return float(value)
        if isinstance(value, Binary):
            return base64.b64encode(value.value).decode()  # type: ignore[attr-defined]
        return sorted(value)  # type: ignore[call-overload]

    def boto() -> object:
        return [
            json.dumps({k: deserialize(v) for k, v in item.items()}, default=default).encode()
            for item in parser.parse({"body": body(), "headers": {}, "status_code": 200}, shape)[
                "Items"
            ]
        ]

    return {
        "compiled, plain": compiled(plain),
        "compiled, packed": compiled(Packed(keys)),
        "compiled, dynamodb_json": compiled(Typed(keys)),
        "dispatch, plain": dispatch,
        "boto3": boto,
    }


def measure(functions: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Return the median CPU seconds of each function; the first round only warms up."""
    taken: dict[str, list[float]] = {name: [] for name in functions}
    for _ in range(ROUNDS + 1):
        for name, function in functions.items():
            start = time.process_time()
            function()
            taken[name].append(time.process_time() - start)
    return {name: statistics.median(times[1:]) for name, times in taken.items()}


def main() -> None:
    """Measure and print."""
    gc.freeze()
    gc.set_threshold(200_000)
    for mix in (flat, nested):
        seed = random.Random(7)
        items = [mix(seed, 0)]
        while sum(map(len, map(orjson.dumps, items[:50]))) / len(items[:50]) * len(items) < PAGE:
            items.append(mix(seed, len(items)))
        size = sum(map(len, map(orjson.dumps, items))) / len(items)
        seconds = measure(roads(items))
        print(f"{mix.__name__}: {len(items)} items of {size:.0f} bytes as DynamoDB JSON")
        for name, taken in seconds.items():
            ratio = seconds["boto3"] / taken
            print(f"  {name:<24}{taken / len(items) * 1e6:9.2f} us an item{ratio:9.1f} x boto3")


if __name__ == "__main__":
    main()
