"""The private members of the SDK that the tap stands on: an SDK without them must not pass."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk import Stream, Tap
from singer_sdk.mapper import CustomStreamMap, PluginMapper, SameRecordTransform
from singer_sdk.plugin_base import PluginBase
from singer_sdk.singerlib.messages import Message

import tap_dynamodb
from tap_dynamodb import streams, tap
from tests.engines.scanned import Account, ScannedTable
from tests.engines.tap import make

if TYPE_CHECKING:
    from types import ModuleType

STREAM_METHODS = {
    "_check_max_record_limit": ["self", "current_record_index"],
    "_generate_record_messages": ["self", "record"],
    "_generate_schema_messages": ["self"],
    "_sync_records": ["self", "context", "write_messages"],
    "_write_activate_version_message": ["self", "full_table_version"],
    "_write_record_message": ["self", "record"],
    "_write_schema_message": ["self"],
}
STREAM_ATTRIBUTES = {"_initialized_at", "_schema", "_stream_maps", "_stream_version"}
TAP_METHODS = {
    "_handle_termination": ["self", "signum", "frame"],
    "_validate_config": ["self", "raise_errors"],
}
RECORD_OF_DECISION = Path(__file__).parents[2] / "docs/decisions/0002-private-sdk-members.md"

RECORD = {"id": {"S": "x"}}


def stream() -> Any:
    return make(Account({"t": ScannedTable([RECORD])}).wire, {"tables": ["t"]}).streams["t"]


def private(module: ModuleType, base: type) -> set[str]:
    """Return the private members of the SDK's class that a module names."""
    tree = ast.parse(inspect.getsource(module))
    named = {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
    named |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    theirs = set(dir(base)) | set(vars(stream())) if base is Stream else set(dir(base))
    ours = {
        name.id if isinstance(name, ast.Name) else name.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and node.name == "__init__"
        for assign in ast.walk(node)
        if isinstance(assign, ast.Assign | ast.AnnAssign)
        for name in (assign.targets if isinstance(assign, ast.Assign) else [assign.target])
        if isinstance(name, ast.Name | ast.Attribute)
    }
    return {n for n in named & theirs if n.startswith("_") and not n.startswith("__")} - ours


def test_the_list_of_private_members_is_complete() -> None:
    assert private(streams, Stream) == STREAM_METHODS.keys() | STREAM_ATTRIBUTES
    assert private(tap, Tap) == TAP_METHODS.keys()


def test_the_decision_record_names_each_of_them() -> None:
    text = RECORD_OF_DECISION.read_text()
    for name in STREAM_METHODS.keys() | STREAM_ATTRIBUTES | TAP_METHODS.keys():
        assert f"{name}`" in text, name


def test_no_other_module_knows_the_sdks_classes() -> None:
    folder = Path(tap_dynamodb.__file__).parent
    knowing = {file.name for file in folder.glob("*.py") if "singer_sdk" in file.read_text()}
    assert knowing <= {"tap.py", "maps.py", "streams.py", "emit.py", "discovery.py"}


@pytest.mark.parametrize("name", STREAM_METHODS)
def test_a_stream_has_the_method(name: str) -> None:
    assert list(inspect.signature(getattr(Stream, name)).parameters) == STREAM_METHODS[name]
    assert not getattr(getattr(Stream, name), "__final__", False)


@pytest.mark.parametrize("name", TAP_METHODS)
def test_a_tap_has_the_method(name: str) -> None:
    assert list(inspect.signature(getattr(Tap, name)).parameters) == TAP_METHODS[name]
    assert not getattr(getattr(Tap, name), "__final__", False)


def test_both_signals_lead_to_the_method() -> None:
    source = inspect.getsource(PluginBase._setup_signal_handlers)
    for number in ("SIGINT", "SIGTERM"):
        assert f"signal.signal(signal.{number}, self._handle_termination)" in source


def test_the_sdk_syncs_through_these_methods() -> None:
    source = inspect.getsource(Stream.sync)
    for name in ("_write_schema_message", "_write_activate_version_message", "_sync_records"):
        assert f"self.{name}(" in source
    assert "self._stream_version = " in source
    assert "for schema_message in self._generate_schema_messages()" in inspect.getsource(
        Stream._write_schema_message
    )


def test_a_stream_has_the_attributes() -> None:
    here = stream()
    assert here._schema is here.schema
    assert here._initialized_at > 1_000_000_000_000, "milliseconds"
    assert here._stream_version is None
    maps = here.stream_maps
    assert here._stream_maps is maps
    here._stream_maps = None
    assert here.stream_maps == maps, "asked from the mapper again"


def test_the_version_stands_on_the_records_of_the_sdks_road() -> None:
    here = stream()
    here._stream_version = 7
    (message,) = here._generate_record_messages({"id": "x"})
    assert message.to_dict()["version"] == 7


def test_a_record_goes_through_the_maps_on_its_way_to_a_file() -> None:
    config = {"stream_maps": {"t": {"twice": "id + id", "__alias__": "mapped"}}}
    tables = {"t": ScannedTable([RECORD])}
    here = make(Account(tables).wire, {"tables": ["t"], **config}).streams["t"]
    (message,) = here._generate_record_messages({"id": "x"})
    assert (message.stream, message.record) == ("mapped", {"id": "x", "twice": "xx"})


def test_a_stream_with_batch_config_is_synced_as_any_other() -> None:
    """What `get_batch_config` returns decides: nothing, and the SDK's own BATCH stays out of it."""
    source = inspect.getsource(Stream.sync)
    assert "if batch_config:" in source
    assert source.index("self.get_batch_config(") < source.index("self._sync_records(")
    assert stream().get_batch_config({"batch_config": {"storage": {"root": "file:///x"}}}) is None


def test_a_record_limit_counts_from_zero() -> None:
    here = stream()
    here.ABORT_AT_RECORD_COUNT = 2
    here._check_max_record_limit(current_record_index=1)
    with pytest.raises(Exception, match="aborted"):
        here._check_max_record_limit(current_record_index=2)


def test_a_schema_can_be_registered_again() -> None:
    mapper = PluginMapper({"stream_maps": {"mapped": {"a": "id"}}}, stream().logger)
    for name, kind in (("plain", SameRecordTransform), ("mapped", CustomStreamMap)):
        for properties in ({"id": {"type": "string"}}, {"id": {}, "late": {"type": "number"}}):
            schema = {"type": "object", "properties": properties}
            mapper.register_raw_stream_schema(name, schema, ["id"])
            (found,) = mapper.stream_maps[name]
            assert type(found) is kind
            assert properties.keys() <= found.transformed_schema["properties"].keys()


def test_a_schema_message_can_be_changed_before_it_is_written() -> None:
    (message,) = Stream._generate_schema_messages(stream())
    assert isinstance(message, Message)
    message.schema = {"changed": True}
    assert message.to_dict()["schema"] == {"changed": True}


def test_the_sdk_still_drops_our_annotations() -> None:
    """Once it keeps them, `discovery.reattach` can go."""
    (message,) = Stream._generate_schema_messages(stream())
    assert "x-dynamodb-table" not in message.schema
