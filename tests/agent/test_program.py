"""An agent node as its pod runs it: the runner's program, its record, and what it printed."""

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Trace

from tests.agent.pods import KEY, model_server
from tests.runner.bench import ENDS_WITHIN, Bench

SCRIPTS = """
scripts:
  note:
    turns:
    - call: [{tool: shout, arguments: {}}]
      tokens: {input: 10, output: 2}
    - say: done
      tokens: {input: 20, output: 3}
  waits-for-model:
    turns:
    - &shouts
      call: [{tool: shout, arguments: {}}]
      tokens: {input: 10, output: 2}
    - hang: 50s
  waits-for-tool: &waits
    turns:
    - *shouts
    - call: [{tool: wait, arguments: {}}]
      tokens: {input: 10, output: 2}
  holds-the-lock: *waits
"""
SOURCE = '''
def shout() -> str:
    """Shout."""
    print("x" * 9000)
    return "heard"


def wait() -> None:
    """Wait."""
    import time
    print("up")
    time.sleep(60)
'''


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


def test_record_holds_output_usage_and_trace_and_no_key(tmp_path: Path, url: str) -> None:
    bench = Bench(tmp_path)
    (bench.folder / "key").write_text(KEY)
    model = {
        "type": "OpenAI",
        "name": "note",
        "baseUrl": f"{url}/v1",
        "keyFile": str(bench.folder / "key"),
    }
    tools = [{"module": "kit", "functions": ["shout"]}]
    agent = {"model": model, "prompt": "go", "tools": tools, "limits": {"requests": 5}, "reasks": 0}
    ended = bench.run(kind="agent", agent=agent, modules={"kit": SOURCE}, timeout=50)
    assert ended.code == 0, ended.stderr
    record = ended.record
    assert record.output == "done"
    assert record.usage is not None
    assert record.usage.to_json() == {
        "modelCalls": 2,
        "inputTokens": 30,
        "outputTokens": 5,
        "toolCalls": 1,
        "tools": {"shout": 1},
    }
    assert isinstance(record.trace, Trace)
    assert [entry["type"] for entry in record.trace.entries] == ["model", "tool", "model"]
    for text in (ended.message, ended.stdout, ended.stderr):
        assert KEY not in text


# The supervisor never kills the program here: a record with usage and a trace was written by the
# program itself, however slow the machine is.
UNHURRIED = """
import sys
from waypost_node import __main__, supervisor
supervisor.END_GRACE = 3600.0
sys.exit(__main__.main())
"""
# What it used up, and what its trace ends with, stopped in its second turn.
STOPPED = [
    pytest.param("waits-for-model", 1, "model", id="in a model call"),
    pytest.param("waits-for-tool", 2, "tool", id="in a tool"),
]


@pytest.mark.parametrize(("script", "calls", "last"), STOPPED)
def test_an_attempt_that_is_stopped_tells_what_it_used_up(
    script: str, calls: int, last: str, tmp_path: Path, url: str
) -> None:
    bench = Bench(tmp_path)
    tools = [{"module": "kit", "functions": ["shout", "wait"]}]
    model = {"type": "OpenAI", "name": script, "baseUrl": f"{url}/v1"}
    agent = {"model": model, "prompt": "go", "tools": tools}
    process = bench.start(kind="agent", agent=agent, modules={"kit": SOURCE}, program=UNHURRIED)
    assert process.stdout is not None
    assert process.stdout.readline() == "x" * 9000 + "\n"
    if last == "tool":
        assert process.stdout.readline() == "up\n"
    else:
        under_way(url, script)
    process.send_signal(signal.SIGTERM)
    ended = bench.finish(process)
    record = ended.record
    assert (record.outcome, record.reason) == ("Failed", Reason.DISRUPTED)
    assert record.message == "stopped by SIGTERM"
    assert record.usage is not None
    assert (record.usage.model_calls, record.usage.input_tokens) == (calls, 10 * calls)
    assert record.usage.tools == ({"shout": 1} if last == "model" else {"shout": 1, "wait": 1})
    assert isinstance(record.trace, Trace)
    assert record.trace.entries[-1]["type"] == last
    assert record.trace.entries[-1]["error"] == "cut short: the attempt was ended"


def under_way(url: str, script: str) -> None:
    """Wait until the second request of a script has come."""
    deadline = time.monotonic() + ENDS_WITHIN
    while time.monotonic() < deadline:
        reported = httpx2.get(f"{url}/_log", params={"script": script}).json()
        if reported["scripts"][script]["requests"] == 2:
            return
        time.sleep(0.02)
    raise AssertionError(reported)


def test_a_tool_that_lets_nothing_else_run_does_not_hold_up_the_end(
    tmp_path: Path, url: str
) -> None:
    bench = Bench(tmp_path)
    tools = [{"module": "kit", "functions": ["shout", "wait"]}]
    model = {"type": "OpenAI", "name": "holds-the-lock", "baseUrl": f"{url}/v1"}
    agent = {"model": model, "prompt": "go", "tools": tools}
    source = SOURCE.replace("time.sleep(60)", "sum(range(10**12))")
    process = bench.start(kind="agent", agent=agent, modules={"kit": source})
    assert process.stdout is not None
    lines = [process.stdout.readline(), process.stdout.readline()]
    assert lines[1] == "up\n"
    process.send_signal(signal.SIGTERM)
    ended = bench.finish(process)
    assert (ended.code, ended.record.reason) == (128 + signal.SIGTERM, Reason.DISRUPTED)
