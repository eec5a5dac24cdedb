"""The SDK's standard suite for targets, on the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.config import SuiteConfig
from singer_sdk.testing.runners import TargetTestRunner

from target_dynamodb.target import TargetDynamoDB

if TYPE_CHECKING:
    from demo.engine import Engine

KEYS = {
    # DynamoDB has no items without a key; the stream map is the SDK's own way to name one.
    "test_no_pk": {"__key_properties__": ["id"]},
    "example_stream": {"__key_properties__": ["id"]},
    "test_object_schema_with_properties": {
        "id": "int(object_store['id'])",
        "__key_properties__": ["id"],
    },
    "test_object_schema_no_properties": {
        "id": "int(object_store['id'])",
        "__key_properties__": ["id"],
    },
}

StandardSuite: Any = get_target_test_class(TargetDynamoDB, suite_config=SuiteConfig())


@pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")  # the SDK's runner leaves it
class TestStandardSuite(StandardSuite):  # type: ignore[misc]  # made by the SDK at run time
    """The suite's own tests, with a target that knows the engine."""

    @pytest.fixture(scope="class")
    @classmethod
    def resource(cls) -> None:
        return None

    @pytest.fixture
    def runner(self, engine: Engine) -> TargetTestRunner:
        config = {**engine.config(), "stream_maps": KEYS, "table_name": "suite_{stream}"}
        return TargetTestRunner(
            target_class=TargetDynamoDB, config=config, suite_config=SuiteConfig()
        )
