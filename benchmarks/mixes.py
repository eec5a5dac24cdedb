"""The items that are measured, as raw DynamoDB JSON: seeded, and of types that people have.

They are those that `dynamodb-tools generate` makes (`dynamodb_tools.shapes`): flat, nested and large. All
are without their key, one attribute more, which whoever makes a table of them adds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dynamodb_tools.shapes import Item, flat, large, nested

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

MIXES: dict[str, Callable[[random.Random], Item]] = {
    "flat": flat,
    "nested": nested,
    "large": large,
}
