"""The loop from request to result, against the scripted model server."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from waypost.protocol.reasons import Reason
from waypost.protocol.work import Usage

from tests.agent.pods import BRIEF, KEY, Pod, entries, model_server

SCRIPTS = f"""
apiKey: {KEY}
scripts:
  text-OpenAI: &text
    turns:
    - say: It was the database.
      tokens: {{input: 100, cached: 40, output: 8}}
      expect: [{{at: prompt, equals: "What happened?"}}, {{at: system, contains: careful}},
               {{at: system, contains: careful}}]
  text-Anthropic: *text
  text-Google: *text
  brief-OpenAI: &brief
    turns: [{{output: {{cause: database, confidence: 0.9}}}}]
  brief-Anthropic: *brief
  brief-Google: *brief
  brief: *brief
  broken:
    turns: [{{malformed: '{{"cause": ', repeat: forever}}]
  twice:
    turns:
    - malformed: '{{"cause": '
      tokens: {{input: 10, output: 1}}
    - output: {{cause: secret words, confidence: 7}}
      tokens: {{input: 20, output: 2}}
    - output: {{cause: database, confidence: 0.9}}
      tokens: {{input: 30, output: 3}}
      expect: [{{at: last, contains: "$.confidence: expected at most 1, found 7"}}]
  never:
    turns: [{{output: {{cause: database, confidence: 7}}, repeat: forever}}]
  chatty:
    turns: [{{say: "I think...", repeat: forever}}]
  list:
    turns: [{{output: {{value: [1, 2]}}}}]
  number:
    turns: [{{output: {{value: 7}}}}]
  huge:
    turns: [{{output: {{value: 123456789012345678901}}, repeat: forever}}]
  word:
    turns: [{{say: longer than ten}}, {{say: short}}]
  tree:
    turns: [{{output: {{leaf: 1, next: {{leaf: 2}}}}}}]
  echo:
    turns: [{{say: "the key is {KEY}"}}]
"""
PRICE = {"input": "2", "cachedInput": "0.5", "output": "10"}


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with model_server(SCRIPTS) as address:
        yield address


@pytest.fixture
def pod(url: str, tmp_path: Path) -> Pod:
    return Pod(tmp_path, url)


@pytest.mark.parametrize("provider", ["OpenAI", "Anthropic", "Google"])
def test_every_provider_answers_and_is_counted(provider: str, url: str, tmp_path: Path) -> None:
    model = {"price": PRICE, "settings": {"temperature": 0.5, "maxTokens": 100}}
    result = Pod(tmp_path, url, provider).perform(
        f"text-{provider}", instructions="Be careful.", model=model
    )
    assert result.output == "It was the database."
    assert result.usage == Usage(
        model_calls=1, input_tokens=100, cached_tokens=40, output_tokens=8, cost_usd="0.00022"
    )
    [entry] = entries(result)
    assert (
        entry.items()
        >= {
            "type": "model",
            "inputTokens": 100,
            "cachedTokens": 40,
            "outputTokens": 8,
            "finish": "stop",
        }.items()
    )
    typed = Pod(tmp_path, url, provider).perform(f"brief-{provider}", output_schema=BRIEF)
    assert typed.output == {"cause": "database", "confidence": 0.9}


def test_reasks_are_bounded_counted_and_traced_without_values(pod: Pod) -> None:
    result = pod.perform("twice", output_schema=BRIEF)
    assert result.output == {"cause": "database", "confidence": 0.9}
    assert result.usage == Usage(model_calls=3, input_tokens=60, output_tokens=6, reasks=2)
    reported = [entry["message"] for entry in entries(result, "reask")]
    assert reported[0].startswith("$: Invalid JSON")
    assert reported[1] == "$.confidence: expected at most 1"
    log = pod.log("twice")
    assert (log["answers"], log["inputTokens"], log["outputTokens"]) == (3, 60, 6)


@pytest.mark.parametrize(
    ("script", "message"),
    [
        pytest.param("never", "$.confidence: expected at most 1, found 7 (integer)", id="schema"),
        pytest.param("broken", "$: Invalid JSON", id="not-json"),
        pytest.param(
            "chatty", "the model gave a text that is no output of its outputSchema", id="no-output"
        ),
    ],
)
def test_output_that_never_fits_ends_as_output_invalid(script: str, message: str, pod: Pod) -> None:
    failed = pod.fail(script, output_schema=BRIEF, reasks=1)
    assert failed.reason is Reason.OUTPUT_INVALID
    assert message in failed.message
    assert "asked again 1 times; agent.reasks is 1" in failed.message
    assert failed.usage is not None
    assert (failed.usage.model_calls, failed.usage.reasks) == (2, 1)


@pytest.mark.parametrize(
    ("script", "schema", "output"),
    [
        pytest.param("list", {"type": "array", "items": {"type": "integer"}}, [1, 2], id="list"),
        pytest.param(
            "number", {"$ref": "#/$defs/n", "$defs": {"n": {"type": "integer"}}}, 7, id="reference"
        ),
        pytest.param("word", {"type": "string", "maxLength": 10}, "short", id="text"),
        pytest.param(
            "tree",
            {
                "type": "object",
                "$defs": {"t": {"type": "object", "properties": {"next": {"$ref": "#/$defs/t"}}}},
                "properties": {"next": {"$ref": "#/$defs/t"}},
            },
            {"leaf": 1, "next": {"leaf": 2}},
            id="recursive",
        ),
    ],
)
def test_output_of_any_schema(script: str, schema: Any, output: Any, pod: Pod) -> None:
    assert pod.perform(script, output_schema=schema).output == output


def test_number_that_json_cannot_carry_is_refused(pod: Pod) -> None:
    failed = pod.fail("huge", output_schema={"type": "integer"})
    assert failed.reason is Reason.OUTPUT_INVALID
    assert "beyond 2^53" in failed.message


def test_output_with_the_key_in_it_is_refused(pod: Pod) -> None:
    failed = pod.fail("echo")
    assert failed.reason is Reason.OUTPUT_INVALID
    assert KEY not in failed.message
