"""A table moves between accounts, regions and networks: each plugin has settings of its own."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from demo.wire import Wire
from tests.engines import pipeline, proxy

if TYPE_CHECKING:
    from pathlib import Path

    from demo.engine import Engine
    from tests.engines.tables import Tables

ITEMS: list[dict[str, Any]] = [
    {"id": {"S": f"{number:03d}"}, "total": {"N": str(number)}} for number in range(30)
]


def move(tap: dict[str, Any], target: dict[str, Any], folder: Path) -> dict[str, str]:
    """Run both commands in a pipe, to a good end; return what each logged."""
    reads = pipeline.command("tap_dynamodb", tap, folder)
    writes = pipeline.command("target_dynamodb", target, folder)
    with pipeline.Pipe(reads, writes, folder) as pipe:
        list(pipe.states())
        ended = (pipe.tap.wait(), pipe.target.wait())
        logs = {name: pipe.log(name) for name in ("tap", "target")}
        assert ended == (0, 0), logs
    return logs


def test_a_table_moves_to_another_account_in_another_region(
    engine: Engine, account: Engine, tables: Tables, tmp_path: Path
) -> None:
    name = tables.create(ITEMS)
    elsewhere = replace(account, region="us-east-1")
    move(pipeline.tap_config(engine, [name]), dict(elsewhere.config()), tmp_path)
    destination = Wire.of(elsewhere)
    assert sorted(destination.scan(name), key=str) == sorted(ITEMS, key=str)
    described = destination.call("DescribeTable", {"TableName": name})["Table"]
    assert (
        described["TableArn"] == f"arn:aws:dynamodb:us-east-1:{account.access_key_id}:table/{name}"
    )
    destination.close()
    at_home = Wire.of(account)
    assert at_home.call("ListTables", {})["TableNames"] == []  # the region counts, not the account
    at_home.close()


def test_each_plugin_assumes_a_role_of_its_own_account(
    engine: Engine, account: Engine, tables: Tables, tmp_path: Path
) -> None:
    """One person's keys, two roles: the tap reads by one, the target writes by the other."""
    name = tables.create(ITEMS)
    elsewhere = replace(account, region="us-east-1")
    person = {
        "aws_access_key_id": "111122223333",
        "aws_secret_access_key": "dummy",
        "aws_endpoint_url": engine.endpoint_url,
        "aws_endpoint_url_sts": engine.endpoint_url,
        "aws_assume_role_external_id": "external",
    }
    tap = {
        **person,
        "aws_region": engine.region,
        "aws_assume_role_arn": f"arn:aws:iam::{engine.access_key_id}:role/reader",
        "tables": [name],
    }
    target = {
        **person,
        "aws_region": elsewhere.region,
        "aws_assume_role_arn": f"arn:aws:iam::{elsewhere.access_key_id}:role/writer",
        "aws_assume_role_session_name": "nightly",
    }
    move(tap, target, tmp_path)
    destination = Wire.of(elsewhere)
    assert sorted(destination.scan(name), key=str) == sorted(ITEMS, key=str)
    destination.close()


def test_a_plugin_goes_by_its_own_proxy_and_warns_of_plain_http(
    engine: Engine, account: Engine, tables: Tables, tmp_path: Path
) -> None:
    name = tables.create(ITEMS)
    with proxy.running(engine.endpoint_url) as way_out:
        target = {
            **account.config(),
            "aws_endpoint_url": "http://engine.internal:8000",
            "aws_proxy_url": way_out.url,
        }
        logs = move(pipeline.tap_config(engine, [name]), target, tmp_path)
        assert set(way_out.forwarded) == {"http://engine.internal:8000/"}
    destination = Wire.of(account)
    assert sorted(destination.scan(name), key=str) == sorted(ITEMS, key=str)
    destination.close()
    said = {each: log.count("plain http") for each, log in logs.items()}
    assert said == {"tap": 0, "target": 1}
