"""docs/tutorial.md as its reader works through it: each command, in order, with what it prints."""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import yaml

from e2e.cluster import api
from e2e.suite.space import Space

TUTORIAL = Path(__file__).resolve().parents[2] / "docs/tutorial.md"
SECONDS = 240.0  # for one command; the longest waits three minutes


@dataclass(frozen=True)
class Command:
    """A command of a document, and the lines that the document shows below it."""

    line: str
    shows: tuple[str, ...]


def commands(text: str) -> list[Command]:
    """The commands of all `console` blocks. `...` in a shown line stands for any text."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            found.append(Command(line, tuple(shown)))
    return found


def missing(command: Command, output: str) -> list[str]:
    """The shown lines that the output does not have, in this order."""
    lines = iter(" ".join(line.split()) for line in output.splitlines())
    patterns = [" ".join(line.split()) for line in command.shows]
    matching = (re.escape(pattern).replace(r"\.\.\.", ".*") for pattern in patterns)
    return [each for each in matching if not any(re.fullmatch(each, line) for line in lines)]


def test_the_tutorial(space: Space, cluster: api.Cluster, tmp_path: Path) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    manifest = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    (tmp_path / "orders.yaml").write_text(manifest[0])
    known = yaml.safe_load(cluster.kubeconfig.read_text())
    for context in known["contexts"]:
        context["context"]["namespace"] = space.name
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(known))
    folders = (cluster.tools_dir, Path(sys.executable).parent, os.environ["PATH"])
    environment = {
        **os.environ,
        "KUBECONFIG": str(tmp_path / "kubeconfig"),
        "PATH": ":".join(map(str, folders)),
        "NO_COLOR": "1",
    }
    for command in commands(text):
        done = subprocess.run(
            ["bash", "-c", command.line],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
            stdin=subprocess.DEVNULL,
        )
        print(f"$ {command.line}\n{done.stdout}{done.stderr}")
        assert done.returncode == 0, f"{command.line}: {done}"
        assert missing(command, done.stdout) == [], f"{command.line} printed: {done.stdout}"
