"""A recipe of the docs as a person follows it: its meltano.yml in a folder, its lines in a shell."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ruamel.yaml import YAML

from demo import guard
from demo.__main__ import plugin_environment
from demo.engine import ROOT
from tests.engines import pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.engine import Engine
    from tests.engines.postgres import Postgres

_FENCE = re.compile(r"^```(\S*)[^\n]*\n((?:.*\n)*?)```$", re.MULTILINE)


class Recipe:
    """A page of `docs/recipes/`, in a folder that becomes its Meltano project.

    Attributes:
        text: The page.

    Args:
        name: The page, without `.md`.
        folder: The project's folder.
        engine: Where DynamoDB's plugins go.
    """

    def __init__(self, name: str, folder: Path, engine: Engine) -> None:
        self._folder = folder
        self.text = (ROOT / "docs" / "recipes" / f"{name}.md").read_text()
        self._environment = plugin_environment(engine, [], folder) | {
            "MELTANO_PROJECT_ROOT": str(folder),
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "POSTGRES_PASSWORD": "none",
        }
        for variable in ("TAP_DYNAMODB_TABLES", "TARGET_DYNAMODB_TABLE_NAME"):
            del self._environment[variable]

    def blocks(self, language: str = "") -> list[str]:
        """Return the page's blocks of a language, by default those without one."""
        return [text for found, text in _FENCE.findall(self.text) if found == language]

    def yaml(self, number: int) -> dict[str, Any]:
        """Return what a block of YAML says."""
        said: dict[str, Any] = YAML(typ="safe").load(self.blocks("yaml")[number])
        return said

    def write(
        self,
        programs: Mapping[str, Path],
        own: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write meltano.yml as the page has it, for this machine.

        Args:
            programs: The program of each plugin, in place of its `pip_url`.
            own: More settings, by plugin: where it finds its server.
        """
        project = self.yaml(0)
        plugins = [entry for group in project["plugins"].values() for entry in group]
        assert {entry["name"] for entry in plugins} == programs.keys()
        for entry in plugins:
            del entry["pip_url"]
            entry["executable"] = str(programs[entry["name"]])
            entry["config"] |= own.get(entry["name"], {})
        (self._folder / "meltano.yml").write_text(json.dumps(project))

    def attempt(self, script: str) -> pipeline.Ended:
        """Run lines of the page in a shell, and return how they ended."""
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * pipeline.PATIENCE,
        )
        return pipeline.Ended(done.returncode, done.stdout, done.stderr)

    def run(self, script: str) -> None:
        """Run lines of the page in a shell; they must succeed."""
        ended = self.attempt(script)
        assert ended.code == 0, ended.err[-6000:]


def address(postgres: Postgres) -> dict[str, Any]:
    """Return the settings that lead a plugin to the server of the tests."""
    config = postgres.config("")
    return {name: config[name] for name in ("host", "port")}


def execute(postgres: Postgres, sql: str) -> None:
    """Run statements on the server, as a person does with psql."""
    done = subprocess.run(
        [
            *(str(postgres.programs / "psql"), "-Xq", "-v", "ON_ERROR_STOP=1"),
            *("-h", "127.0.0.1", "-p", str(postgres.port), "-U", "postgres", "-d", "postgres"),
        ],
        input=sql,
        env=guard.environment(),
        capture_output=True,
        text=True,
        timeout=pipeline.PATIENCE,
        check=False,
    )
    assert done.returncode == 0, done.stderr
