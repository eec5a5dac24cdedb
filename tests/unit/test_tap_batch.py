"""What batch_config asks for, and what is refused of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dynamodb_core.errors import ConfigError
from tap_dynamodb.batch import BATCH_SIZE, MOST_FILE_BYTES, PENDING_BYTES, Batching
from tap_dynamodb.settings import Settings

HERE = {"root": "file:///var/tmp/batch"}


def read(**said: Any) -> Batching:
    pending = said.pop("pending", PENDING_BYTES)
    batching = Batching.of({"storage": HERE, **said}, pending)
    assert batching is not None
    return batching


@pytest.mark.parametrize("said", [None, {}])
def test_without_it_there_are_no_files(said: Any) -> None:
    assert Settings.from_config({"batch_pending_bytes": 5}).batching is None
    assert Settings.from_config({"batch_config": said}).batching is None


def test_what_is_not_said_has_its_default() -> None:
    batching = read()
    assert batching == Batching(Path("/var/tmp/batch"))
    assert batching.encoding == {"format": "jsonl", "compression": "gzip"}
    assert (batching.suffix, batching.size) == (".jsonl.gz", BATCH_SIZE)
    assert batching.pending_bytes == PENDING_BYTES == 1 << 30
    assert Settings.from_config({"batch_config": {"storage": HERE}}).batching == batching


def test_what_cannot_be_had_is_said_when_the_configuration_is_read() -> None:
    with pytest.raises(ConfigError, match="batch_config does not say where"):
        Settings.from_config({"batch_config": {"encoding": {"format": "jsonl"}}})


def test_what_is_said_counts() -> None:
    batching = read(
        encoding={"format": "jsonl", "compression": "none"},
        storage={"root": "/data/batch", "prefix": "orders-"},
        batch_size=7,
        pending=0,
    )
    assert batching == Batching(
        Path("/data/batch"), "orders-", "jsonl", "none", size=7, pending_bytes=0
    )
    assert batching.suffix == ".jsonl"
    assert batching.encoding == {"format": "jsonl", "compression": "none"}


@pytest.mark.parametrize(
    "root", ["s3://bucket/batch", "gs://x", "batch", "./batch", "file://batch", "file://host/x", ""]
)
def test_files_are_written_on_this_machine_only(root: str) -> None:
    with pytest.raises(ConfigError, match="Name a folder of this machine, for example") as error:
        read(storage={"root": root})
    assert repr(root) in str(error.value) or not root


@pytest.mark.parametrize("prefix", ["../", "a/b", ".hidden", "a b", "é", "a\n", "/etc/"])
def test_a_prefix_stays_within_a_name(prefix: str) -> None:
    with pytest.raises(ConfigError, match="batch_config wants file names that begin with"):
        read(storage={**HERE, "prefix": prefix})


@pytest.mark.parametrize(
    "encoding", [{"format": "csv"}, {"format": "jsonl", "compression": "zstd"}]
)
def test_an_unknown_encoding_is_refused_with_those_that_there_are(encoding: Any) -> None:
    with pytest.raises(ConfigError, match="The formats are jsonl or parquet, the compressions gz"):
        read(encoding=encoding)


@pytest.mark.parametrize(
    ("pending", "most"), [(0, MOST_FILE_BYTES), (1 << 20, 1 << 18), (1 << 28, 1 << 23)]
)
def test_many_files_go_into_what_may_wait(pending: int, most: int) -> None:
    assert read(pending=pending).file_bytes == most
    assert read().file_bytes == MOST_FILE_BYTES
