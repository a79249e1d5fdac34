"""The start of an agent's process: little is imported; the rest is there when asked for."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from waypost_agent import lazy_imports

from e2e.bench.coldstart.servers import serving
from tests.agent.pods import model_server
from tests.runner.bench import Bench

REPORTED = """
import importlib, json, pkgutil, re, sys
package = importlib.import_module(sys.argv[1])
found = pkgutil.walk_packages(package.__path__, f"{package.__name__}.")
shown = {}
for name in [package.__name__, *(each.name for each in found if each.ispkg)]:
    if name in sys.argv[2:]:
        continue
    module = importlib.import_module(name)
    everything = {}
    exec(f"from {name} import *", everything)
    shown[name] = {
        each: [re.sub(" at 0x[0-9a-f]+", "", repr(getattr(module, each))), each in everything]
        for each in dir(module) if each[0] != "_"
    }
print(json.dumps(shown))
"""
ASKED = """
import importlib, json, re, sys
from waypost_agent import lazy_imports
lazy_imports.install()
importlib.import_module(sys.argv[1])
wrong = []
for name, exports in json.load(sys.stdin).items():
    everything = {}
    exec(f"from {name} import *", everything)
    module = importlib.import_module(name)
    for each, (shown, starred) in exports.items():
        if re.sub(" at 0x[0-9a-f]+", "", repr(getattr(module, each, None))) != shown:
            wrong.append(f"{name}.{each}")
        if not shown.startswith("<module") and starred and each not in everything:
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
    hashed = {**os.environ, "PYTHONHASHSEED": "0"}  # it is the order of a set that is shown
    done = subprocess.run(
        argv, check=True, stdout=subprocess.PIPE, text=True, input=given, env=hashed
    )
    return json.loads(done.stdout)


@pytest.mark.parametrize("package", lazy_imports.PACKAGES)
def test_a_lazy_package_has_all_that_it_has_otherwise(package: str) -> None:
    otherwise = run(REPORTED, package, "mcp.cli")  # which needs the extra of the command line
    wrong = run(ASKED, package, given=json.dumps(otherwise))
    assert not wrong, wrong[:9]


@pytest.mark.parametrize(
    ("type_", "package", "most"),
    [
        pytest.param("OpenAI", "openai.types.", 200, id="OpenAI, of 500"),
        pytest.param("Anthropic", "anthropic.types.", 900, id="Anthropic, of 2700"),
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


# What each start imported once, and no conversation needs.
UNUSED = {
    "OpenAI": ("anthropic", "google.genai", "mcp", "openai.types.beta"),
    "Anthropic": (
        "openai",
        "google.genai",
        "mcp",
        "anthropic.lib.bedrock._client",
        "anthropic.lib.foundry",
        "anthropic.lib.vertex._client",
        "anthropic.resources.beta.organization",
    ),
    "Google": ("openai", "anthropic", "mcp"),
}
FIRST = """
import json, sys
from waypost_agent import perform
from waypost.protocol.request import Request
from waypost.protocol.work import WorkFailed
type_, url, tools, *unused = sys.argv[1:]
model = {"type": type_, "name": "asks", "baseUrl": url}
agent = {"model": model, "prompt": "go", "limits": {"requests": 1}}
if tools:
    agent["tools"] = [{"server": "looks", "url": tools, "allow": ["look"]}]
request = Request(
    run_name="r", namespace="n", run_uid="u", path="p", kind="agent", round=1, attempt=1,
    fingerprint="f", idempotency_key="k", inputs={}, agent=agent,
    timeout_seconds=None, traceparent=None, input_schema=None, output_schema=None,
)
try:
    perform(request, deadline=1e9)
except WorkFailed as failed:
    assert "measured" in failed.message, failed.message
print(json.dumps([each for each in unused if each in sys.modules]))
"""


@pytest.mark.parametrize("type_", UNUSED)
def test_a_first_request_is_made_without_what_it_does_not_need(type_: str) -> None:
    with serving() as server:
        url = f"{server.url}/v1" if type_ == "OpenAI" else server.url
        assert run(FIRST, type_, url, "", *UNUSED[type_], "pytest") == []
        assert server.first is not None


def test_a_tool_server_is_reached_without_a_server_of_our_own() -> None:
    with serving() as server:
        unused = ("mcp.server", "starlette", "uvicorn", "sse_starlette", "cryptography")
        found = run(FIRST, "OpenAI", f"{server.url}/v1", f"{server.url}/mcp", *unused)
        assert found == []
        assert server.first is not None


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
