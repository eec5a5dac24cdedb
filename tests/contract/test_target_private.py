"""The private members of the SDK that the target stands on: an SDK without them must not pass."""

from __future__ import annotations

import inspect

import pytest
from singer_sdk.sinks import Sink
from singer_sdk.target_base import Target

from target_dynamodb.target import TargetDynamoDB

OVERRIDDEN = {
    "_handle_termination": ["self", "signum", "frame"],
    "_process_activate_version_message": ["self", "message_dict"],
    "_process_batch_message": ["self", "message_dict"],
    "_process_record_message": ["self", "message_dict"],
    "_process_schema_message": ["self", "message_dict"],
    "_process_state_message": ["self", "message_dict"],
    "_validate_config": ["self", "raise_errors"],
    "_write_state_message": ["self", "state"],
}


@pytest.mark.parametrize("name", OVERRIDDEN)
def test_what_the_target_overrides_is_called_by_the_sdk(name: str) -> None:
    assert list(inspect.signature(getattr(Target, name)).parameters) == OVERRIDDEN[name]


def test_what_the_target_reads_is_there() -> None:
    target = TargetDynamoDB(config={})
    assert target._latest_state is None
    assert target._sinks_active == {}
    assert target._sinks_to_clear == []


def test_what_the_sinks_use_is_there() -> None:
    assert list(inspect.signature(Sink._add_sdc_metadata_to_record).parameters) == [
        *("self", "record", "message", "context"),
    ]
    assert "_validator" in inspect.getsource(Sink.__init__)


def test_draining_asks_for_the_size_first_and_writes_the_state_last() -> None:
    assert "sink.current_size == 0" in inspect.getsource(Target.drain_one)
    drain_all = inspect.getsource(Target.drain_all)
    assert drain_all.index("_sinks_active") < drain_all.index("_write_state_message")
