"""The start of an agent's process: little is imported; the rest is there when asked for."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waypost_agent import lazy_imports

from tests.agent.pods import model_server
from tests.runner.bench import Bench

REPORTED = """
import importlib, json, pkgutil, sys
package = importlib.import_module(sys.argv[1])
found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
shown = {}
for name in [package.__name__, *(each.name for each in found if each.ispkg)]:
    module = importlib.import_module(name)
    shown[name] = {each: repr(getattr(module, each)) for each in dir(module) if each[0] != "_"}
print(json.dumps(shown))
"""
ASKED = """
import importlib, json, sys
from waypost_agent import lazy_imports
lazy_imports.install()
importlib.import_module(sys.argv[1])
wrong = []
for name, exports in json.load(sys.stdin).items():
    everything = {}
    exec(f"from {name} import *", everything)
    module = importlib.import_module(name)
    for each, shown in exports.items():
        if repr(getattr(module, each, None)) != shown:
            wrong.append(f"{name}.{each}")
        if not shown.startswith("<module") and each not in everything and each in dir(module):
            wrong.append(f"{name} import *: {each}")
print(json.dumps(wrong))
"""
BUILT = """
import json, sys, httpx2
from waypost_agent import agent_request
from waypost_agent.provider import models
work = agent_request.ModelWork(sys.argv[1], "m", "http://127.0.0.1:1", None, None, {}, None, 1.0)
models.build(work, key="k", http=httpx2.AsyncClient(), redact=str)
print(json.dumps(sum(each.startswith(sys.argv[2]) for each in sys.modules)))
"""


def run(program: str, *arguments: str, given: str = "") -> Any:
    """What a fresh interpreter prints, read."""
    argv = [sys.executable, "-c", program, *arguments]
    done = subprocess.run(argv, check=True, stdout=subprocess.PIPE, text=True, input=given)
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", lazy_imports.PACKAGES)
def test_a_lazy_package_has_all_that_it_has_otherwise(package: str) -> None:
    otherwise = run(REPORTED, package)
    wrong = run(ASKED, package, given=json.dumps(otherwise))
    assert not wrong, wrong[:9]


@pytest.mark.parametrize(
    ("type_", "package", "most"),
    [
        pytest.param("OpenAI", "openai.types.", 200, id="OpenAI, of 500"),
        pytest.param("Anthropic", "anthropic.types.", 2100, id="Anthropic, of 2700"),
    ],
)
def test_a_model_brings_what_it_uses_of_its_library(type_: str, package: str, most: int) -> None:
    assert run(BUILT, type_, package) < most


LOADED = """
import json, sys
from waypost_agent import loop
print(json.dumps([each for each in sys.argv[1:] if each in sys.modules]))
"""


def test_a_node_without_tool_servers_loads_nothing_of_mcp() -> None:
    assert run(LOADED, "mcp", "mcp_types", "pydantic_ai.mcp", "openai") == []


COLLECTING = """
import gc

def collecting() -> str:
    return f"{gc.isenabled()} {gc.get_freeze_count() > 10000}"
"""
SCRIPTS = """
scripts:
  asks:
    turns:
    - call: [{tool: collecting, arguments: {}}]
    - say: "${results.collecting}"
"""


def test_the_loop_has_its_garbage_collected_and_not_its_imports(tmp_path: Path) -> None:
    with model_server(SCRIPTS) as url:
        ended = Bench(tmp_path).run(
            kind="agent",
            modules={"probe": COLLECTING},
            agent={
                "model": {"type": "OpenAI", "name": "asks", "baseUrl": f"{url}/v1"},
                "prompt": "go",
                "tools": [{"module": "probe", "functions": ["collecting"]}],
            },
        )
    assert ended.record.output == "True True", ended
