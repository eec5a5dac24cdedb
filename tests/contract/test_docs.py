"""The docs: every setting is there with its default and an example, examples hold, links lead somewhere.

Every fenced block whose language is `yaml` or `json` is checked as a configuration: that of the tap,
or with `target` after the language that of the target. A mapping of settings stands for itself; one
with `config`, or with `plugins`, is a piece of `meltano.yml`. A block that is no configuration, such as
a state, says `data` after the language, and names no setting. What `echo` writes into `tap.json` and
`target.json` is checked likewise.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

import jsonschema
import pytest
from ruamel.yaml import YAML

from demo import guard
from demo.engine import ROOT
from tap_dynamodb.properties import CONFIG_JSONSCHEMA
from target_dynamodb.settings import CONFIG_SCHEMA

if TYPE_CHECKING:
    from collections.abc import Iterator

GUIDE = ROOT / "docs" / "tap.md"
TARGET_GUIDE = ROOT / "docs" / "target.md"
GUIDES = {"tap": GUIDE, "target": TARGET_GUIDE}
CHECKED = [
    ROOT / "README.md",
    *GUIDES.values(),
    ROOT / "docs" / "types.md",
    ROOT / "docs" / "state.md",
]
CHECKED += [
    ROOT / "docs" / "records.md",
    ROOT / "docs" / "dead-letters.md",
    ROOT / "docs" / "epochs.md",
    ROOT / "docs" / "exports.md",
    ROOT / "docs" / "server-side-loads.md",
    ROOT / "docs" / "write-modes.md",
    *sorted((ROOT / "docs" / "recipes").glob("*.md")),
]
PAGES = sorted({*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")})
PLUGINS = {"tap": "tap-dynamodb", "target": "target-dynamodb"}
GROUPS = {"extractors": "tap", "loaders": "target"}
# What may stand beside `config` in a plugin's entry, or in an excerpt of one.
EXTRAS = {"name", "namespace", "pip_url", "executable", "capabilities", "settings", "config"}
EXTRAS |= {"select", "metadata", "catalog"}
OF_ONE_TABLE = CONFIG_JSONSCHEMA["properties"]["table_options"]["additionalProperties"][
    "properties"
]
PROPERTIES = {
    "tap": CONFIG_JSONSCHEMA["properties"],
    "target": CONFIG_SCHEMA["properties"],
}
FENCE = re.compile(r"^```(\S*)[ \t]*(.*)\n((?:.*\n)*?)```$", re.MULTILINE)
ECHO = re.compile(r"^echo '(\{.*\})' > (tap|target)\.json$", re.MULTILINE)


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    language: str
    kind: str
    text: str

    @property
    def value(self) -> Any:
        """What its JSON or YAML says."""
        if self.language == "json":
            return json.loads(self.text)
        return YAML(typ="safe").load(self.text)

    def __str__(self) -> str:
        return f"{self.page.name}: {self.text[:60]!r}"


class Config(NamedTuple):
    """A configuration that a page shows."""

    plugin: str
    given: dict[str, Any]
    where: str


def blocks(page: Path) -> list[Block]:
    found = [Block(page, *match.groups()) for match in FENCE.finditer(page.read_text())]
    assert page.read_text().count("\n```") == 2 * len(found), f"{page.name} has a block left open"
    return found


def configs(page: Path) -> Iterator[Config]:
    """Yield all configurations of a page."""
    for block in blocks(page):
        for text, plugin in ECHO.findall(block.text):
            yield Config(plugin, json.loads(text), str(block))
        if block.language in ("json", "yaml") and block.kind != "data":
            assert block.kind in ("", *PLUGINS), f"{block} has an unknown mark"
            yield from _configs(block.value, block.kind or "tap", str(block))


def _configs(value: Any, plugin: str, where: str) -> Iterator[Config]:
    if "plugins" in value:
        for group, entries in value["plugins"].items():
            for entry in entries:
                if entry.get("name", PLUGINS[GROUPS[group]]) == PLUGINS[GROUPS[group]]:
                    yield from _configs(entry, GROUPS[group], where)
    elif "config" in value:
        assert value.keys() <= EXTRAS, where
        yield Config(plugin, value["config"], where)
    else:
        yield Config(plugin, value, where)


@cache
def schema(plugin: str) -> dict[str, Any]:
    """Return the JSON Schema that a plugin tells of its settings; others are not allowed here."""
    program = Path(sys.executable).with_name(PLUGINS[plugin])
    command = [str(program), "--about", "--format", "json"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, env=guard.environment()
    )
    said: dict[str, Any] = json.loads(done.stdout)["settings"]
    # The SDK's schema of stream maps is none: it has a text where a schema belongs.
    properties = {**said["properties"], "stream_maps": {"type": "object"}}
    return {**said, "properties": properties, "additionalProperties": False}


def complaint(config: Config) -> str | None:
    """Return what is wrong with a configuration, None if nothing."""
    try:
        jsonschema.validate(config.given, schema(config.plugin))
    except jsonschema.ValidationError as error:
        return str(error.message)
    return None


def nulls(value: Any) -> bool:
    """Whether there is a null in a value."""
    if isinstance(value, dict | list):
        return any(map(nulls, value.values() if isinstance(value, dict) else value))
    return value is None


def slug(heading: str) -> str:
    """Return the anchor that GitHub gives a heading."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(page: Path) -> set[str]:
    found: dict[str, int] = {}
    for heading in re.findall(r"^#+ (.*)$", FENCE.sub("", page.read_text()), re.MULTILINE):
        found[slug(heading)] = found.get(slug(heading), 0) + 1
    return {
        name if n == 0 else f"{name}-{n}" for name, count in found.items() for n in range(count)
    }


