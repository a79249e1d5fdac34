"""`python -m e2e.bench.lint`: how long the check of a workflow with 200 nodes takes.

Needs no cluster. Each node has a schema on both sides and three expressions, a third of
them a condition too. Printed in milliseconds of CPU, best and median of ten, as a machine that has
other work to do changes these least: reading the file, the check with nothing compiled before, and
the whole command in a separate process.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import yaml
from waypost.cli.lint.linter import lint
from waypost.cli.lint.manifests import documents
from waypost.expressions.expression import compile_expression
from waypost.expressions.templates import parse_template

NODES = 200
ROUNDS = 10
NOTE: dict[str, Any] = {
    "type": "object",
    "required": ["title", "score"],
    "properties": {
        "title": {"type": "string", "maxLength": 200},
        "score": {"type": "number"},
        "tags": {"type": "array", "items": {"type": "string"}},
    },
}
TAKEN: dict[str, Any] = {
    "type": "object",
    "required": ["note", "title", "rank"],
    "properties": {"note": NOTE, "title": {"type": "string"}, "rank": {"type": "number"}},
}


def node(number: int) -> dict[str, Any]:
    """Node `number`, which takes what the one before it gives."""
    made: dict[str, Any] = {
        "name": f"n{number}",
        "python": {"source": "def run(**given):\n    return given\n"},
        "outputSchema": {"$ref": "#/schemas/Note"},
    }
    if number:
        before = f"nodes.n{number - 1}.output"
        made["inputs"] = {
            "note": f"${{{before}}}",
            "title": f"${{{before}.title}}",
            "rank": f"${{{before}.score * 2.0}}",
        }
        made["inputSchema"] = TAKEN
    if number % 3 == 2:
        made["when"] = f"${{nodes.n{number - 1}.output.score > 0.5}}"
    return made


def manifest() -> str:
    """The workflow as a file."""
    spec = {"schemas": {"Note": NOTE}, "nodes": [node(number) for number in range(NODES)]}
    head = {"apiVersion": "waypost.dev/v1alpha1", "kind": "AgentWorkflow"}
    return yaml.safe_dump({**head, "metadata": {"name": "bench"}, "spec": spec})


def timed(work: Callable[[], object]) -> str:
    """Best and median of some rounds, each from cold caches."""
    taken = []
    for _ in range(ROUNDS):
        compile_expression.cache_clear()
        parse_template.cache_clear()
        began = _cpu()
        work()
        taken.append((_cpu() - began) * 1000)
    return f"best {min(taken):.0f} ms, median {median(taken):.0f} ms"


def _cpu() -> float:
    """Seconds of CPU that this process and the children it waited for have used up."""
    spent = os.times()
    children = spent.children_user + spent.children_system
    return time.process_time() + children


def main() -> None:
    """Measure and print."""
    text = manifest()
    (document,) = documents(text)
    findings = lint("bench.yaml", document)
    assert not findings, findings[:3]
    print(f"read {len(text) // 1024} KiB: {timed(lambda: list(documents(text)))}")
    print(f"check {NODES} nodes: {timed(lambda: lint('bench.yaml', document))}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bench.yaml"
        path.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "waypost", "lint", str(path)]
        whole = timed(lambda: subprocess.run(command, check=True, capture_output=True))
    print(f"waypost lint, process and imports included: {whole}")


if __name__ == "__main__":
    main()
