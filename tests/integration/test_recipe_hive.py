"""The recipe of twelve monthly tables, as it stands in the docs, through `meltano run`."""

from __future__ import annotations

import calendar
import re
import sys
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ruamel.yaml import YAML

from demo import load
from demo.__main__ import plugin_environment
from demo.engine import ROOT
from demo.wire import Wire
from tests.engines import pipeline, relay

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo.engine import Engine
    from demo.wire import Item
    from tests.engines.relay import Relay

RECIPE = ROOT / "docs" / "recipes" / "hive.md"
PAIR = ("tap-dynamodb", "target-dynamodb")
KEY = (("device", "S"), ("number", "N"))
MONTHS = range(1, 13)
EACH = 5
YEAR = 2095
"""Of what happened: the engine deletes what has expired."""


def blocks() -> list[Any]:
    """The recipe's pieces of YAML: the project, and the maps that mend July."""
    found = re.findall(r"^```yaml.*?\n(.*?)^```", RECIPE.read_text(), re.MULTILINE | re.DOTALL)
    return [YAML(typ="safe").load(text) for text in found]


def table(month: int) -> str:
    return f"events-2026-{month:02}"


def item(month: int, number: int) -> Item:
    """One item of a month; the last of each is not done."""
    return {
        "device": {"S": f"d{number % 2}"},
        "number": {"N": f"{month * 100 + number}"},
        "happened": {"S": f"{YEAR}-{month:02}-{number + 1:02} 09:26:53"},
        "status": {"S": "open" if number == EACH - 1 else "done"},
        "amount": {"N": "12.5"},
        "note": {"S": "x" * 200},
    }


def moved(month: int, number: int) -> Item:
    """What is to become of an item."""
    made = item(month, number)
    began = datetime.strptime(made["happened"]["S"], "%Y-%m-%d %H:%M:%S")  # noqa: DTZ007
    end = began.replace(year=began.year + 1)
    return {
        **{name: made[name] for name in ("device", "number", "amount")},
        "happened": {"N": f"{calendar.timegm(began.timetuple())}"},
        "expires_at": {"N": f"{calendar.timegm(end.timetuple())}"},
    }


class Months:
    """Twelve tables in an account of their own, and the recipe's project in a folder."""

    def __init__(self, seen: Relay, wire: Wire, folder: Path) -> None:
        self.relay = seen
        self.wire = wire
        self.environment = plugin_environment(seen.engine, [], folder) | {
            "MELTANO_PROJECT_ROOT": str(folder)
        }
        for name in ("TAP_DYNAMODB_TABLES", "TARGET_DYNAMODB_TABLE_NAME"):
            del self.environment[name]
        self._folder = folder
        for month in MONTHS:
            wire.create_table(table(month), KEY)
            load.write(wire, table(month), [item(month, number) for number in range(EACH)])

    def write(self, stream_maps: dict[str, Any] | None = None) -> None:
        """Write meltano.yml as the recipe has it, for this machine."""
        project = blocks()[0]
        for group, name in (("extractors", PAIR[0]), ("loaders", PAIR[1])):
            [plugin] = project["plugins"][group]
            assert plugin["name"] == name
            del plugin["pip_url"]
            plugin["executable"] = str(Path(sys.executable).with_name(name))
            plugin["config"] |= self.relay.engine.config()
        if stream_maps:
            plugin["config"]["stream_maps"] = stream_maps
        project["send_anonymous_usage_stats"] = False
        with (self._folder / "meltano.yml").open("w") as file:
            YAML().dump(project, file)

    def run(self, **environment: str) -> tuple[pipeline.Ended, list[str]]:
        """Run the recipe; return how it ended, and which tables were read."""
        self.relay.forget()
        ended = pipeline.meltano({**self.environment, **environment}, "run", *PAIR)
        asked = Counter(
            request["TableName"] for request in self.relay.of("Scan") if "Limit" not in request
        )
        return ended, sorted(asked)

    def events(self) -> list[Item]:
        return sorted(self.wire.scan("events"), key=lambda each: int(each["number"]["N"]))


@pytest.fixture
def months(account: Engine, tmp_path: Path) -> Iterator[Months]:
    wire = Wire.of(account)
    with relay.running(account) as seen:
        yield Months(seen, wire, tmp_path)
    for name in (*map(table, MONTHS), "events"):
        wire.call("DeleteTable", {"TableName": name})
    wire.close()


def expected(months: range = MONTHS) -> list[Item]:
    return [moved(month, number) for month in months for number in range(EACH - 1)]


def test_one_month_fails_and_goes_on_alone(months: Months) -> None:
    july = table(7)
    wrong = {**item(7, 1), "happened": {"S": f"02.07.{YEAR}"}}
    load.write(months.wire, july, [wrong])
    months.write()
    ended, _read_ahead = months.run()
    assert ended.code != 0
    assert (
        "A stream map of stream events_2026_07 fails on a record: epoch(happened): "
        f"'02.07.{YEAR}' is no date in ISO form"
    ) in ended.err
    assert [each for each in months.events() if int(each["number"]["N"]) < 700] == expected(
        range(1, 7)
    )
    described = months.wire.call("DescribeTimeToLive", {"TableName": "events"})
    assert described["TimeToLiveDescription"] == {
        "TimeToLiveStatus": "ENABLED",
        "AttributeName": "expires_at",
    }
    for number in range(EACH):
        day = f"{number + 1:02}.07.{YEAR}"
        load.write(months.wire, july, [{**item(7, number), "happened": {"S": day}}])
    months.write(blocks()[1]["stream_maps"])
    alone, read = months.run(TAP_DYNAMODB__SELECT_FILTER='["events_2026_07"]')
    assert alone.code == 0, alone.err
    assert read == [july]
    rest, read = months.run()
    assert rest.code == 0, rest.err
    assert (
        {table(month) for month in range(8, 13)}
        <= set(read)
        <= {table(month) for month in range(7, 13)}
    )
    found = months.events()
    clock = 9 * 3600 + 26 * 60 + 53  # July's dates have none
    for each in found:
        if 700 <= int(each["number"]["N"]) < 800:
            for name in ("happened", "expires_at"):
                each[name] = {"N": f"{int(each[name]['N']) + clock}"}
    assert found == expected()
