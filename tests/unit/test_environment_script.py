from __future__ import annotations

import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from demo.engine import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SCRIPT = ROOT / ".ci" / "environment"
TOOLS = ("sh", "grep", "rm", "touch", "cat")


class Machine:
    """A PATH with nothing on it but a shell, a few tools, and the programs that a test adds."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "bin"
        self.clone = folder / "clone"
        self.calls = folder / "calls"
        self.path.mkdir()
        self.clone.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found
            (self.path / tool).symlink_to(found)

    def add(self, name: str, script: str, folder: Path | None = None) -> None:
        program = (folder or self.path) / name
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text(f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n{script}\n')
        program.chmod(0o755)

    def python(self, name: str, *, fits: bool = True, ensurepip: bool = True) -> None:
        """Add a Python that answers the questions of the script and can do nothing else."""
        venv = "mkdir -p .uv/bin; printf '#!/bin/sh\\n' > .uv/bin/python; chmod +x .uv/bin/python"
        self.add(
            name,
            f"""case "$*" in
            *version_info*) exit {0 if fits else 1} ;;
            *ensurepip*) exit {0 if ensurepip else 1} ;;
            *sys.executable*) echo "{self.path / name}" ;;
            "-m venv .uv") {venv} ;;
            --version) echo "Python of {name}" ;;
            esac""",
        )

    def uv(self, folder: Path | None = None, options: str = "--group") -> None:
        self.add("uv", f'case "$*" in "pip install --help") echo "{options}" ;; esac', folder)

    def run(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.path / "sh", SCRIPT],
            cwd=self.clone,
            env={"PATH": str(self.path)},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def called(self) -> str:
        return self.calls.read_text() if self.calls.exists() else ""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    made = Machine(tmp_path)
    for tool in ("mkdir", "chmod"):
        (made.path / tool).symlink_to(shutil.which(tool) or "")
    return made


def test_without_a_python_it_says_what_to_install(machine: Machine) -> None:
    machine.python("python3", fits=False)
    done = machine.run()
    assert done.returncode == 1
    assert "Python 3.10 to 3.14 is needed" in done.stderr
    assert "apt install python3 python3-venv" in done.stderr


@pytest.mark.parametrize("name", ["python3", "python3.12"])
def test_without_ensurepip_it_names_the_package(machine: Machine, name: str) -> None:
    machine.python(name, ensurepip=False)
    done = machine.run()
    assert done.returncode == 1
    assert f"apt install {name}-venv" in done.stderr
    assert not (machine.clone / ".uv").exists()


def test_uv_on_path_needs_no_ensurepip(machine: Machine) -> None:
    machine.python("python3", ensurepip=False)
    machine.uv()
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "uv venv --quiet --python" in machine.called()
    assert "-c constraints.txt" in machine.called()
    assert not (machine.clone / ".uv").exists()


def test_the_first_python_that_fits_is_taken(machine: Machine) -> None:
    machine.python("python3", fits=False)
    machine.python("python3.13", ensurepip=False)
    machine.python("python3.12")
    machine.python("python3.14")
    machine.uv(folder=machine.clone / ".uv" / "bin", options="")  # too old: it is made anew
    done = machine.run()
    assert "Fetching uv" in done.stderr
    assert "python3.12 -m venv .uv" in machine.called()
    assert "python3.14" not in machine.called()


def test_a_uv_that_is_too_old_is_passed_over(machine: Machine) -> None:
    machine.python("python3")
    machine.uv(options="--requirement")
    machine.uv(folder=machine.clone / ".uv" / "bin")
    done = machine.run()
    assert done.returncode == 0, done.stderr
    assert "Fetching uv" not in done.stderr
    assert "uv venv --quiet --python" in machine.called()


def test_make_without_a_target_lists_the_targets() -> None:
    alone = {"PATH": os.environ["PATH"]}  # not as a part of the `make test` that runs this
    done = subprocess.run(["make"], cwd=ROOT, env=alone, capture_output=True, text=True, check=True)
    listed = [line.split()[1] for line in done.stdout.splitlines()]
    assert listed == [
        *("help", "demo", "test", "engine", "engine-stop", "lint", "types", "format"),
        *("docs", "benchmark", "clean"),
    ]


def test_no_file_of_the_repository_names_a_registry() -> None:
    pattern = r"pypi[.]org|pythonhosted[.]org|npmjs[.](org|com)"
    command = ["git", "grep", "--untracked", "-n", "-I", "-E", pattern]
    found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (1, "")
