"""The arrows between the packages, read from their imports; a new arrow fails here."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {
    "dynamodb_core": ROOT / "dynamodb-core" / "dynamodb_core",
    "dynamodb_tools": ROOT / "dynamodb-tools" / "dynamodb_tools",
    "tap_dynamodb": ROOT / "tap-dynamodb" / "tap_dynamodb",
    "target_dynamodb": ROOT / "target-dynamodb" / "target_dynamodb",
}
ARROWS = {
    "dynamodb_core": {"dynamodb_core"},
    "dynamodb_tools": {"dynamodb_tools", "dynamodb_core"},
    "tap_dynamodb": {"tap_dynamodb", "dynamodb_core"},
    "target_dynamodb": {"target_dynamodb", "dynamodb_core"},
}
SDK = {
    "tap_dynamodb": {"tap", "maps", "streams", "emit", "discovery"},
    "target_dynamodb": {"target", "command", "maps", "sinks", "reader", "__main__"},
}
"""Modules that may import singer_sdk; none of the core."""

NETWORK = {"wire", "connect", "explain", "shortcut", "exchange", "assume_role", "objects"}
"""Modules of the core that may import what opens connections."""
NETWORK_IMPORTS = {
    "boto3",
    "botocore",
    "s3transfer",
    "urllib3",
    "requests",
    "socket",
    "ssl",
    "http",
}
NETWORK_SUBMODULES = {"urllib.request"}

WORKERS = {"dynamodb_core.workers", "dynamodb_core.processes"}
"""The modules that may start threads, or processes."""
STARTERS = {
    "Thread",
    "Timer",
    "Process",
    "Pool",
    "Popen",
    "ThreadPoolExecutor",
    "ProcessPoolExecutor",
    "ThreadPool",
    "start_new_thread",
    "fork",
    "forkpty",
    "posix_spawn",
    "system",
    "popen",
}
STARTER_IMPORTS = {"subprocess", "multiprocessing", "concurrent", "asyncio", "_thread"}

STDOUT = {"dynamodb_tools.output", "tap_dynamodb.emit", "target_dynamodb.output"}
"""The owner of stdout in each package; the core has none."""

STDOUT_NAMES = {"sys.stdout", "sys.__stdout__", "print"}

MOST_LINES = 400


class Module(NamedTuple):
    package: str
    name: str
    source: str

    def __str__(self) -> str:
        return f"{self.package}.{self.name}"


def modules() -> list[Module]:
    return [
        Module(package, ".".join(path.relative_to(folder).with_suffix("").parts), path.read_text())
        for package, folder in PACKAGES.items()
        for path in sorted(folder.rglob("*.py"))
    ]


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield the full names of what is imported, wherever it stands: also in functions, for types."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield "." * node.level + (node.module or "")
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) in ("__import__", "importlib.import_module", "import_module")
            and node.args
        ):
            name = node.args[0]
            yield str(name.value) if isinstance(name, ast.Constant) else f"<{ast.unparse(name)}>"


def called(tree: ast.AST) -> Iterator[str]:
    """Yield the names of what is called, as they are written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func)