def links(page: Path) -> list[str]:
    prose = re.sub(r"`[^`\n]*`", "", FENCE.sub("", page.read_text()))
    return re.findall(r"\]\(([^)\s]+)\)", prose)


def dead(page: Path, link: str) -> str | None:
    """Return what a link misses, None if it leads somewhere or out of the repository."""
    if re.match(r"[a-z]+:", link):
        return None
    path, _, anchor = link.partition("#")
    target = (page.parent / unquote(path)).resolve() if path else page
    if not target.exists():
        return f"{target} does not exist"
    if anchor and anchor not in anchors(target):
        return f"{target.name} has no heading {anchor}"
    return None


# Settings


@pytest.mark.parametrize("plugin", GUIDES)
def test_the_guide_lists_every_setting_with_its_default(plugin: str) -> None:
    rows = re.findall(
        r"^\| `([\w.*]+)` \| (.+?) \| \[.+\]\(#.+\) \|$", GUIDES[plugin].read_text(), re.MULTILINE
    )
    listed = dict(rows)
    assert len(listed) == len(rows), "a setting is listed twice"
    properties = PROPERTIES[plugin]
    own = {
        f"table_options.*.{name}": OF_ONE_TABLE[name]
        for name in OF_ONE_TABLE.keys() - properties
        if plugin == "tap"
    }
    expected = {}
    for name, property_schema in {**properties, **own}.items():
        default = property_schema.get("default")
        shown = default if isinstance(default, str) else json.dumps(default)
        expected[name] = "none" if default is None else f"`{shown}`"
    of_the_sdk = listed.keys() - expected.keys()
    assert {name: listed.get(name) for name in expected} == expected
    assert of_the_sdk <= schema(plugin)["properties"].keys()


def test_the_guide_says_which_settings_a_table_can_have() -> None:
    section = GUIDE.read_text().partition("## Options for one table")[2].partition("\n## ")[0]
    sentences = section.partition("Most settings can stand there")[2]
    assert set(re.findall(r"`(\w+)`", sentences)) == OF_ONE_TABLE.keys()


@pytest.mark.parametrize("plugin", GUIDES)
def test_every_setting_has_an_example(plugin: str) -> None:
    shown: set[str] = set()
    for config in configs(GUIDES[plugin]):
        shown |= config.given.keys()
        for options in config.given.get("table_options", {}).values():
            shown |= options.keys()
    expected = set(PROPERTIES[plugin])
    if plugin == "tap":
        expected |= OF_ONE_TABLE.keys()
    assert shown >= expected


# Examples


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.name)
def test_examples_are_valid(page: Path) -> None:
    wrong = {config.where: said for config in configs(page) if (said := complaint(config))}
    assert wrong == {}


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.name)
def test_examples_hold_no_null(page: Path) -> None:
    """Meltano takes a null out of `meltano.yml`, and what it was to say with it."""
    assert [config.where for config in configs(page) if nulls(config.given)] == []


@pytest.mark.parametrize("page", CHECKED, ids=lambda page: page.name)
def test_a_block_that_is_not_checked_is_no_configuration(page: Path) -> None:
    settings = {name for plugin in PLUGINS for name in schema(plugin)["properties"]}
    for block in blocks(page):
        if block.kind == "data":
            assert not settings & set(block.value), f"{block} names a setting"
        elif block.language not in ("json", "yaml"):
            assert block.kind == "", f"{block} has a mark without effect"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"tabels": ["orders"]}, "tabels"),
        ({"item_format": "parked"}, "parked"),
        ({"table_options": {"orders": {"qery": {"pk": "a"}}}}, "qery"),
        ({"table_options": {"orders": {"filter": {"names": {}}}}}, "expression"),
        ({"segment_range": "0 to 7"}, "does not match"),
    ],
)
def test_a_wrong_example_would_be_seen(given: dict[str, Any], words: str) -> None:
    assert words in str(complaint(Config("tap", given, "")))


# Links


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    assert {link: said for link in links(page) if (said := dead(page, link))} == {}


def test_a_dead_link_would_be_seen() -> None:
    assert dead(GUIDE, "nowhere.md")
    assert dead(GUIDE, "types.md#nowhere")
    assert dead(GUIDE, "#nowhere")
    assert not dead(GUIDE, "#query-partitions")


def test_every_page_is_linked_from_another() -> None:
    reached = {
        (page.parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in links(page)
        if not link.startswith("#")
    }
    assert [page for page in (ROOT / "docs").glob("*.md") if page.resolve() not in reached] == []
