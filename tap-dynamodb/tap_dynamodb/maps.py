"""The SDK's stream maps, with our functions in their formulas."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.mapper import CustomStreamMap, PluginMapper

from dynamodb_core import formulas

if TYPE_CHECKING:
    import logging
    from collections.abc import Sequence


class Mapper(PluginMapper):
    """Makes the stream maps of each stream.

    Args:
        plugin_config: The configuration, which is not changed.
        logger: Takes what the SDK says of it.
    """

    def __init__(self, plugin_config: dict[str, Any], logger: logging.Logger) -> None:
        stream_maps = formulas.typed(plugin_config.get("stream_maps") or {})
        super().__init__({**plugin_config, "stream_maps": stream_maps}, logger)

    def register_raw_stream_schema(
        self, stream_name: str, schema: dict[str, Any], key_properties: Sequence[str] | None
    ) -> None:
        """Make the stream maps of a stream.

        Args:
            stream_name: The stream's name.
            schema: Its JSON Schema.
            key_properties: Its key properties.
        """
        super().register_raw_stream_schema(stream_name, schema, key_properties)
        for each in self.stream_maps[stream_name]:
            if isinstance(each, CustomStreamMap):
                each.expr_evaluator = formulas.dressed(each.expr_evaluator, stream_name)