def uses(tree: ast.AST) -> Iterator[str]:
    """Yield every name and attribute that is used, as it is written."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute | ast.Name):
            yield ast.unparse(node)


def complaints(module: Module) -> list[str]:
    """Return what in a module points where it must not."""
    tree = ast.parse(module.source)
    found = []
    for name in imports(tree):
        top = name.partition(".")[0]
        if name.startswith((".", "<")):
            found.append(f"imports {name}: the full name shows the arrow")
        if top in PACKAGES and top not in ARROWS[module.package]:
            found.append(f"imports {name}")
        if top == "singer_sdk" and module.name not in SDK.get(module.package, ()):
            found.append(f"imports {name}")
        network = top in NETWORK_IMPORTS or name in NETWORK_SUBMODULES
        if network and not (module.package == "dynamodb_core" and module.name in NETWORK):
            found.append(f"imports {name}")
        if top in STARTER_IMPORTS and str(module) not in WORKERS:
            found.append(f"imports {name}")
    if str(module) not in WORKERS:
        started = (*called(tree), *imports(tree))
        found += [f"starts {name}" for name in started if name.rpartition(".")[2] in STARTERS]
    if str(module) not in STDOUT:
        found += [f"uses {name}" for name in uses(tree) if name in STDOUT_NAMES]
    lines = module.source.count("\n")
    if lines > MOST_LINES:
        found.append(f"has {lines} lines, more than {MOST_LINES}")
    return found


@pytest.mark.parametrize("module", modules(), ids=str)
def test_a_module_points_only_where_it_may(module: Module) -> None:
    assert complaints(module) == []


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("dynamodb_core.scan", "import singer_sdk"),
        ("dynamodb_core.scan", "def f():\n    from singer_sdk.helpers import x"),
        ("dynamodb_core.scan", "if TYPE_CHECKING:\n    from tap_dynamodb.tap import T"),
        ("dynamodb_core.scan", "import importlib\nimportlib.import_module('target_dynamodb')"),
        ("dynamodb_core.scan", "__import__(name)"),
        ("dynamodb_core.scan", "from . import wire"),
        ("dynamodb_core.scan", "from botocore import exceptions"),
        ("dynamodb_core.tables", "import boto3"),
        ("dynamodb_core.tables", "import http.client"),
        ("dynamodb_core.tables", "from urllib import request"),
        ("dynamodb_core.tables", "import urllib.request"),
        ("dynamodb_core.writer", "import threading\nthreading.Thread(target=f)"),
        ("dynamodb_core.writer", "from threading import Thread"),
        ("dynamodb_core.writer", "from concurrent.futures import ThreadPoolExecutor"),
        ("dynamodb_core.writer", "import subprocess"),
        ("dynamodb_core.writer", "import os\nos.fork()"),
        ("dynamodb_core.progress", "print('hello')"),
        ("dynamodb_core.progress", "import sys\nsys.stdout.write('')"),
        ("tap_dynamodb.bookmarks", "from singer_sdk import Tap"),
        ("tap_dynamodb.tap", "from target_dynamodb.naming import legal"),
        ("tap_dynamodb.wire", "import boto3"),
        ("tap_dynamodb.tap", "import sys\nout = sys.stdout.buffer"),
        ("target_dynamodb.target", "import tap_dynamodb"),
        ("target_dynamodb.target", "print()"),
        ("target_dynamodb.naming", "from singer_sdk.exceptions import X"),
        ("dynamodb_core.numbers", "x = 1\n" * 401),
    ],
)
def test_a_wrong_arrow_is_seen(place: str, source: str) -> None:
    package, _, name = place.partition(".")
    assert complaints(Module(package, name, source))


@pytest.mark.parametrize(
    ("place", "source"),
    [
        ("dynamodb_core.wire", "import boto3\nfrom botocore.config import Config"),
        ("dynamodb_core.workers", "import threading\nthreading.Thread(target=f)"),
        ("dynamodb_core.writer", "import threading\nlock = threading.Condition()"),
        ("dynamodb_core.writer", "import threading\nthreads: list[threading.Thread] = []"),
        ("tap_dynamodb.tap", "from singer_sdk import Tap\nfrom dynamodb_core import tables"),
        ("target_dynamodb.target", "from urllib.parse import urlsplit\nimport sys\nsys.stderr"),
    ],
)
def test_a_right_arrow_is_not_complained_about(place: str, source: str) -> None:
    package, _, name = place.partition(".")
    assert complaints(Module(package, name, source)) == []


def test_every_module_is_looked_at() -> None:
    found = {str(module) for module in modules()}
    assert found >= WORKERS | STDOUT | {"dynamodb_core.wire", "target_dynamodb.sinks"}
    assert len(found) > 30
