"""What the agent reads as reported usage, the model gateway finds too (K11): a budget is the same
for both."""

import json
from typing import Any

import pytest
from waypost.model_gateway.core import usage
from waypost.model_gateway.core.usage import Estimate, UsageScanner
from waypost_agent.provider import reported_usage

# Everyday words: the gateway looks at the whole text of an answer, where they may mean anything.
TOO_COMMON = {"prompt", "input", "completion", "output", "total"}
TYPES = {
    "OpenAI": reported_usage.openai_usage,
    "Anthropic": reported_usage.anthropic_usage,
    "Google": reported_usage.google_usage,
}


def found(type_: str, document: Any) -> int:
    scanner = UsageScanner(type_, Estimate(600, 400, 600))  # type: ignore[arg-type]
    scanner.feed(json.dumps(document).encode())
    return scanner.tokens


def test_the_gateway_knows_the_names_that_the_agent_knows() -> None:
    agent = (reported_usage._ASKED, reported_usage._ANSWERED, reported_usage._ALL)
    gateway = (usage.ASKED, usage.ANSWERED, usage.ALL)
    for ours, theirs in zip(gateway, agent, strict=True):
        assert {name.decode() for name in ours} == set(theirs) - TOO_COMMON


PAIRS = [
    ("prompt_tokens", "completion_tokens"),
    ("inputTokens", "outputTokens"),
    ("input_token_count", "output_token_count"),
    ("Prompt-Tokens", "Completion-Tokens"),
    ("tokens_in", "tokens_out"),
    ("prompt_eval_count", "eval_count"),
    ("num_prompt_tokens", "generated_tokens"),
    ("inputToken", "outputToken"),
]


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("names", PAIRS, ids=" ".join)
@pytest.mark.parametrize("wrapped", [False, True], ids=["usage", "metadata"])
def test_both_read_the_same(type_: str, names: tuple[str, str], wrapped: bool) -> None:
    counts = {"usage": {names[0]: 90, names[1]: 11}}
    document = {"metadata": counts} if wrapped else counts
    read = TYPES[type_](document)
    assert read is not None
    assert {90, 11} <= set(read.values())
    assert found(type_, document) == 101


@pytest.mark.parametrize("name", sorted(TOO_COMMON))
def test_an_everyday_word_is_no_report(name: str) -> None:
    answer = {"choices": [{"message": {"content": "x"}, name: 999_999}]}
    assert found("OpenAI", answer) < 700
