"""An agent node as its pod runs it: the runner's program, its record, and what it printed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from waypost.protocol.work import Trace

from tests.agent.pods import KEY, model_server
from tests.runner.bench import Bench

SCRIPTS = """
scripts:
  note:
    turns:
    - call: [{tool: shout, arguments: {}}]
      tokens: {input: 10, output: 2}
    - say: done
      tokens: {input: 20, output: 3}
"""
SOURCE = '''
def shout() -> str:
    """Shout."""
    print("x" * 9000)
    return "heard"
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
