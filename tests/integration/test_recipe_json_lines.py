"""The recipe of folders of JSON Lines: its commands, run by a shell as they stand there."""

from __future__ import annotations

import gzip
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from demo import guard
from demo.engine import ROOT
from tests.engines import pipeline
from tests.engines.buckets import TestBucket
from tests.engines.tables import Tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine

RECIPE = (ROOT / "docs" / "recipes" / "json-lines.md").read_text()
GENERATE, OUT, TO_S3, FROM_S3, IN, SAME, TYPED_OUT, TYPED_IN = re.findall(
    r"^```\n((?:.*\n)*?)```$", RECIPE, re.MULTILINE
)
AWS = f"""#!{sys.executable}
# `aws s3 sync`, of whole folders, for machines without the AWS CLI.
import pathlib, sys
import boto3
s3, sync, source, to = sys.argv[1:]
assert (s3, sync) == ("s3", "sync")
client = boto3.client("s3")
if to.startswith("s3://"):
    bucket, _, prefix = to.removeprefix("s3://").partition("/")
    for path in pathlib.Path(source).iterdir():
        client.upload_file(str(path), bucket, prefix + "/" + path.name)
else:
    bucket, _, prefix = source.removeprefix("s3://").partition("/")
    pathlib.Path(to).mkdir(exist_ok=True)
    for each in client.list_objects_v2(Bucket=bucket, Prefix=prefix + "/")["Contents"]:
        client.download_file(bucket, each["Key"], to + "/" + each["Key"].rpartition("/")[2])
"""
DIGITS = "12345678901234567890.123456789012345678"


class Shell:
    """A shell in a folder of its own, with the account in its environment.

    Attributes:
        folder: The folder.
    """

    def __init__(self, engine: Engine, bucket: str, folder: Path) -> None:
        self.folder = folder
        self._bucket = bucket
        programs = folder / "bin"
        programs.mkdir()
        (programs / "aws").write_text(AWS)
        (programs / "aws").chmod(0o755)
        path = [str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]
        self._environment = {
            **guard.environment(),
            **engine.exports(),
            "PATH": os.pathsep.join(path),
            "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        }

    def run(self, script: str, code: int = 0) -> str:
        """Run commands, which are to end with an exit code, and return what they have logged."""
        done = subprocess.run(
            ["bash", "-euc", script.replace("my-bucket", self._bucket)],
            cwd=self.folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=pipeline.PATIENCE,
        )
        assert done.returncode == code, done.stderr
        return done.stderr + done.stdout

    def dump(self, name: str, *lines: dict[str, Any] | str) -> None:
        """Write lines into a file of the folder `dump`; it does not end with a line's end."""
        texts = [line if isinstance(line, str) else json.dumps(line) for line in lines]
        data = "\n".join(texts).encode()
        (self.folder / "dump").mkdir(exist_ok=True)
        path = self.folder / "dump" / name
        path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)


@pytest.fixture
def own(account: Engine) -> Iterator[Tables]:
    """Tables of an account that no other test uses, so that they are named as the recipe names them."""
    made = Tables(account)
    for name in ("orders", "orders_copy", "orders_restored"):
        made.note(name)
    yield made
    made.drop()


@pytest.fixture
def bucket(account: Engine) -> TestBucket:
    return TestBucket(account)


@pytest.fixture
def shell(account: Engine, bucket: TestBucket, tmp_path: Path) -> Shell:
    return Shell(account, bucket.name, tmp_path)


def test_plain_lines_go_out_to_s3_and_in_again(own: Tables, shell: Shell) -> None:
    shell.run(GENERATE)
    shell.run(OUT)
    dumped = sorted((shell.folder / "dump").iterdir())
    assert len(dumped) > 1
    lines = [line for path in dumped for line in path.read_text().splitlines()]
    plain = json.loads(lines[0])
    assert len(lines) == 5000
    assert isinstance(plain["n"], int)
    assert not any("_dynamodb" in line for line in lines)
    shell.run(TO_S3)
    for path in dumped:
        path.unlink()
    shell.run(FROM_S3)
    assert sorted((shell.folder / "dump").iterdir()) == dumped
    log = shell.run(IN)
    assert "2,000 units a second (as write_capacity says)" in log
    assert sorted((shell.folder / "dump").iterdir()) == dumped
    assert "The same: 5,000 items" in shell.run(SAME)


def test_plain_lines_of_others(own: Tables, shell: Shell) -> None:
    shell.dump(
        "1.jsonl",
        f'{{"id": "exact", "n": {DIGITS}, "in": [{{"n": {DIGITS}}}], "none": null, "at": "2026-01-01"}}',
        "",
        {"id": "second", "a.b": {"": True}},
    )
    shell.dump("2.jsonl", {"id": "late", "late": [1e100]})
    shell.run(IN)
    assert {item.pop("id")["S"]: item for item in own.items("orders_copy")} == {
        "exact": {
            "n": {"N": DIGITS},
            "in": {"L": [{"M": {"n": {"N": DIGITS}}}]},
            "at": {"S": "2026-01-01"},
        },
        "second": {"a.b": {"M": {"": {"BOOL": True}}}},
        "late": {"late": {"L": [{"N": "1" + 100 * "0"}]}},
    }
    shell.dump("3.jsonl", {"id": "before"}, "not json")
    log = shell.run(IN, code=1)
    assert re.search(r"Line 2 of file .*/dump/3\.jsonl is no JSON", log)


def test_keys_that_come_twice_and_compressed_files(own: Tables, shell: Shell) -> None:
    for number in range(5):
        shell.dump(f"{number}.jsonl.gz", {"id": "a", "n": number}, {"id": f"own {number}"})
    script = IN.replace(', "distinct_keys": true', "").replace(".jsonl;", ".jsonl.gz;")
    script = script.replace('{"format": "jsonl"}', '{"format": "jsonl", "compression": "gzip"}')
    shell.run(script)
    [last] = [item for item in own.items("orders_copy") if item["id"] == {"S": "a"}]
    assert last["n"] == {"N": "4"}
    assert len(own.items("orders_copy")) == 6


def test_dynamodb_json_is_exact(own: Tables, shell: Shell, bucket: TestBucket) -> None:
    shell.run(GENERATE.replace("5000", "300 --shape nasty"))
    shell.run(TYPED_OUT.replace("16777216", "1048576"))
    keys = bucket.keys()
    assert len(keys) > 1
    assert all(re.search(r"^orders/monday/ferry-\w+/orders/parts/\d+\.json$", key) for key in keys)
    assert "The same: 300 items" in shell.run(TYPED_IN)


def test_what_aws_scans_say_is_read(own: Tables, shell: Shell) -> None:
    shell.run(GENERATE.replace("5000", "50 --shape every"))
    items = own.items("orders")
    shell.dump("1.json", *items[:20])
    shell.dump("2.json", *items[20:])
    log = shell.run(TYPED_IN.replace("s3://my-bucket/orders/monday", str(shell.folder / "dump")))
    assert "The same: 50 items" in log
