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

from demo.__main__ import plugin_environment
from demo.engine import ROOT
from tests.engines import pipeline

if TYPE_CHECKING:
    from collections.abc import Mapping

    from demo.engine import Engine

_FENCE = re.compile(r"^```(\S*)[^\n]*\n((?:.*\n)*?)```$", re.MULTILINE)


class Recipe:
    """A page of `docs/recipes/`, in a folder that becomes its Meltano project.

    Args:
        name: The page, without `.md`.
        folder: An empty folder.
        engine: Where DynamoDB's plugins go.
    """

    def __init__(self, name: str, folder: Path, engine: Engine) -> None:
        self.folder = folder
        self._blocks = _FENCE.findall((ROOT / "docs" / "recipes" / f"{name}.md").read_text())
        self._environment = plugin_environment(engine, [], folder) | {
            "MELTANO_PROJECT_ROOT": str(folder),
            "MELTANO_SEND_ANONYMOUS_USAGE_STATS": "false",
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        }
        for variable in ("TAP_DYNAMODB_TABLES", "TARGET_DYNAMODB_TABLE_NAME"):
            del self._environment[variable]

    def blocks(self, language: str = "") -> list[str]:
        """Return the page's blocks of a language, by default those of the shell."""
        return [text for found, text in self._blocks if found == language]

    def write(
        self,
        programs: Mapping[str, Path],
        own: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Write meltano.yml as the page has it, for this machine.

        Args:
            programs: The program of each plugin, in place of its `pip_url`.
            own: Settings of this machine, by plugin: endpoints.
        """
        project = YAML(typ="safe").load(self.blocks("yaml")[0])
        plugins = [entry for group in project["plugins"].values() for entry in group]
        assert {entry["name"] for entry in plugins} == programs.keys()
        for entry in plugins:
            del entry["pip_url"]
            entry["executable"] = str(programs[entry["name"]])
            entry["config"] |= own.get(entry["name"], {})
        (self.folder / "meltano.yml").write_text(json.dumps(project))

    def try_(self, script: str, **environment: str) -> pipeline.Ended:
        """Run lines of the page in a shell, and return how they ended."""
        done = subprocess.run(
            ["bash", "-euc", script],
            cwd=self.folder,
            env={**self._environment, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=2 * pipeline.PATIENCE,
        )
        return pipeline.Ended(done.returncode, done.stdout, done.stderr)

    def run(self, script: str, **environment: str) -> pipeline.Ended:
        """Run lines of the page in a shell; they must succeed."""
        ended = self.try_(script, **environment)
        assert ended.code == 0, ended.err[-6000:]
        return ended
